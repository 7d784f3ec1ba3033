"""A data set of one's own in the eccv16 layout, with whatever of the fields it has."""

import h5py
import numpy as np
import pytest

from llmvs.datasets import load
from llmvs.errors import UserError
from llmvs.evaluation.baselines import baselines
from llmvs.evaluation.protocols import protocols
from llmvs.files import write_json

KEYS = ["a walk", "b-2", "c_10", "c_9", "Bär", "video_1"]
FRAMES = 90
PICKS = np.arange(0, FRAMES, 10)


def write(root, keys=KEYS, name="mine.h5", **changes):
    """An h5 file of votes; `changes`: other fields (None: without), of all videos."""
    rng = np.random.default_rng(0)
    with h5py.File(root / name, "w") as file:
        for key in keys:
            votes = (rng.random((4, FRAMES)) < 0.3).astype(np.float32)
            fields = {
                "features": rng.random((9, 4)),
                "n_frames": FRAMES,
                "picks": PICKS,
                "user_summary": votes,
                "gtscore": votes[:, PICKS].mean(axis=0),
                "change_points": [[0, 39], [40, 59], [60, 89]],
            }
            for field, value in (fields | changes).items():
                if value is not None:
                    file[f"{key}/{field}"] = value
    return root


def test_any_keys_are_read_with_folds_that_test_every_video_once(tmp_path):
    dataset = load("eccv16", write(tmp_path))
    assert (dataset.name, dataset.annotation) == (f"eccv16-{tmp_path.name}", "votes")
    assert set(dataset.annotations) == set(KEYS)
    tested = [key for _, test in dataset.splits["disjoint"] for key in test]
    assert sorted(tested) == sorted(KEYS)
    assert str(dataset.sampling) == "extract.every_nth_frame=10"
    video = dataset.annotations["Bär"]
    assert (video.n_frames, video.picks.tolist()) == (FRAMES, PICKS.tolist())
    assert video.gtscore == pytest.approx(video.user_summary[:, PICKS].mean(axis=0))
    assert set(protocols(dataset)) == {"paper", "per_annotator", "f1"}
    found = baselines(dataset, [test for _, test in dataset.splits["disjoint"]], draws=2)
    assert found["per_annotator"]["ceiling"]["tau"] > 0.3


def test_the_videos_are_found_by_key_or_by_name(tmp_path):
    write(tmp_path)
    with h5py.File(tmp_path / "mine.h5", "a") as file:
        file["b-2/video_name"] = "On a boat"
    (tmp_path / "videos").mkdir()
    for name in ("a_walk.mp4", "On a boat.webm"):
        (tmp_path / "videos" / name).touch()
    videos = load("eccv16", tmp_path).videos
    assert videos["a walk"].path.name == "a_walk.mp4"
    assert (videos["b-2"].name, videos["b-2"].path.name) == ("On a boat", "On a boat.webm")
    assert videos["c_9"].path is None


def test_ratings_come_first_and_are_scaled_over_the_whole_file(tmp_path, capsys):
    ratings = np.tile(np.linspace(1, 9, FRAMES), (2, 1))
    dataset = load("eccv16", write(tmp_path, user_scores=ratings, gtscore=None))
    video = dataset.annotations["c_10"]
    assert dataset.annotation == "ratings"
    assert (video.user_scores == ratings).all()
    assert video.gtscore == pytest.approx((ratings[0, PICKS] - 1) / 8)
    assert video.user_summary is not None
    with h5py.File(tmp_path / "mine.h5", "a") as file:
        del file["c_10/user_scores"]
    assert load("eccv16", tmp_path).annotation == "votes"
    assert "c_10 without user_scores: not compared with" in capsys.readouterr().err


def test_the_ratings_mean_is_kept_beside_another_target(tmp_path):
    ratings = np.tile(np.linspace(1, 9, FRAMES), (2, 1))
    target = np.linspace(1, 0, 9)
    video = load("eccv16", write(tmp_path, user_scores=ratings, gtscore=target)).annotations["b-2"]
    assert video.gtscore.tolist() == target.tolist()
    assert video.people_mean == pytest.approx((ratings[0, PICKS] - 1) / 8)


def test_gtscore_alone_is_one_persons_rating(tmp_path, capsys):
    gtscore = np.linspace(0.1, 0.9, 9) ** 2
    dataset = load("eccv16", write(tmp_path, user_summary=None, gtscore=gtscore))
    video = dataset.annotations["c_9"]
    assert dataset.annotation == "ratings"
    assert video.user_scores.shape == (1, FRAMES)
    assert video.user_scores[0, [0, 9, 10, 89]].tolist() == [*gtscore[[0, 0, 1, 8]]]
    assert "gtscore alone" in capsys.readouterr().err
    found = baselines(dataset, [KEYS], draws=2)["paper"]
    assert (list(found), found["ceiling"]["tau"]) == (["random", "ceiling"], pytest.approx(1))


def test_without_shots_a_protocol_is_left_out(tmp_path):
    assert set(protocols(load("eccv16", write(tmp_path, change_points=None)))) == {"per_annotator"}


def test_its_own_splits_are_its_folds(tmp_path):
    write(tmp_path)
    folds = [
        {"train_keys": KEYS[:4], "test_keys": KEYS[4:]},
        {"train_keys": KEYS[2:], "test_keys": KEYS[:2]},
    ]
    write_json(tmp_path / "my_splits.json", folds)
    dataset = load("eccv16", tmp_path)
    assert dataset.splits["paper"] == [(KEYS[:4], KEYS[4:]), (KEYS[2:], KEYS[:2])]
    one = {"train_keys": KEYS[:3], "val_keys": [KEYS[3]], "test_keys": [*KEYS[4:], "gone"]}
    write_json(tmp_path / "my_splits.json", one)
    with pytest.raises(UserError, match=r"mine\.h5: 1 videos of eccv16 are missing \(gone\)"):
        load("eccv16", tmp_path)
    dataset = load("eccv16", tmp_path, absent="skip")
    assert (dataset.validation, dataset.splits["disjoint"]) == ((KEYS[3],), [(KEYS[:3], KEYS[4:])])
    assert list(dataset.absent) == ["gone"]


@pytest.mark.parametrize(
    ("splits", "reason"),
    [
        ([], "no folds in it"),
        ([{"train_keys": ["a"]}], "fold 0: expected"),
        ([1], "fold 0: expected"),
        ({"train_keys": ["a", 1], "test_keys": ["b"]}, "fold 0: expected"),
        ([{"train_keys": ["a", "b"], "test_keys": ["b"]}], "b is in two places of fold 0"),
        ([{"train_keys": ["video_1"], "test_keys": ["video_01"]}], "are two names of one video"),
        ([{"train_keys": ["/video_1"], "test_keys": ["b"]}], "'/video_1' holds a slash"),
    ],
)
def test_wrong_splits_are_one_line(tmp_path, splits, reason):
    write(tmp_path)
    write_json(tmp_path / "splits.json", splits)
    with pytest.raises(UserError, match=rf"splits\.json: .*{reason}"):
        load("eccv16", tmp_path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"picks": None}, r"mine\.h5: .* has no picks"),
        ({"n_frames": None, "user_summary": None}, r"has no n_frames"),
        ({"user_summary": None, "gtscore": None}, "has none of user_scores, user_summary, gtscore"),
        ({"user_scores": np.ones((2, FRAMES)), "gtscore": None}, "all ratings are 1"),
        ({"gtscore": np.linspace(1, 5, 9)}, "gtscore: is 1.5 at .*expected 0 to 1"),
    ],
)
def test_what_is_missing_is_one_line(tmp_path, changes, reason):
    with pytest.raises(UserError, match=reason):
        load("eccv16", write(tmp_path, **changes))


def test_the_folder_holds_one_file_of_several_videos(tmp_path):
    with pytest.raises(UserError, match=r"no h5 file in the eccv16 layout \(\*\.h5\)"):
        load("eccv16", tmp_path)
    with pytest.raises(UserError, match="no such folder; expected an h5 file"):
        load("eccv16", tmp_path / "gone")
    write(tmp_path, keys=KEYS[:1])
    with pytest.raises(UserError, match="one video cannot both train and test"):
        load("eccv16", tmp_path)
    write(tmp_path, name="more.h5")
    with pytest.raises(UserError, match=r"mine\.h5, more\.h5: keep one"):
        load("eccv16", tmp_path)


def test_fewer_than_five_videos_are_tested_one_by_one(tmp_path):
    dataset = load("eccv16", write(tmp_path, keys=KEYS[:3]))
    assert [test for _, test in dataset.splits["disjoint"]] == [["a walk"], ["b-2"], ["c_10"]]


def test_a_key_that_leads_elsewhere_is_refused(tmp_path):
    write(tmp_path, keys=["good", ".hidden"])
    with pytest.raises(UserError, match=r"mine\.h5: the name '\.hidden' begins with a dot"):
        load("eccv16", tmp_path)
