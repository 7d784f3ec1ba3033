"""Transcripts as people have them."""

import pytest

from llmvs.errors import UserError
from llmvs.video.transcript import Spoken, beside, read_transcript, words_around

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hällo</i> there
second line

2
00:01:03,250 --> 00:01:04,000
bye &amp; thanks

3
00:01:05,000 --> 00:01:06,000

"""
VTT = """WEBVTT - a title

STYLE
::cue { color: red }

one
00:01.000 --> 00:02.500 align:start
<v Bob>Hällo <00:01.500>there
second line

NOTE nothing

01:03.250 --> 01:04.000
bye &amp; thanks
"""
EXPECTED = [Spoken(1.0, 2.5, "Hällo there second line"), Spoken(63.25, 64.0, "bye & thanks")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(("name", "text"), [("a.srt", SRT), ("a.VTT", VTT)])
def test_both_formats_in_any_encoding(name, text, encoding, tmp_path):
    (tmp_path / name).write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert read_transcript(tmp_path / name) == EXPECTED


def test_words_after_the_end_are_another_videos(tmp_path):
    (tmp_path / "a.srt").write_text(SRT)
    assert len(read_transcript(tmp_path / "a.srt", 60.0)) == 2
    with pytest.raises(UserError, match=r"words at 63 s, where the video lasts 30 s"):
        read_transcript(tmp_path / "a.srt", 30.0)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"hello", "a transcript ends in .srt or .vtt"),
        ("a.srt", b"", "not readable|no words"),
        ("a.srt", b"hello", "not readable|no words"),
        ("a.vtt", b"hello", "not readable|no words"),
        ("a.srt", b"\0" * 500, "not readable|no words"),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\n<i></i>\n", "no words"),
        ("b.srt", None, "no such file"),
    ],
)
def test_what_is_no_transcript_is_one_line(name, content, reason, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=reason) as refused:
        read_transcript(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_the_one_beside_a_video_is_found(tmp_path):
    video = tmp_path / "my clip.mp4"
    assert beside(video) is None
    (tmp_path / "my clip.en.srt").touch()
    (tmp_path / "my clip 2.srt").touch()
    assert beside(video).name == "my clip.en.srt"
    (tmp_path / "my clip.de.srt").touch()
    assert beside(video) is None
    (tmp_path / "my clip.vtt").touch()
    assert beside(video).name == "my clip.vtt"
    composed, apart = "d\xeda", "di\u0301a"  # as most systems spell an accent, and as macOS does
    (tmp_path / f"{apart}.vtt").touch()
    assert beside(tmp_path / f"{composed}.mp4").name == f"{apart}.vtt"
    (tmp_path / f"{apart}.srt").touch()
    assert beside(tmp_path / f"{composed}.mp4").name == f"{apart}.srt"


def test_words_around_steps():
    spoken = [Spoken(0, 10, "long"), Spoken(1, 2, "a"), Spoken(4, 5, "b"), Spoken(20, 21, "c")]
    assert words_around(spoken, [0.0, 2.0, 4.5, 15.0, 19.5], 2.0) == [
        "long",
        "long a",
        "long b",
        "",
        "c",
    ]
    assert words_around([], [0.0, 1.0], 2.0) == ["", ""]
