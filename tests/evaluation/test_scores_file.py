"""Reading a file of scores: what is accepted, and what is refused."""

import h5py
import numpy as np
import pytest

from llmvs.datasets.base import Dataset
from llmvs.errors import UserError
from llmvs.evaluation.evaluate import evaluate
from llmvs.evaluation.scores_file import read_scores
from llmvs.files import write_json
from tests.evaluation.test_evaluate import named
from tests.evaluation.test_protocols import make


@pytest.fixture
def dataset():
    videos = {f"video_{i}": named(make("votes", seed=i)[1], i) for i in (1, 2)}
    return Dataset("made", "votes", videos, {})


def test_reads_json_and_h5_by_key_and_name(dataset, tmp_path):
    values = {"video_1": [i / 20 for i in range(20)], "name 2": [0.5] * 20}
    write_json(tmp_path / "s.json", values)
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["video_1"] = values["video_1"]
        file.create_group("name 2")["scores"] = values["name 2"]
    for name in ("s.json", "s.h5"):
        found = read_scores(tmp_path / name, dataset)
        assert set(found) == {"video_1", "video_2"}
        assert found["video_1"] == pytest.approx(values["video_1"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"video_9": [0.0] * 20}, "no video 'video_9'"),
        ({"video_1": [0.0] * 19}, r"video_1: has shape \[19\], expected \[20\]"),
        ({"video_1": [None] + [0.0] * 19}, "'None' at step 0 is not a number"),
        ({"video_1": "abc"}, "video_1: holds text, expected numbers"),
        ({"video_1": [[1, 2], 3]}, r"'\[1, 2\]' at step 0 is not a number"),
        ({"video_1": ["0.5"] * 20}, "'0.5' at step 0 is not a number"),
        ({"video_1": [0.0] * 20, "name 1": [0.0] * 20}, "video_1 and name 1 are the same video"),
        ({"video_1": [0.0] * 300}, "one for each frame, .* 20 steps: say --per frame"),
        ({"tvsum/video_1": [0.0] * 20}, "no video 'tvsum/video_1'"),
        ({"xvideo_1": [0.0] * 20}, "no video 'xvideo_1'"),
        ({}, "scores of at least one video"),
        ([1, 2], "scores of at least one video"),
    ],
)
def test_bad_files_are_one_line(dataset, tmp_path, content, message):
    write_json(tmp_path / "s.json", content)
    with pytest.raises(UserError, match=message):
        read_scores(tmp_path / "s.json", dataset)


def test_unreadable_files(dataset, tmp_path):
    (tmp_path / "s.h5").write_text("not h5")
    with pytest.raises(UserError, match=r"s\.h5: not readable"):
        read_scores(tmp_path / "s.h5", dataset)
    with pytest.raises(UserError, match=r"none\.json: no such file"):
        read_scores(tmp_path / "none.json", dataset)


def test_scores_keep_their_64_bits_and_are_ranked_by_them(dataset, tmp_path):
    n_steps = dataset.annotations["video_1"].n_steps
    fine = 0.5 + np.arange(n_steps) * 1e-12  # one number in 32 bits
    write_json(tmp_path / "s.json", {"video_1": fine.tolist()})
    scores = read_scores(tmp_path / "s.json", dataset)
    assert (scores["video_1"] == fine).all()
    found = evaluate(dataset, scores, [["video_1"]])["per_annotator"]
    coarse = evaluate(dataset, {"video_1": np.arange(n_steps)}, [["video_1"]])["per_annotator"]
    assert found.per_video == coarse.per_video
    assert np.isfinite(found.mean["tau"])


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (np.ones(20, complex), "video_1: holds complex numbers"),
        (np.full(20, np.inf), r"video_1: is inf at \[0\], expected finite"),
        (h5py.SoftLink("/elsewhere"), "video_1 is a link elsewhere"),
        (h5py.Empty("f8"), "video_1 is empty"),
    ],
)
def test_bad_h5_scores_are_one_line(dataset, tmp_path, stored, reason):
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["video_1"] = stored
    with pytest.raises(UserError, match=reason):
        read_scores(tmp_path / "s.h5", dataset)


@pytest.mark.parametrize("form", [np.ravel, np.atleast_2d, lambda one: one[:, None]])
def test_columns_and_rows_are_read(dataset, tmp_path, form):
    values = np.arange(20) / 20
    write_json(tmp_path / "s.json", {"video_1": form(values).tolist()})
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file.create_group("video_1")["score"] = form(values).astype(np.float32)
    assert (read_scores(tmp_path / "s.json", dataset)["video_1"] == values).all()
    assert read_scores(tmp_path / "s.h5", dataset)["video_1"] == pytest.approx(values)


@pytest.mark.parametrize("name", ["made/video_1", "my data_video_1", "x:name 1", "a.h5/video_1"])
def test_a_prefix_that_leaves_no_doubt_is_read(dataset, tmp_path, name):
    write_json(tmp_path / "s.json", {name: [0.5] * 20})
    assert set(read_scores(tmp_path / "s.json", dataset)) == {"video_1"}


def test_of_frames_the_ones_at_the_steps_count(dataset, tmp_path):
    video = dataset.annotations["video_1"]
    frames = np.arange(video.n_frames) / video.n_frames
    write_json(tmp_path / "s.json", {"video_1": frames.tolist()})
    scores = read_scores(tmp_path / "s.json", dataset, per="frame")
    assert (scores["video_1"] == frames[video.picks]).all()
    write_json(tmp_path / "s.json", {"video_1": frames[:-1].tolist()})
    with pytest.raises(UserError, match="has shape"):
        read_scores(tmp_path / "s.json", dataset, per="frame")
