"""The demo on disk: real files that hold what the scripts say, made once, resumed after a break,
and never mistaken.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from llmvs import console
from llmvs.datasets import load as load_by_name
from llmvs.datasets.base import Dataset
from llmvs.demo.dataset import load, read_scripts
from llmvs.demo.world import sheet
from llmvs.demo.world.draw import frame
from llmvs.demo.world.script import TRAINING_SEEDS, script
from llmvs.errors import UserError
from llmvs.video.reader import sample

SMALL = {"clips": 5, "seconds": (6, 8)}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "small"
    load(folder, **SMALL)
    return folder


@pytest.fixture(scope="module")
def world(root: Path) -> Dataset:
    return load(root)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy that a test may damage."""
    shutil.copytree(root, tmp_path / "copy")
    return tmp_path / "copy"


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_dataset_like_any_other(world: Dataset, root: Path) -> None:
    assert (world.name, world.annotation, world.synthetic) == ("demo", "ratings", True)
    assert list(world.videos) == [f"video_{i}" for i in range(1, 6)]
    for video in world.annotations.values():
        assert video.video.path == root / f"{video.key}.mp4"
        assert video.fps == 24
        assert video.picks.tolist() == list(range(0, video.n_frames, 12))
        assert video.user_scores is not None
        assert video.user_scores.dtype == np.uint8
        assert video.user_scores.shape[0] >= 10
        at_picks = video.user_scores[:, video.picks].astype(float)
        np.testing.assert_allclose(video.gtscore, (at_picks.mean(axis=0) - 1) / 4, atol=1e-6)
    tested = [key for _, test in world.splits["disjoint"] for key in test]
    assert sorted(tested) == sorted(world.videos)
    assert load_by_name("demo", root).videos.keys() == world.videos.keys()


def test_files_are_real_videos_with_sound(world: Dataset) -> None:
    for video in world.annotations.values():
        with av.open(str(video.video.path)) as container:
            stream, sound = container.streams.video[0], container.streams.audio[0]
            assert (stream.codec_context.name, stream.pix_fmt, stream.width, stream.height) == (
                "h264",
                "yuv420p",
                320,
                180,
            )
            assert sound.codec_context.name == "aac"
            assert sum(1 for _ in container.decode(video=0)) == video.n_frames
            assert float(sound.duration * sound.time_base) == pytest.approx(
                video.n_frames / 24, abs=0.2
            )
            assert "synthetic" in container.metadata["comment"]


def test_steps_by_time_stamp_are_the_picks(world: Dataset) -> None:
    for video in world.annotations.values():
        assert video.video.path is not None
        assert [step.index for step in sample(video.video.path, fps=2.0)] == video.picks.tolist()


def test_files_show_what_the_scripts_say(world: Dataset, root: Path) -> None:
    scripts = read_scripts(root)
    assert scripts == {f"video_{i + 1}": script(0, i, (6.0, 8.0)) for i in range(5)}
    for key in ("video_1", "video_4"):
        for step in sample(world.videos[key].path or "", every_nth_frame=29):
            drawn = frame(scripts[key], step.index)
            assert np.abs(step.image.astype(int) - drawn).mean() < 6  # compression
    assert world.annotations["video_1"].shots is not None


def test_shots_are_cuts(world: Dataset) -> None:
    """The largest change from frame to frame lies where a shot ends, for every shot."""
    video = world.annotations["video_2"]
    assert video.shots is not None
    assert video.video.path is not None
    images = np.stack(
        [
            step.image[::4, ::4].astype(np.int16)
            for step in sample(video.video.path, every_nth_frame=1)
        ]
    )
    change = np.abs(np.diff(images, axis=0)).mean(axis=(1, 2, 3))
    cuts = video.shots[:-1, 1]
    assert sorted(np.argsort(change)[-len(cuts) :].tolist()) == cuts.tolist()


def test_events_are_heard(world: Dataset, root: Path) -> None:
    for key, clip in read_scripts(root).items():
        with av.open(str(world.videos[key].path)) as container:
            rate = container.streams.audio[0].rate
            samples = np.concatenate([piece.to_ndarray()[0] for piece in container.decode(audio=0)])
        for scene, (first, _) in zip(clip.scenes, clip.shots.tolist(), strict=True):
            begin = round((first + scene.event_frame) / 24 * rate)
            before, after = (
                samples[round(first / 24 * rate) : begin],
                samples[begin : begin + rate // 2],
            )
            if scene.event:
                assert after.std() > 2 * before.std(), (key, scene.event)


def test_a_second_call_only_reads(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = times(root)
    load(root)
    load(root, **SMALL)
    assert times(root) == before
    assert capsys.readouterr() == ("", "")


def test_the_same_seed_makes_the_same_files(
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(console, "EVERY", 0.0)  # half a minute would be longer than it takes
    load(tmp_path, **SMALL)
    assert "rendering the synthetic demo" in capsys.readouterr().err
    for path in root.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_killed_rendering_goes_on(copy: Path, root: Path) -> None:
    (copy / "annotations.json").unlink()
    (copy / "video_3.mp4").unlink()
    (copy / ".video_3-half.mp4").write_bytes(b"half")
    before = times(copy)
    load(copy, **SMALL)
    after = times(copy)
    assert {name for name in after if after[name] != before.get(name)} == {
        "annotations.json",
        "video_3.mp4",
    }
    assert (copy / "video_3.mp4").read_bytes() == (root / "video_3.mp4").read_bytes()


def test_a_lost_clip_is_made_again(copy: Path, root: Path) -> None:
    (copy / "video_5.mp4").unlink()
    load(copy)
    assert (copy / "video_5.mp4").read_bytes() == (root / "video_5.mp4").read_bytes()


@pytest.mark.parametrize("other", [{"seed": 1}, {"clips": 6}, {"seconds": (6, 9)}])
def test_another_demo_than_the_folder_holds(root: Path, other: dict) -> None:
    before = times(root)
    with pytest.raises(
        UserError,
        match=r"holds a demo of clips=5 seed=0 seconds=6-8, not of .*: choose another folder",
    ):
        load(root, **other)
    assert times(root) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"clips": 4},
        {"seed": -1},
        {"seed": TRAINING_SEEDS},
        {"seconds": (9, 6)},
        {"seconds": (1, 2)},
    ],
)
def test_senseless_parameters(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(UserError, match="of the demo"):
        load(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()


def test_other_peoples_videos_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "video_1.mp4").write_bytes(b"a holiday")
    with pytest.raises(
        UserError, match=r"video_1\.mp4: not the clip that the demo would write here"
    ):
        load(tmp_path, **SMALL)
    assert (tmp_path / "video_1.mp4").read_bytes() == b"a holiday"


def test_clips_of_another_world_are_not_reused(copy: Path) -> None:
    (copy / "annotations.json").unlink()
    with pytest.raises(UserError, match="not the clip"):
        load(copy, clips=5, seconds=(6, 8), seed=1)


@pytest.mark.parametrize("text", ["{}", "[]", '{"format": 0, "world": {}}', "not JSON"])
def test_a_manifest_that_is_none(copy: Path, text: str) -> None:
    (copy / "annotations.json").write_text(text)
    with pytest.raises(UserError, match=r"annotations\.json: not"):
        load(copy)


def test_annotations_can_be_read_by_people(root: Path) -> None:
    value = json.loads((root / "annotations.json").read_text())
    assert value["synthetic"] is True
    assert set(value["clips"][0]["ratings"][0]) <= set("12345")


def test_contact_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "sheet.png"
    assert sheet.main([str(target)]) == 0
    assert target.read_bytes().startswith(b"\x89PNG")
    assert target.stat().st_size < 400_000
    assert sheet.main([]) == sheet.main(["sheet.jpg"]) == sheet.main([str(target), "x"]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.slow
def test_the_full_world(tmp_path: Path) -> None:
    world = load(tmp_path)
    assert len(world.videos) == 40
    for video in world.annotations.values():
        assert 40 <= video.n_frames / 24 <= 120
        assert [
            step.index for step in sample(video.video.path or "", fps=2.0)
        ] == video.picks.tolist()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 110e6
