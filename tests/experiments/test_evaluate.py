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
from llmvs.errors import UserError
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
        monkeypatch.setattr(module, "open_dataset", lambda config, **how: dataset)
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
    document, _ = evaluate_document(load_config(["demo"]), [tmp_path / "s.json"], draws=2)
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
    document, printed = evaluate_document(load_config(["demo"]), [tmp_path / "s.json"], draws=4)
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


def several(tmp_path, dataset):
    """Three files: the annotators' own mean, noise, and the mean of half of the videos."""
    rng = np.random.default_rng(0)
    mean = {key: one.gtscore.tolist() for key, one in dataset.annotations.items()}
    noise = {key: rng.random(len(one)).tolist() for key, one in mean.items()}
    half = dict(list(mean.items())[: len(mean) // 2])
    found = []
    for name, scores in (("mean", mean), ("noise", noise), ("half", half)):
        found.append(tmp_path / f"{name}.json")
        write_json(found[-1], scores)
    return found


def test_several_files_are_rows_of_one_table_and_compared_video_by_video(opened, tmp_path):
    dataset = opened(made_up("ratings"))
    mean, noise, half = several(tmp_path, dataset)
    document, text = evaluate_document(load_config(["demo"]), [mean, noise], draws=2)
    rows = document["protocols"]["per_annotator"]
    assert document["scores"] == [str(mean), str(noise)]
    assert rows[str(mean)]["tau"] == rows["ceiling"]["tau"] > rows[str(noise)]["tau"]
    per_video = document["per_video"]
    differences = document["differences"]["per_annotator"][f"{noise} - {mean}"]["tau"]
    shares = {"video_1": 0.25, "video_2": 0.25, "video_3": 0.5}  # of folds of two videos and one
    expected = [
        per_video[str(noise)]["per_annotator"][key][0]
        - per_video[str(mean)]["per_annotator"][key][0]
        for key in shares
    ]
    weighted = np.dot(expected, list(shares.values()))
    assert differences["mean"] == pytest.approx(weighted)
    assert weighted == pytest.approx(rows[str(noise)]["tau"] - rows[str(mean)]["tau"])
    assert differences["low"] <= differences["mean"] <= differences["high"]
    assert f"per_annotator: {noise} - {mean}: tau {differences['mean']:+.4f} (95 %: " in text
    alone, _ = evaluate_document(load_config(["demo"]), [mean], draws=2)
    assert alone["scores"] == str(mean)
    assert alone["protocols"]["paper"][str(mean)] == document["protocols"]["paper"][str(mean)]
    common, text = evaluate_document(load_config(["demo"]), [noise, half], draws=2)
    assert len(common["videos"]) == len(dataset.annotations) // 2


def test_files_that_cannot_be_compared_are_one_line(opened, tmp_path):
    dataset = opened(made_up("ratings"))
    mean, _, _ = several(tmp_path, dataset)
    with pytest.raises(UserError, match=r"mean\.json: given twice"):
        evaluate_document(load_config(["demo"]), [mean, mean], draws=2)
    keys = list(dataset.annotations)
    for name, key in (("a", keys[0]), ("b", keys[1])):
        values = dataset.annotations[key].gtscore.tolist()
        write_json(tmp_path / f"{name}.json", {key: values})
    with pytest.raises(UserError, match="score no video in common"):
        evaluate_document(
            load_config(["demo"]), [tmp_path / "a.json", tmp_path / "b.json"], draws=2
        )
