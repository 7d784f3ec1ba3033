"""SumMe's files as people have them: whole, wrong, or of different releases."""

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from llmvs.datasets import load
from llmvs.datasets.splits import published_names
from llmvs.errors import UserError
from tests.datasets.made import FRAMES, STEPS, write_h5, write_mat

NAMES = list(published_names("summe").values())


def test_summe_from_the_eccv16_file(tmp_path):
    write_h5(tmp_path / "eccv16_dataset_summe_google_pool5.h5")
    dataset = load("summe", tmp_path)
    video = dataset.annotations["video_2"]
    assert (video.name, video.n_frames, video.n_steps) == ("Clip 02", FRAMES, STEPS)
    assert video.user_summary.shape == (15, FRAMES)
    assert video.user_labels is None
    assert video.video.path is None
    assert len(dataset.splits["paper"]) == len(dataset.splits["disjoint"]) == 5


def test_the_votes_mean_is_kept_beside_another_target(tmp_path):
    path = write_h5(tmp_path / "eccv16_dataset_summe_google_pool5.h5")
    with h5py.File(path, "a") as file:
        mean = file["video_3/user_summary"][:, ::15].mean(axis=0)
        file["video_3/gtscore"][...] = mean + 1e-6  # rounding: not another one
    videos = load("summe", tmp_path).annotations
    for key in ("video_2", "video_3"):
        votes = videos[key].user_summary[:, ::15].mean(axis=0)
        assert videos[key].people_mean == pytest.approx(votes, abs=1e-5)
    assert videos["video_2"].gtscore != pytest.approx(videos["video_2"].people_mean)
    assert videos["video_3"].own_mean is None


def test_the_authors_files_add_raw_labels_and_the_video_is_found_by_name(tmp_path):
    write_h5(tmp_path / "eccv16_dataset_summe_google_pool5.h5")
    write_mat(tmp_path / "GT", "Clip 02")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "Clip_02.mp4").touch()
    video = load("summe", tmp_path).annotations["video_2"]
    assert video.user_labels.shape == (15, FRAMES)
    assert video.user_labels.max() == 2
    assert video.fps == 25
    assert video.video.path.name == "Clip_02.mp4"


def test_summe_from_the_authors_files_alone(tmp_path):
    for name in NAMES:
        write_mat(tmp_path / "GT", name)
    dataset = load("summe", tmp_path)
    video = dataset.annotations["video_1"]
    assert [one.name for one in dataset.annotations.values()] == NAMES
    assert (video.name, dataset.annotations["video_25"].name) == ("Air_Force_One", "playing_ball")
    assert video.gtscore == pytest.approx(video.user_summary[:, video.picks].mean(axis=0))
    assert video.shots is None


def test_shots_that_end_one_frame_late_are_clipped(tmp_path):
    write_h5(tmp_path / "summe.h5", last=FRAMES)
    assert load("summe", tmp_path).annotations["video_1"].shots[-1].tolist() == [50, FRAMES - 1]


def test_summe_mistakes_are_one_line_each(tmp_path):
    with pytest.raises(
        UserError, match=r"no such folder; expected SumMe's annotations, published at https://"
    ):
        load("summe", tmp_path / "nowhere")
    with pytest.raises(
        UserError,
        match=r"none of eccv16_dataset_summe_google_pool5\.h5, .*GT/\*\.mat; expected SumMe's",
    ):
        load("summe", tmp_path)
    path = tmp_path / "summe.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n and then nothing")
    with pytest.raises(UserError, match=r"summe\.h5: not readable as an HDF5 file"):
        load("summe", tmp_path)
    write_h5(path, drop=("user_summary", "picks"))
    with pytest.raises(
        UserError,
        match=(
            r"summe\.h5: video_1 has no picks, user_summary: expected an h5 file in the eccv16"
            r" layout"
        ),
    ):
        load("summe", tmp_path)
    write_h5(path, n_frames=FRAMES + 5)
    with pytest.raises(
        UserError,
        match=(
            r"summe\.h5: video_1: user_summary: has shape \[15, 110\], expected \[annotators, 115\]"
        ),
    ):
        load("summe", tmp_path)
    write_h5(path, videos=24)
    with pytest.raises(UserError, match=r"1 videos of summe are missing \(video_25\): get"):
        load("summe", tmp_path)
    write_h5(path)
    write_mat(tmp_path / "GT", "Clip 03", n_frames=FRAMES + 1)
    with pytest.raises(
        UserError,
        match=(
            r"video_3 \(Clip 03\): annotations of different length: 110 in summe\.h5, 111 in"
            r" GT/Clip 03\.mat"
        ),
    ):
        load("summe", tmp_path)
    (tmp_path / "GT" / "Clip 03.mat").write_text("nothing")
    with pytest.raises(UserError, match=r"Clip 03\.mat: not one of SumMe's annotation files"):
        load("summe", tmp_path)


def test_another_file_in_the_folder_moves_no_key(tmp_path, capsys):
    for name in NAMES:
        write_mat(tmp_path / "GT", name)
    write_mat(tmp_path / "GT", "A video of mine")
    (tmp_path / "GT" / "Base jumping.mat").rename(tmp_path / "GT" / "Base_jumping.mat")
    dataset = load("summe", tmp_path)
    assert dataset.annotations["video_2"].name == "Base_jumping"
    assert dataset.annotations["video_3"].name == "Bearpark_climbing"
    assert "note: GT holds A video of mine.mat: of no video of SumMe" in capsys.readouterr().err
    write_mat(tmp_path / "GT", "Base jumping")
    with pytest.raises(UserError, match=r"Base jumping\.mat and Base_jumping\.mat are both"):
        load("summe", tmp_path)


def test_a_part_of_its_videos_keeps_their_keys_and_names_all_that_is_absent(tmp_path):
    for name in NAMES[2:]:
        write_mat(tmp_path / "GT", name)
    with pytest.raises(
        UserError, match=r"GT: 2 videos of summe are missing \(video_\d, video_\d\)"
    ):
        load("summe", tmp_path)
    dataset = load("summe", tmp_path, absent="skip")
    assert dataset.annotations["video_3"].name == "Bearpark_climbing"
    assert sorted(dataset.absent) == ["video_1", "video_2"]
    tests = [key for _, test in dataset.splits["disjoint"] for key in test]
    assert sorted(tests) == sorted(dataset.annotations)


def test_a_file_saved_as_matlab_7_3_is_the_same_video(tmp_path):
    for name in NAMES:
        write_mat(tmp_path / "GT", name)
    before = load("summe", tmp_path).annotations["video_12"]
    path = tmp_path / "GT" / "Jumps.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["user_score"] = before.user_labels.astype(float)  # MATLAB's columns are HDF5's rows
        file["FPS"] = [[25.0]]
    whole = bytearray(path.read_bytes())
    whole[:512] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512)
    path.write_bytes(whole)
    after = load("summe", tmp_path).annotations["video_12"]
    assert (after.user_labels == before.user_labels).all()
    assert (after.gtscore == before.gtscore).all()
    assert after.fps == 25


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"FPS": 25}, "not one of SumMe's annotation files"),
        ({"user_score": np.full((9, 2), np.nan), "FPS": 25}, r"user_score: is nan at \[0, 0\]"),
        ({"user_score": np.full((9, 2), 0.5), "FPS": 25}, "is 0.5 at .* expected whole numbers"),
        ({"user_score": np.full((9, 2), -1), "FPS": 25}, "user_score: is -1 at"),
        ({"user_score": np.ones((9, 2)) * 1j, "FPS": 25}, "holds complex numbers"),
        ({"user_score": np.ones((9, 2)), "FPS": [25, 30]}, "FPS: has shape"),
        ({"user_score": np.ones((0, 2)), "FPS": 25}, "user_score is empty"),
        ({"user_score": ["a", "b"], "FPS": 25}, "user_score: holds text"),
    ],
)
def test_a_wrong_matlab_file_is_one_line(tmp_path, content, reason):
    for name in NAMES:
        write_mat(tmp_path / "GT", name)
    savemat(tmp_path / "GT" / "Jumps.mat", content)
    with pytest.raises(UserError, match=rf"Jumps\.mat: .*{reason}"):
        load("summe", tmp_path)


def test_a_damaged_matlab_file_is_one_line(tmp_path):
    for name in NAMES:
        write_mat(tmp_path / "GT", name)
    path = tmp_path / "GT" / "Jumps.mat"
    savemat(path, {"user_score": np.ones((900, 15)), "FPS": 25}, do_compression=True)
    whole = path.read_bytes()
    for cut in (0, 50, 129, 140, len(whole) - 9):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"Jumps\.mat"):
            load("summe", tmp_path)
    path.write_bytes(whole[:180] + b"\xff" * 30 + whole[210:])
    with pytest.raises(UserError, match=r"Jumps\.mat"):
        load("summe", tmp_path)


def test_more_videos_than_its_25_are_not_summe(tmp_path):
    write_h5(tmp_path / "summe.h5", videos=26)
    with pytest.raises(UserError, match=r"summe\.h5: has video_26, but SumMe's 25"):
        load("summe", tmp_path)


def test_real_files_agree_whichever_is_read(shared, summe, tmp_path):
    (tmp_path / "GT").symlink_to(shared / "summe" / "GT")
    for key, video in load("summe", tmp_path).annotations.items():
        assert video.name == summe.annotations[key].name
        assert (video.user_summary == summe.annotations[key].user_summary).all()
        assert video.gtscore == pytest.approx(summe.annotations[key].gtscore, abs=1e-6)
