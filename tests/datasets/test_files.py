"""The field's files as people have them: whole, wrong, or of different releases. All made here, in
their layouts.
"""

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from llmvs.datasets import load
from llmvs.datasets.files import find_video
from llmvs.errors import UserError

STEPS = 8
FRAMES = 110


def write_summe_h5(path, drop=(), n_frames=FRAMES, videos=25, last=None):
    """The eccv16 layout, with features."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for i in range(1, videos + 1):
            group = file.create_group(f"video_{i}")
            fields = {
                "features": rng.random((STEPS, 1024), dtype=np.float32),
                "gtsummary": np.zeros(STEPS),
                "gtscore": rng.random(STEPS),
                "picks": np.arange(0, FRAMES, 15),
                "n_frames": np.array(n_frames),
                "n_steps": np.array(STEPS),
                "user_summary": rng.integers(0, 2, (15, FRAMES)).astype(np.float32),
                "n_frame_per_seg": np.array([50, 60]),
                "change_points": np.array([[0, 49], [50, last or FRAMES - 1]], dtype=np.int32),
                "video_name": f"Clip {i:02}",
            }
            for name, value in fields.items():
                if name not in drop:
                    group[name] = value
    return path


def write_mat(folder, name, n_frames=FRAMES):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    savemat(
        folder / f"{name}.mat",
        {"user_score": rng.integers(0, 3, (n_frames, 15)), "FPS": np.array([[25]])},
    )


def write_tsv(path, videos=50, people=20, rating=lambda rng: rng.integers(1, 6, FRAMES)):
    rng = np.random.default_rng(0)
    rows = [
        f"id{i}\tVT\t{','.join(map(str, rating(rng)))}"
        for i in range(1, videos + 1)
        for _ in range(people)
    ]
    path.write_text("\n".join(rows) + "\n")


def test_summe_from_the_eccv16_file(tmp_path):
    write_summe_h5(tmp_path / "eccv16_dataset_summe_google_pool5.h5")
    dataset = load("summe", tmp_path)
    video = dataset.annotations["video_2"]
    assert (video.name, video.n_frames, video.n_steps) == ("Clip 02", FRAMES, STEPS)
    assert video.user_summary.shape == (15, FRAMES)
    assert video.user_labels is None
    assert video.video.path is None
    assert len(dataset.splits["paper"]) == len(dataset.splits["disjoint"]) == 5


def test_the_authors_files_add_raw_labels_and_the_video_is_found_by_name(tmp_path):
    write_summe_h5(tmp_path / "eccv16_dataset_summe_google_pool5.h5")
    write_mat(tmp_path / "GT", "Clip 02")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "Clip_02.mp4").touch()
    video = load("summe", tmp_path).annotations["video_2"]
    assert video.user_labels.shape == (15, FRAMES)
    assert video.user_labels.max() == 2
    assert video.fps == 25
    assert video.video.path.name == "Clip_02.mp4"


@pytest.mark.parametrize(
    "name", ["Clip 02.ts", "Clip_02.MTS", "Any title [Clip 02].mp4", "a [x].mkv"]
)
def test_a_video_is_found_by_its_name_or_by_the_id_in_brackets(tmp_path, name):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / name).touch()
    found = find_video(tmp_path, ("Clip 02", "video_2"))
    assert found is None if "title" in name or "[x]" in name else found.name == name
    (tmp_path / "videos" / "A title, part 2 [-yt_ID4567].flv").touch()
    assert find_video(tmp_path, ("-yt_ID4567",)).suffix == ".flv"
    assert find_video(tmp_path, ("-YT_ID4567",)) is None


def test_summe_from_the_authors_files_alone(tmp_path):
    for i in range(25):
        write_mat(tmp_path / "GT", f"Clip {i:02}")
    video = load("summe", tmp_path).annotations["video_1"]
    assert video.name == "Clip 00"
    assert video.gtscore == pytest.approx(video.user_summary[:, video.picks].mean(axis=0))
    assert video.shots is None


def test_shots_that_end_one_frame_late_are_clipped(tmp_path):
    write_summe_h5(tmp_path / "summe.h5", last=FRAMES)
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
    write_summe_h5(path, drop=("user_summary", "picks"))
    with pytest.raises(
        UserError,
        match=(
            r"summe\.h5: video_1 has no picks, user_summary: expected an h5 file in the eccv16"
            r" layout"
        ),
    ):
        load("summe", tmp_path)
    write_summe_h5(path, n_frames=FRAMES + 5)
    with pytest.raises(
        UserError,
        match=(
            r"video_1 \(Clip 01\): user_summary has shape \(15, 110\): expected \[annotators, 115"
            r" frames\]"
        ),
    ):
        load("summe", tmp_path)
    write_summe_h5(path, videos=24)
    with pytest.raises(UserError, match="24 of SumMe's 25 videos; video_25 missing"):
        load("summe", tmp_path)
    write_summe_h5(path)
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


def test_tvsum_from_the_table_with_shots_from_the_eccv16_file(tmp_path):
    write_tsv(tmp_path / "ydata-tvsum50-anno.tsv")
    assert load("tvsum", tmp_path).annotations["video_1"].shots is None
    write_summe_h5(tmp_path / "eccv16_dataset_tvsum_google_pool5.h5", videos=50)
    dataset = load("tvsum", tmp_path)
    video = dataset.annotations["video_50"]
    assert (video.name, video.n_steps, len(dataset.videos)) == ("id50", STEPS, 50)
    assert video.user_scores.shape == (20, FRAMES)
    assert video.shots.tolist() == [[0, 49], [50, 109]]
    assert video.gtscore == pytest.approx((video.user_scores[:, ::15].mean(axis=0) - 1) / 4)


def test_tvsum_mistakes_are_one_line_each(tmp_path):
    path = tmp_path / "ydata-tvsum50-anno.tsv"
    with pytest.raises(UserError, match=r"expected TVSum's ratings, published at https://"):
        load("tvsum", tmp_path)
    path.write_text("id1\tVT\n")
    with pytest.raises(UserError, match="not TVSum's table of ratings"):
        load("tvsum", tmp_path)
    write_tsv(path, videos=49)
    with pytest.raises(UserError, match="49 videos, expected TVSum's 50"):
        load("tvsum", tmp_path)
    write_tsv(path, people=19)
    with pytest.raises(UserError, match=r"id1: ratings of shape \(19, 110\), expected 20 people's"):
        load("tvsum", tmp_path)
    write_tsv(path, rating=lambda rng: rng.integers(0, 6, FRAMES))
    with pytest.raises(UserError, match="ratings from 1 to 5"):
        load("tvsum", tmp_path)
    write_tsv(path)
    write_summe_h5(
        tmp_path / "eccv16_dataset_tvsum_google_pool5.h5",
        videos=50,
        n_frames=FRAMES + 1,
        drop=("user_summary",),
    )
    with pytest.raises(
        UserError,
        match=(
            r"video_1 \(id1\): annotations of different length: 110 in ydata-.*111 in the eccv16 h5"
            r" file"
        ),
    ):
        load("tvsum", tmp_path)
    path.unlink()
    (tmp_path / "eccv16_dataset_tvsum_google_pool5.h5").unlink()
    with h5py.File(tmp_path / "ydata-tvsum50.mat", "w") as file:
        file["other"] = 1
    with pytest.raises(UserError, match="has no table tvsum50"):
        load("tvsum", tmp_path)


def test_unknown_dataset(tmp_path):
    with pytest.raises(UserError, match="tvsun: no such dataset: did you mean tvsum"):
        load("tvsun", tmp_path)


def test_real_files_agree_whichever_is_read(shared, tvsum, summe, tmp_path):
    (tmp_path / "GT").symlink_to(shared / "summe" / "GT")
    for key, video in load("summe", tmp_path).annotations.items():
        assert video.name == summe.annotations[key].name
        assert (video.user_summary == summe.annotations[key].user_summary).all()
        assert video.gtscore == pytest.approx(summe.annotations[key].gtscore, abs=1e-6)
    for name in ("ydata-tvsum50.mat", "tvsum_annotations.h5"):
        (tmp_path / name).symlink_to(shared / "tvsum" / name)
        for key, video in load("tvsum", tmp_path).annotations.items():
            assert video.name == tvsum.annotations[key].name
            assert (video.user_scores == tvsum.annotations[key].user_scores).all()
        (tmp_path / name).unlink()
