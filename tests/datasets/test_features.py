"""The features of the field's h5 files: what is read, and what is refused."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from llmvs.datasets import load
from llmvs.datasets.features import Features
from llmvs.errors import UserError
from tests.datasets.made import STEPS, write_h5, write_tsv
from tests.datasets.test_mrhisum import SECONDS
from tests.datasets.test_mrhisum import write as write_mrhisum


def summe(folder: Path, **changes: object) -> Features:
    folder.mkdir(exist_ok=True)
    write_h5(folder / "eccv16_dataset_summe_google_pool5.h5", **changes)
    return Features(load("summe", folder))


def test_they_are_those_of_the_file(tmp_path: Path) -> None:
    features = summe(tmp_path)
    with h5py.File(features.folder) as file:
        for key in ("video_1", "video_25"):
            found = features.read(key)
            assert found.dtype == np.float32
            assert found.shape == (STEPS, 1024)
            np.testing.assert_array_equal(found, file[key]["features"])
    assert features.keys() == [f"video_{i}" for i in range(1, 26)]
    assert features.identity == {
        "features": "eccv16_dataset_summe_google_pool5.h5",
        "bytes": features.folder.stat().st_size,
    }


def test_tvsum_has_those_of_the_file_beside_its_ratings(tmp_path: Path) -> None:
    write_tsv(tmp_path / "ydata-tvsum50-anno.tsv")
    with pytest.raises(UserError, match=r"tvsum has no h5 file in the eccv16 layout beside .*tsv"):
        Features(load("tvsum", tmp_path))
    write_h5(tmp_path / "eccv16_dataset_tvsum_google_pool5.h5", videos=50, drop=("gtscore",))
    assert Features(load("tvsum", tmp_path)).read("video_50").shape == (STEPS, 1024)


def test_keys_with_leading_zeros_are_found(tmp_path: Path) -> None:
    features = summe(tmp_path)
    with h5py.File(features.folder, "a") as file:
        file.move("video_3", "video_03")
    again = Features(load("summe", tmp_path))
    assert again.read("video_3").shape == (STEPS, 1024)
    assert "video_3" in again.keys()  # noqa: SIM118 (a method, not a dict)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"features": None}, r"h5: video_2 has no features: .* data.absent=skip"),
        (
            {"features": np.zeros((STEPS - 1, 4))},
            f"h5: video_2: features of {STEPS - 1} steps, but {STEPS} are annotated: take",
        ),
        ({"features": np.zeros(STEPS)}, r"features: has shape \[8\], expected \[8, dimensions\]"),
        ({"features": np.full((STEPS, 4), np.nan)}, "features: is nan at .*expected finite"),
        ({"features": np.array([b"x"] * STEPS)}, "video_2: features: holds text"),
    ],
)
def test_what_cannot_be_used_is_one_line_that_names_the_video(
    tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(UserError, match=says) as caught:
        summe(tmp_path, **changes).read("video_2")
    assert "\n" not in str(caught.value)


def test_videos_without_features_are_known(tmp_path: Path) -> None:
    assert "video_2" not in summe(tmp_path, features=None).keys()  # noqa: SIM118


def test_mr_hisum_has_a_row_per_second(tmp_path: Path) -> None:
    features = Features(load("mrhisum", write_mrhisum(tmp_path)))
    assert features.read("video_2").shape == (SECONDS["video_2"], 4)
    assert "video_6" not in features.keys()  # noqa: SIM118


def test_they_can_be_sent_to_another_process(tmp_path: Path) -> None:
    features = summe(tmp_path)
    sent = pickle.loads(pickle.dumps(features))
    np.testing.assert_array_equal(sent.read("video_4"), features.read("video_4"))
