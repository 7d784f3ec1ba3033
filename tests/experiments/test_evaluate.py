"""What `llmvs baselines` and `llmvs evaluate` print is what protocols say of plain annotations; a
protocol that somebody adds is there too.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from llmvs.cli import main
from llmvs.config.load import load_config
from llmvs.datasets.base import Dataset
from llmvs.evaluation.protocols import by_name, protocols
from llmvs.experiments import evaluate as module
from llmvs.experiments.evaluate import baselines_document, evaluate_document
from llmvs.files import write_json
from tests.evaluation.test_protocols import make
from tests.evaluation.toys import Best, register


def made_up(annotation):
    """Three videos in two folds."""
    videos = {}
    for i in (1, 2, 3):
        _, one = make(annotation, seed=i)
        videos[f"video_{i}"] = replace(one, video=replace(one.video, key=f"video_{i}"))
    folds = [(["video_3"], ["video_1", "video_2"]), (["video_1", "video_2"], ["video_3"])]
    return Dataset("made", annotation, videos, {"disjoint": folds})


@pytest.fixture
def opened(monkeypatch):
    """Has the commands open this dataset in place of the configured one."""

    def opens(dataset):
        monkeypatch.setattr(module, "open_dataset", lambda config: dataset)
        return dataset

    return opens


def over_folds(values, tests):
    """Mean of one measure over videos, then folds; from video -> value."""
    return np.mean([np.mean([values[key] for key in test]) for test in tests])


@pytest.mark.parametrize("annotation", ["votes", "ratings", "replays"])
def test_documents_hold_what_protocols_say_of_plain_annotations(annotation, opened, tmp_path):
    dataset = opened(made_up(annotation))
    rng = np.random.default_rng(0)
    scores = {key: rng.random(one.n_steps) for key, one in dataset.annotations.items()}
    write_json(tmp_path / "s.json", scores)
    document, _ = evaluate_document(load_config(["demo"]), tmp_path / "s.json", draws=2)
    ceilings, _ = baselines_document(load_config(["demo"]), draws=2)
    assert set(document["protocols"]) == set(protocols(dataset))
    tests = [test for _, test in dataset.splits["disjoint"]]
    for name, protocol in protocols(dataset).items():
        own = {key: protocol.evaluate(scores[key], dataset.annotations[key]) for key in scores}
        np.testing.assert_equal(
            document["per_video"][name], {key: list(values.values()) for key, values in own.items()}
        )
        top = {key: protocol.evaluate(one.gtscore, one) for key, one in dataset.annotations.items()}
        for measure in protocol.measures:
            for found, row, printed in (
                (own, str(tmp_path / "s.json"), document),
                (top, "ceiling", document),
                (top, "ceiling", ceilings),
            ):
                expected = over_folds({key: one[measure] for key, one in found.items()}, tests)
                np.testing.assert_allclose(
                    printed["protocols"][name][row][measure], expected, rtol=1e-12
                )


@pytest.mark.parametrize("name", ["summe", "tvsum"])
def test_the_same_on_real_annotations(name, shared, request, tmp_path, capsys):
    dataset = request.getfixturevalue(name)
    scores = {key: one.gtscore for key, one in dataset.annotations.items()}
    write_json(tmp_path / "s.json", scores)
    given = [name, f"data.root={shared / name}", "data.splits=disjoint", "--draws", "2", "--json"]
    assert main(["baselines", *given]) == 0
    ceilings = json.loads(capsys.readouterr().out)["protocols"]
    assert main(["evaluate", "--scores", str(tmp_path / "s.json"), *given]) == 0
    per_video = json.loads(capsys.readouterr().out)["per_video"]
    tests = [test for _, test in dataset.splits["disjoint"]]
    for protocol_name, protocol in protocols(dataset).items():
        top = {key: protocol.evaluate(scores[key], dataset.annotations[key]) for key in scores}
        assert per_video[protocol_name] == {key: list(one.values()) for key, one in top.items()}
        for measure in protocol.measures:
            expected = over_folds({key: one[measure] for key, one in top.items()}, tests)
            assert ceilings[protocol_name]["ceiling"][measure] == pytest.approx(expected, rel=1e-12)


def test_a_protocol_that_is_registered_is_evaluated_and_shown(opened, tmp_path, monkeypatch):
    register(monkeypatch, Best())
    dataset = opened(made_up("ratings"))
    assert by_name("best").title == Best.title
    write_json(tmp_path / "s.json", {key: one.gtscore for key, one in dataset.annotations.items()})
    document, printed = evaluate_document(load_config(["demo"]), tmp_path / "s.json", draws=4)
    rows = document["protocols"]["best"]
    expected = over_folds(
        {key: float(one.gtscore.max()) for key, one in dataset.annotations.items()},
        [test for _, test in dataset.splits["disjoint"]],
    )
    assert rows[str(tmp_path / "s.json")] == {"importance": pytest.approx(expected)}
    assert rows["ceiling"] == rows[str(tmp_path / "s.json")]
    assert 0 < rows["random"]["importance"] < expected
    assert list(rows["random"]) == ["importance", "importance_sd"]
    assert document["per_video"]["best"]["video_1"] == [
        pytest.approx(float(dataset.annotations["video_1"].gtscore.max()))
    ]
    block = printed[printed.index("best: gtscore of the step of highest score") :].splitlines()
    assert block[1].split() == ["importance", "%", "importance", "%:", "sd"]
    assert block[2].split()[1] == f"{100 * expected:.2f}"
