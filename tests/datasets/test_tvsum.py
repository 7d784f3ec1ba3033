"""TVSum's files as people have them: whole, wrong, or of different releases."""

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from llmvs.datasets import load
from llmvs.datasets.splits import published_names
from llmvs.errors import UserError
from tests.datasets.made import FRAMES, STEPS, write_h5, write_tsv

NAMES = list(published_names("tvsum").values())


def test_tvsum_from_the_table_with_shots_from_the_eccv16_file(tmp_path):
    write_tsv(tmp_path / "ydata-tvsum50-anno.tsv")
    assert load("tvsum", tmp_path).annotations["video_1"].shots is None
    write_h5(tmp_path / "eccv16_dataset_tvsum_google_pool5.h5", videos=50, drop=("gtscore",))
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
    path.write_text("id1\tVT\t1,2\nid1\t3,4\n")
    with pytest.raises(UserError, match="line 2: 2 cells, not TVSum's table of ratings"):
        load("tvsum", tmp_path)
    write_tsv(path, videos=49)
    with pytest.raises(UserError, match="49 videos, expected TVSum's 50, and id1, id2, id3 and 46"):
        load("tvsum", tmp_path)
    write_tsv(path, people=19)
    with pytest.raises(
        UserError, match=r"id1: ratings: has shape \[19, 110\], expected \[20, frames\]"
    ):
        load("tvsum", tmp_path)
    write_tsv(path, rating=lambda rng: rng.integers(0, 6, FRAMES))
    with pytest.raises(UserError, match=r"id1: ratings: is 0 at \[\d+, \d+\], expected 1 to 5"):
        load("tvsum", tmp_path)
    write_tsv(path)
    write_h5(
        tmp_path / "eccv16_dataset_tvsum_google_pool5.h5",
        videos=50,
        n_frames=FRAMES + 1,
        drop=("user_summary", "change_points"),
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


def test_real_files_agree_whichever_is_read(shared, tvsum, tmp_path):
    for name in ("ydata-tvsum50.mat", "tvsum_annotations.h5"):
        (tmp_path / name).symlink_to(shared / "tvsum" / name)
        for key, video in load("tvsum", tmp_path).annotations.items():
            assert video.name == tvsum.annotations[key].name
            assert (video.user_scores == tvsum.annotations[key].user_scores).all()
        (tmp_path / name).unlink()


def rows_of(path):
    return [line.split("\t") for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", ["ydata-anno.tsv", "my-anno.tsv"])
def test_the_table_by_other_names_in_other_spellings(tmp_path, name):
    write_tsv(tmp_path / "ydata-tvsum50-anno.tsv")
    expected = load("tvsum", tmp_path).annotations
    rows = rows_of(tmp_path / "ydata-tvsum50-anno.tsv")
    (tmp_path / "ydata-tvsum50-anno.tsv").unlink()
    lines = ["video_id\tcategory\tscores", *(f'{a}\t{b}\t"{c}"' for a, b, c in rows), ""]
    (tmp_path / name).write_text("\r\n".join(lines), encoding="utf-8-sig", newline="")
    found = load("tvsum", tmp_path).annotations
    assert found.keys() == expected.keys()
    for key, video in found.items():
        assert video.name == expected[key].name
        assert (video.user_scores == expected[key].user_scores).all()


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("257", r"id1: ratings: is 257 at \[0, 0\], expected 1 to 5"),
        ("1e400", "is inf at"),
        ("nan", "is nan at"),
        ("", r"line 1: ratings that are no numbers"),
        ("?", r"line 1: ratings that are no numbers"),
        ("1;2", r"line 1: ratings that are no numbers"),
        ("1,2", "of 110 to 111 frames: all must agree"),
        ("-1", "is -1 at"),
        ("6", "is 6 at"),
    ],
)
def test_no_rating_is_changed_on_reading(tmp_path, cell, reason):
    path = tmp_path / "ydata-anno.tsv"
    write_tsv(path)
    rows = rows_of(path)
    rows[0][2] = ",".join([cell, *rows[0][2].split(",")[1:]])
    path.write_text("\n".join(map("\t".join, rows)))
    with pytest.raises(UserError, match=reason):
        load("tvsum", tmp_path)


def test_a_rating_between_two_whole_ones_is_kept(tmp_path):
    path = tmp_path / "ydata-anno.tsv"
    write_tsv(path)
    rows = rows_of(path)
    rows[0][2] = ",".join(["2.5", *rows[0][2].split(",")[1:]])
    path.write_text("\n".join(map("\t".join, rows)))
    videos = load("tvsum", tmp_path).annotations
    assert videos["video_1"].user_scores[0, 0] == 2.5
    assert videos["video_2"].user_scores.dtype == np.uint8


def test_the_authors_ids_decide_the_keys_whatever_the_order(tmp_path):
    path = tmp_path / "ydata-tvsum50-anno.tsv"
    write_tsv(path, names=NAMES)
    expected = load("tvsum", tmp_path).annotations
    blocks = [rows_of(path)[20 * i : 20 * i + 20] for i in range(50)]
    path.write_text("\n".join("\t".join(row) for block in blocks[:9:-1] for row in block))
    with pytest.raises(UserError, match="10 videos of tvsum are missing"):
        load("tvsum", tmp_path)
    dataset = load("tvsum", tmp_path, absent="skip")
    assert list(dataset.annotations) == [f"video_{i}" for i in range(11, 51)]
    for key, video in dataset.annotations.items():
        assert video.name == expected[key].name == NAMES[int(key[6:]) - 1]
        assert (video.user_scores == expected[key].user_scores).all()
    assert sorted(dataset.absent) == sorted(f"video_{i}" for i in range(1, 11))


def matlab(path, people, rating):
    """The authors' table, as they save it (HDF5) and in the older format."""
    names = np.array([*NAMES], object)
    if path.stem.endswith("old"):
        columns = [("video", object), ("user_anno", object), ("length", object)]
        table = np.zeros((1, 50), columns)
        for i, name in enumerate(names):
            table[0, i] = name, people[i].T.astype(float), 11.0
        table[0, 3]["user_anno"][0, 0] = rating
        savemat(path, {"tvsum50": table})
        return
    with h5py.File(path, "w") as file:
        table = file.create_group("tvsum50")
        references = {name: [] for name in ("video", "user_anno", "length")}
        for i, name in enumerate(names):
            file[f"refs/v{i}"] = np.array([[ord(letter)] for letter in name], np.uint16)
            file[f"refs/a{i}"] = people[i].astype(float)
            file[f"refs/l{i}"] = [[11.0]]
            for column, letter in zip(references, "val", strict=True):
                references[column].append([file[f"refs/{letter}{i}"].ref])
        file["refs/a3"][0, 0] = rating
        for column, found in references.items():
            table.create_dataset(column, data=np.array(found, object), dtype=h5py.ref_dtype)


@pytest.mark.parametrize("name", ["ydata-tvsum50.mat", "ydata-tvsum50-old.mat"])
def test_the_authors_matlab_file_in_both_formats(tmp_path, name):
    people = np.random.default_rng(3).integers(1, 6, (50, 20, FRAMES))
    matlab(tmp_path / name, people, rating=2)
    found = load("tvsum", tmp_path).annotations
    people[3, 0, 0] = 2
    for i, video in enumerate(found.values()):
        assert (video.name, video.fps) == (NAMES[i], 10)
        assert (video.user_scores == people[i]).all()
    matlab(tmp_path / name, people, rating=257)
    with pytest.raises(UserError, match=rf"{NAMES[3]}: ratings: is 257 at \[0, 0\], expected 1 to"):
        load("tvsum", tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:3000])
    with pytest.raises(UserError, match="ydata-tvsum50"):
        load("tvsum", tmp_path)


def test_a_table_of_other_columns_is_one_line(tmp_path):
    path = tmp_path / "ydata-tvsum50.mat"
    people = np.random.default_rng(3).integers(1, 6, (50, 20, FRAMES))
    for change, reason in (("cut", "has no table tvsum50"), ("letters", "video: is 0.5 at")):
        matlab(path, people, rating=2)
        with h5py.File(path, "a") as file:
            if change == "cut":
                references = file["tvsum50/length"][:9]
                del file["tvsum50/length"]
                file.create_dataset("tvsum50/length", data=references, dtype=h5py.ref_dtype)
            else:
                del file["refs/v0"]
                file["tvsum50/video"][0] = file["refs/l0"].ref
                file["refs/l0"][...] = 0.5
        with pytest.raises(UserError, match=reason):
            load("tvsum", tmp_path)


def test_the_h5_files_gtscore_is_the_target_and_said_where_it_is_another(tmp_path, capsys):
    write_tsv(tmp_path / "ydata-tvsum50-anno.tsv")
    h5_file = tmp_path / "eccv16_dataset_tvsum_google_pool5.h5"
    mean = load("tvsum", tmp_path).annotations["video_2"].gtscore
    write_h5(h5_file, videos=50, drop=("gtscore",), gtscore=None)
    with h5py.File(h5_file, "a") as file:
        file["video_2/gtscore"] = mean.astype(float) + 1e-6  # rounding: not another one
        file["video_3/gtscore"] = np.linspace(0, 1, STEPS)
    videos = load("tvsum", tmp_path).annotations
    assert (videos["video_2"].gtscore == mean).all()
    assert videos["video_3"].gtscore.tolist() == np.linspace(0, 1, STEPS).tolist()
    said = capsys.readouterr().err
    assert "gtscore of video_3 is not (mean rating - 1) / 4: it is the training target" in said
    assert "ceiling" not in said
    assert videos["video_2"].own_mean is None
    ratings = videos["video_3"].user_scores[:, ::15]
    assert videos["video_3"].people_mean == pytest.approx((ratings.mean(axis=0) - 1) / 4)
    with h5py.File(h5_file, "a") as file:
        del file["video_2/gtscore"]
        file["video_2/gtscore"] = np.zeros(STEPS + 1)
    with pytest.raises(UserError, match=r"video_2: gtscore: has shape \[9\], expected \[8\]"):
        load("tvsum", tmp_path)
