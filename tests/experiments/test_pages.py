"""The pages of a run: what it scored, beside what people said."""

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.cli import main
from llmvs.commands import report
from llmvs.config.schema import Config, DataConfig, HeadConfig, MethodConfig, OptimConfig
from llmvs.datasets.base import Dataset
from llmvs.datasets.splits import generated
from llmvs.errors import UserError
from llmvs.evaluation.keyshots import summarize
from llmvs.experiments import index_page, pages, resources
from llmvs.experiments.index_page import Line
from llmvs.experiments.pages import write_pages
from llmvs.experiments.run import train
from llmvs.models.pretrained import LLMVS
from llmvs.summary.leaning import leaning
from tests.films import films, tiny_config


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that holds the built-in models."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def world(tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Dataset, Config]:
    plain = films(tmp_path, {f"video_{i}": 2 + i / 2 for i in range(5)})
    dataset = replace(plain, splits=generated(list(plain.videos), "films"))
    monkeypatch.setattr(resources, "open_dataset", lambda config: dataset)
    monkeypatch.setattr(pages, "open_dataset", lambda config, a_part: dataset)
    plan = tiny_config(
        tmp_path / "cache",
        built,
        runs=str(tmp_path / "runs"),
        data=DataConfig("films", str(tmp_path), "disjoint"),
        head=HeadConfig(dim=16, layers=1, feedforward=16, heads=2),
        optim=OptimConfig(epochs=2),
    )
    return dataset, plan


def content(path: Path) -> dict:
    text = path.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return dict(json.loads(found.group(1)))


def test_a_run_is_shown_with_people_captions_and_attention(
    world: tuple[Dataset, Config], tmp_path: Path
) -> None:
    dataset, plan = world
    document, _ = train(plan)
    run = Path(document["folder"])
    index = write_pages(run)
    assert index == run / "report" / "index.html"
    lowest = min(float(one.user_scores.min()) for one in dataset.annotations.values())
    highest = max(float(one.user_scores.max()) for one in dataset.annotations.values())
    text = index.read_text(encoding="utf-8")
    scores = json.loads((run / "scores" / f"{document['selection']}.json").read_text())
    cache = EmbeddingCache(next((tmp_path / "cache" / "films").glob("embeddings-*")))
    head = LLMVS.from_pretrained(run)
    for key in document["videos"]["test"]:
        assert f'<a href="videos/{key}.html">' in text
        tau = document["per_video"][document["selection"]]["paper"][key][0]
        assert f"<td>{tau:+.3f}</td>" in text
        page, video = content(run / "report/videos" / f"{key}.html"), dataset.annotations_of(key)
        assert_allclose(page["scores"], scores[key], atol=1e-4)
        rated = video.user_scores
        assert rated is not None
        people = (rated - lowest) / (highest - lowest)
        assert_allclose(page["people"], people[:, video.picks], atol=1e-3)
        assert_allclose(page["consensus"], video.people_mean, atol=1e-3)
        made = cache.read(key)
        assert page["answers"] == list(made.answers)
        assert len(page["captions"]) == video.n_steps
        assert_allclose(head(made.q, made.a).detach(), scores[key], atol=1e-5)  # the same head
        weights = head.attention(made.q, made.a)
        assert weights is not None
        assert page["leaning"]["most"] == [
            [list(one) for one in row] for row in leaning(weights.numpy()).most
        ]
        assert page["pictures"]
        assert (run / "report/videos" / page["video"]).resolve() == video.video.path
        assert page["back"] == "../index.html"
    means = document["protocols"]["paper"]
    for label, row in [("Mean of", "This run"), ("Random", "random"), ("Ceiling", "ceiling")]:
        line = next(one for one in text.splitlines() if f'colspan="2">{label}' in one)
        assert f"<td>{means[row]['tau']:+.3f}</td>" in line


def test_the_choice_is_that_of_the_key_shots(world: tuple[Dataset, Config]) -> None:
    dataset, _ = world
    video = dataset.annotations_of("video_4")
    half = video.n_frames // 2
    cuts = np.array([0, 4, 7, 9, half, half + 5])
    shots = np.stack([cuts, np.append(cuts[1:], video.n_frames) - 1], axis=1)
    scores = np.random.default_rng(0).random(video.n_steps)
    found = pages.shots_of(replace(video, shots=shots), scores, 10.0)
    want = summarize(scores, video.picks, video.n_frames, shots)
    chosen = np.concatenate(
        [
            np.full(last - first + 1, one.chosen)
            for one, (first, last) in zip(found, shots, strict=True)
        ]
    )
    assert (chosen == want).all()
    assert found[-1].end == pytest.approx(10.0)


def test_without_videos_and_captions_there_are_still_curves(
    world: tuple[Dataset, Config],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dataset, plan = world
    document, _ = train(plan)
    bare = replace(
        dataset,
        annotations={
            key: replace(one, video=replace(one.video, path=None))
            for key, one in dataset.annotations.items()
        },
    )
    monkeypatch.setattr(pages, "open_dataset", lambda config, a_part: bare)
    for made in Path(plan.cache).glob("films/*"):
        made.rename(made.with_name(f"away-{made.name}"))
    write_pages(Path(document["folder"]))
    assert "left out of the pages" in caplog.text
    key = document["videos"]["test"][0]
    page = content(Path(document["folder"]) / "report" / "videos" / f"{key}.html")
    assert (page["pictures"], page["video"], page["captions"], page["answers"]) == (
        [],
        None,
        None,
        None,
    )
    assert page["leaning"] is None
    assert len(page["people"]) > 0


def test_a_cache_that_moved_and_a_video_that_cannot_be_read(
    world: tuple[Dataset, Config],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dataset, plan = world
    document, _ = train(plan)
    broken, *_ = document["videos"]["test"]
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(b"no video")
    video = dataset.annotations_of(broken)
    dataset.annotations[broken] = replace(video, video=replace(video.video, path=damaged))
    Path(plan.cache).rename(tmp_path / "elsewhere")
    to = tmp_path / "pages #1"
    command = ["report", document["folder"], "-o", str(to), f"cache={tmp_path / 'elsewhere'}"]
    assert main(command) == 0
    assert "no pictures on the page" in caplog.text
    page = content(to / "videos" / f"{broken}.html")
    assert page["video"] is None
    assert page["pictures"] == []
    assert page["captions"]
    assert page["leaning"]
    with pytest.raises(UserError, match="unknown key fold"):
        report.call(argparse.Namespace(run=to, settings=["fold=1"]))


def test_what_a_method_does_not_have_is_not_on_its_page(
    world: tuple[Dataset, Config], caplog: pytest.LogCaptureFixture
) -> None:
    _, plan = world
    plain = replace(plan, head=replace(plan.head, aggregator="mlp"))
    for config, there in [
        (plain, {"captions": True, "answers": True}),
        (replace(plan, method=MethodConfig("caption_novelty")), {"captions": True}),
        (replace(plan, method=MethodConfig("position")), {}),
        (replace(plan, method=MethodConfig("visual_novelty")), {}),
    ]:
        document, _ = train(replace(config, experiment=f"of-{config.method.model}"))
        run = Path(document["folder"])
        write_pages(run)
        page = content(next((run / "report" / "videos").iterdir()))
        for name in ("captions", "answers", "leaning"):
            assert bool(page[name]) is there.get(name, False), (config.method, name)
    assert "left out" not in caplog.text


def test_names_of_videos_are_quoted_in_links() -> None:
    line = Line("videos/50% #1?.html", "<b>", {}, [0.5, 0.5], [0.0, 1.0])
    row = index_page._row(line, [])
    assert 'href="videos/50%25%20%231%3F.html"' in row
    assert "<b>" not in row


def test_earlier_pages_stay_unless_force_is_given_and_other_folders_always(
    world: tuple[Dataset, Config], capsys: pytest.CaptureFixture[str]
) -> None:
    _, plan = world
    run = Path(train(plan)[0]["folder"])
    write_pages(run)
    assert main(["report", str(run)]) == 2
    assert "report: exists" in capsys.readouterr().err
    assert main(["report", str(run), "--force"]) == 0
    capsys.readouterr()
    for name in ("mine.html", "videos/mine.txt", "index.html"):
        (run / "report" / name).write_text("<!doctype html>", encoding="utf-8")
        assert main(["report", str(run), "--force"]) == 2
        assert "pages of a run, so it is not replaced" in capsys.readouterr().err
        (run / "report" / name).unlink()


def test_what_is_no_finished_run_is_one_line(world: tuple[Dataset, Config], tmp_path: Path) -> None:
    _, plan = world
    with pytest.raises(UserError, match=r"nowhere: no such folder"):
        write_pages(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no result.json, so this run is not finished"):
        write_pages(tmp_path)
    run = Path(train(plan)[0]["folder"])
    place = next((run / "scores").glob("val.json"), next((run / "scores").glob("*.json")))
    place.write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"no scores of video_"):
        write_pages(run)
    assert not (run / "report").exists()
