"""Reading a file of scores: what is accepted, and what is refused."""

import h5py
import pytest

from llmvs.datasets.base import Dataset
from llmvs.errors import UserError
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
        ({"video_1": [0.0] * 19}, r"shape \[19\], expected one for each of its 20 steps"),
        ({"video_1": [None] + [0.0] * 19}, "NaN or infinite score at step 0"),
        ({"video_1": "abc"}, "not a list of numbers"),
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
