"""Captions as JSON Lines: what is read, what is refused and in which words."""

from pathlib import Path

import pytest
import torch

from llmvs.cache.captions import CaptionCache, Captions, read_captions, supplied
from llmvs.errors import UserError, VideoError

GOOD = (
    '{"step": 0, "frame": 0, "caption": "a dog"}\n{"step": 1, "frame": 15, "caption": "a\\n cat"}\n'
)


def test_reads_lines_and_keeps_each_on_one(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text(GOOD + "\n")
    assert read_captions(path) == Captions([0, 15], ["a dog", "a cat"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no captions"),
        ("not json\n", ":1: not a line"),
        ('{"step": 0, "frame": 0}\n', ":1: not a line"),
        ("[1]\n", ":1: not a line"),
        ('{"step": 0, "frame": "0", "caption": "x"}\n', ":1: not a line"),
        (GOOD + '{"step": 3, "frame": 45, "caption": "x"}\n', ":3: step 3 where step 2 is due"),
        (GOOD + '{"step": 2, "frame": 15, "caption": "x"}\n', ":3: frame 15 after frame 15"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text(text)
    with pytest.raises(VideoError, match=problem) as caught:
        read_captions(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            '{"step": 0, "frame": 0, "caption": "a \\ud83d"}',
            r":1: the caption 'a \\ud83d' holds half",
        ),
        ("[" * 100_000, ":1: not a line"),
        ('{"step": 0, "frame": -5, "caption": "x"}', ":1: frame -5: frames count from 0"),
        ('{"step": 0, "frame": 1' + 400 * "0" + ', "caption": "x"}', ":1: not a line"),
        ('{"step": false, "frame": 0, "caption": "x"}', ":1: not a line"),
        ('{"step": 0, "frame": 0, "caption": "x", "caption": "y"}', ":1: not a line"),
    ],
)
def test_odd_lines_are_one_line(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "v.jsonl").write_text(line)
    with pytest.raises(VideoError, match=problem) as caught:
        read_captions(tmp_path / "v.jsonl")
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 300


def test_marks_and_ends_of_lines_of_other_systems(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    lines = ['{"step": 0, "frame": 0, "caption": "a\u2028dog \x85 \\ud83d\\ude00"}']
    lines.append('{"step": 1, "frame": 15, "caption": "a cat"}')
    for end in ("\n", "\r\n", "\r"):
        path.write_bytes(b"\xef\xbb\xbf" + end.join([*lines, ""]).encode())
        assert read_captions(path) == Captions([0, 15], ["a dog \U0001f600", "a cat"])


def test_supplied_by_a_name_that_macos_spells_otherwise(tmp_path: Path) -> None:
    (tmp_path / "di\u0301a.jsonl").write_text(GOOD)
    assert supplied(tmp_path, "d\xeda", "other").frames == [0, 15]
    assert supplied(tmp_path, "video_1", "di\u0301a").frames == [0, 15]


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "v.jsonl").write_bytes(b'{"step": 0, "frame": 0, "caption": "caf\xe9"}')
    with pytest.raises(VideoError, match="not UTF-8"):
        read_captions(tmp_path / "v.jsonl")


def test_supplied_by_key_or_name(tmp_path: Path) -> None:
    (tmp_path / "Bike Polo.jsonl").write_text(GOOD)
    assert supplied(tmp_path, "video_1", "Bike Polo").frames == [0, 15]
    (tmp_path / "video_1.jsonl").write_text(GOOD.replace("15", "30"))
    assert supplied(tmp_path, "video_1", "Bike Polo").frames == [0, 30]
    (tmp_path / "given").mkdir()
    with pytest.raises(VideoError, match=r"expected .*given/video_2\.jsonl$"):
        supplied(tmp_path / "given", "video_2", "../video_1")
    with pytest.raises(
        VideoError, match=r"video_2: no captions: expected .*video_2\.jsonl or .*Cooking\.jsonl"
    ):
        supplied(tmp_path, "video_2", "Cooking")
    with pytest.raises(UserError, match=r"extract\.captions=.*no such folder"):
        supplied(tmp_path / "absent", "video_1", "x")


@pytest.mark.parametrize("key", ["../x", "/tmp/x", "a/b", "a\0b", "", ".x"])
def test_nothing_is_written_or_read_outside_the_folder(tmp_path: Path, key: str) -> None:
    cache = CaptionCache(tmp_path / "c", {})
    for act in (
        lambda: cache.write(key, Captions([0], ["a"]), torch.ones(1, 1), ""),
        lambda: cache.read(key),
        lambda: cache.features(key),
        lambda: cache.source(key),
    ):
        with pytest.raises(UserError, match=r"c: the name '.*: rename"):
            act()
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".jsonl", ".safetensors")]


def test_cache_gives_back_what_was_written(tmp_path: Path) -> None:
    cache = CaptionCache(tmp_path / "c", {"a": 1})
    assert "v" not in cache
    features = torch.randn(2, 3).half()
    cache.write("v", Captions([0, 7], ["naïve", "b"]), features, "hash")
    again = CaptionCache(tmp_path / "c", {"a": 1})
    assert "v" in again
    assert again.read("v") == Captions([0, 7], ["naïve", "b"])
    assert torch.equal(again.features("v"), features)
    assert again.source("v") == "hash"
    with pytest.raises(UserError, match=r"made with a=1 \(expected 2\)"):
        CaptionCache(tmp_path / "c", {"a": 2})


def test_a_video_counts_only_when_both_files_are_there(tmp_path: Path) -> None:
    cache = CaptionCache(tmp_path, {})
    cache.write("v", Captions([0], ["a"]), torch.zeros(1, 0), "")
    (tmp_path / "v.safetensors").unlink()
    assert "v" not in cache


def test_hash_sees_frames_and_texts() -> None:
    assert (
        len(
            {
                Captions([0, 1], ["a", "b"]).sha256(),
                Captions([0, 2], ["a", "b"]).sha256(),
                Captions([0, 1], ["a", "c"]).sha256(),
            }
        )
        == 3
    )
