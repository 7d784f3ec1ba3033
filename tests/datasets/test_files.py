"""Finding files, whatever they are called."""

import pytest

from llmvs.datasets import load
from llmvs.datasets.files import find_video, refuse_key_twins, refuse_twins
from llmvs.errors import UserError


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


def test_a_video_is_found_whatever_spells_its_accents(tmp_path):
    apart, one = "Un_di\u0301a", "un d\xeda"
    for there, asked in ((apart, one), (one, apart)):
        folder = tmp_path / there
        folder.mkdir()
        (folder / f"{there}.mp4").touch()
        assert find_video(folder, (asked,)) == folder / f"{there}.mp4"


def test_unknown_dataset(tmp_path):
    with pytest.raises(UserError, match="tvsun: no such dataset: did you mean tvsum"):
        load("tvsun", tmp_path)


def test_two_videos_of_one_name_and_two_names_of_one_video_are_refused():
    with pytest.raises(UserError, match=r"a\.h5: video_1 and video_3 are both called x"):
        refuse_twins({"video_1": "x", "video_2": "y", "video_3": "x"}, "a.h5")
    with pytest.raises(UserError, match="video_1 and video_001 are two names of one video"):
        refuse_key_twins(["video_1", "clip_1", "clip_01", "video_001"], "a.h5")
    assert refuse_key_twins(["video_02", "b"], "a.h5") == {"video_02": "video_2"}
