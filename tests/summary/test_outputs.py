"""The folder of a summary: everything is there, and says the same."""

import base64
import json
import re
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from llmvs.errors import UserError
from llmvs.evaluation.keyshots import knapsack
from llmvs.summary.outputs import CARD, COLUMNS, write_storyboard
from llmvs.summary.summarize import summarize
from llmvs.video.transcript import Spoken, read_transcript
from llmvs.video.writer import write
from tests.video.test_shape import roundness, wide

FPS = 10


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Twelve scenes of two seconds, every third one moving, with sound."""
    rng = np.random.default_rng(0)
    scenes = [
        np.kron(rng.integers(0, 255, (4, 6, 3)), np.ones((16, 16, 1))).astype(np.uint8)
        for _ in range(12)
    ]
    path = tmp_path_factory.mktemp("own") / "my día & <night>.mp4"
    frames = (np.roll(scenes[i // 20], 4 * i * (i // 20 % 3 == 0), axis=1) for i in range(240))
    sound = np.sin(np.arange(24 * 48_000) / 10).astype(np.float32) / 4
    write(path, frames, FPS, sound)
    return path


@pytest.fixture(scope="module")
def saved(video, tmp_path_factory):
    summary = summarize(video, "25%")
    return summary, summary.save(tmp_path_factory.mktemp("out") / "one" / "summary")


def test_all_files_are_there(saved):
    _, folder = saved
    names = {path.name for path in folder.iterdir()}
    assert {
        "summary.mp4",
        "report.html",
        "storyboard.png",
        "keyframes",
        "chapters.vtt",
        "preview.webp",
        "scores.csv",
        "summary.json",
    } <= names
    assert names <= {*names, "timeline.otio", "timeline.edl"}
    assert not [name for name in names if name.startswith(".")]


def test_the_video_is_the_choice(saved):
    summary, folder = saved
    with av.open(str(folder / "summary.mp4")) as container:
        frames = sum(1 for _ in container.decode(video=0))
        assert container.streams.audio
        length = float(container.streams.video[0].duration * container.streams.video[0].time_base)
    assert frames == sum(shot.last - shot.first + 1 for shot in summary.chosen)
    assert length == pytest.approx(summary.seconds, abs=1 / FPS)
    assert summary.seconds <= 0.25 * summary.duration + 1 / FPS
    document = json.loads((folder / "summary.json").read_text())
    assert document["summary_seconds"] == pytest.approx(length, abs=1 / FPS)


def test_the_page_leads_to_the_video_and_shows_the_choice(saved, video):
    summary, folder = saved
    text = (folder / "report.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1))
    assert data["title"] == video.name
    assert "%26%20%3Cnight%3E.mp4" in data["video"]
    assert [one["chosen"] for one in data["shots"]] == [one.chosen for one in summary.shots]
    assert len(data["pictures"]) == len(summary.steps)
    assert sum(one["size"] for one in data["shots"]) == data["ticks"] == 240
    assert [one["value"] for one in data["shots"]] == pytest.approx(
        [one.score for one in summary.shots], abs=1e-5
    )


def test_the_storyboard_has_a_card_for_every_shot(saved):
    summary, folder = saved
    board = cv2.imread(str(folder / "storyboard.png"))
    assert board.shape[1] == 320 * min(COLUMNS, len(summary.chosen))
    assert len(list((folder / "keyframes").iterdir())) == len(summary.chosen)


def test_a_storyboard_of_none_and_of_many(tmp_path):
    write_storyboard([], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    tall = np.full((90, 30, 3), 200, np.uint8)
    write_storyboard([("0:01", tall)] * 6, tmp_path / "six.png")
    assert cv2.imread(str(tmp_path / "six.png")).shape == (2 * 206, 4 * 320, 3)


def test_what_is_kept_and_dropped_stays_so_in_the_page(video):
    page = summarize(video, "25%", keep=["4-6"], drop=["0-2"]).page()
    assert [(one.start, one.chosen) for one in page.shots if one.kept] == [(4.0, True)]
    assert all(not one.chosen for one in page.shots if one.dropped)
    assert next(one.start for one in page.shots if one.dropped) == 0


@pytest.mark.parametrize("wishes", [{"length": "25%"}, {"length": "40%", "keep": ["4-6"]}])
@pytest.mark.parametrize("name", ["own", "vfr"])
def test_what_the_page_counts_with_gives_the_choice_again(name, wishes, video, request):
    path = video
    if name == "vfr":  # a real clip, whose frames last differently long
        path = request.getfixturevalue("shared") / "clips" / "fire2.mp4"
        wishes = {"length": wishes["length"]}
    summary = summarize(path, **wishes)
    page = summary.page()
    free = [i for i, one in enumerate(page.shots) if not one.kept and not one.dropped]
    share = float(wishes["length"].rstrip("%")) / 100
    room = int(page.ticks * share + 1e-6) - sum(one.size for one in page.shots if one.kept)
    taken = knapsack(
        [page.shots[i].value for i in free], [page.shots[i].size for i in free], max(room, 0)
    )
    again = {free[item] for item in taken} | {i for i, one in enumerate(page.shots) if one.kept}
    assert again == {i for i, one in enumerate(page.shots) if one.chosen}
    assert again


def test_subtitles_are_written_where_there_is_a_transcript(saved, tmp_path):
    summary, folder = saved
    assert not (folder / "summary.vtt").exists()
    first = summary.chosen[0]
    said = (Spoken(first.start + 0.5, first.start + 1, "a night"), Spoken(50, 60, "later"))
    with_words = replace(summary, spoken=said).save(tmp_path / "said")
    [cue] = read_transcript(with_words / "summary.vtt", summary.seconds)
    assert (cue.start, cue.end, cue.text) == (pytest.approx(0.5), pytest.approx(1), "a night")


def test_pixels_that_are_not_square(tmp_path):
    folder = summarize(wide(tmp_path / "a.mp4"), "50%").save(tmp_path / "out")
    with av.open(str(folder / "summary.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(16, 11)
    text = (folder / "report.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1))
    thumbnail = base64.b64decode(data["pictures"][3][1].partition(",")[2])
    (folder / "thumbnail.jpg").write_bytes(thumbnail)
    keyframes = sorted((folder / "keyframes").iterdir())
    for path in (folder / "thumbnail.jpg", keyframes[0]):
        assert roundness(cv2.imread(str(path))) == pytest.approx(1, abs=0.06)
    card = cv2.imread(str(folder / "storyboard.png"))[:180, :320]
    assert roundness(card) == pytest.approx(1, abs=0.06)
    image = pytest.importorskip("PIL.Image", reason="needs pillow").open(folder / "preview.webp")
    assert roundness(np.asarray(image.convert("RGB"))) == pytest.approx(1, abs=0.06)


def test_pixels_that_are_not_square_are_plotted_as_squares(tmp_path):
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    card, *_ = summarize(wide(tmp_path / "a.mp4"), "50%").plot().axes
    assert roundness(np.asarray(card.images[0].get_array())) == pytest.approx(1, abs=0.06)


def test_an_earlier_summary_is_replaced_when_asked(saved, tmp_path):
    summary, _ = saved
    folder = summary.save(tmp_path / "again")
    (folder / "chapters.vtt").write_text("edited")
    with pytest.raises(UserError, match="exists"):
        summary.save(folder)
    assert (folder / "chapters.vtt").read_text() == "edited"
    summary.save(folder, force=True)
    assert (folder / "chapters.vtt").read_text() != "edited"
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_key_frames_wait_for_the_storyboard_as_small_pictures(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    large = rng.integers(0, 255, (480, 854, 3), dtype=np.uint8)
    write(tmp_path / "large.mp4", (np.roll(large, 8 * i, axis=1) for i in range(40)), FPS)
    held = []
    monkeypatch.setattr(
        "llmvs.summary.result.write_storyboard", lambda cards, path: held.extend(cards)
    )
    summarize(tmp_path / "large.mp4", "50%").save(tmp_path / "out")
    assert held
    assert all(image.shape[0] <= CARD[1] and image.shape[1] <= CARD[0] for _, image in held)
