"""What editors and players take over: read back by their own library."""

import sys
from itertools import pairwise
from pathlib import Path

import pytest

from llmvs.errors import UserError
from llmvs.summary.timelines import Part, chapters, for_editors, subtitles, timeline
from llmvs.video.transcript import Spoken, read_transcript

PARTS = [Part(50, 99, 2.0, 4.0), Part(200, 224, 8.0, 9.0, "a dog\n--> jumps")]


def test_chapters_follow_each_other_whatever_their_titles():
    lines = chapters([*PARTS, Part(90_000, 99_000, 3600.0, 7200.5)]).splitlines()
    assert lines[0] == "WEBVTT"
    assert [line for line in lines if " --> " in line] == [
        "00:00:00.000 --> 00:00:02.000",
        "00:00:02.000 --> 00:00:03.000",
        "00:00:03.000 --> 01:00:03.500",
    ]
    assert "a dog -> jumps" in lines
    assert "Part 3" in lines


def test_subtitles_move_with_their_parts(tmp_path):
    parts = [  # in the summary: 0 to 2, 2 to 5 (no jump before it), 5 to 6
        Part(100, 149, 4.0, 6.0),
        Part(150, 224, 6.0, 9.0),
        Part(500, 524, 20.0, 21.0),
    ]
    said = [
        Spoken(0.0, 3.9, "before everything"),
        Spoken(3.0, 4.5, "cut at the front"),
        Spoken(5.0, 7.0, "over a border without a jump"),
        Spoken(6.5, 7.5, "another speaker <b> & co --> here"),
        Spoken(8.5, 12.0, "cut at the end"),
        Spoken(8.9, 30.0, "a tenth of a second, then again"),
        Spoken(20.4, 20.5, "brief by itself"),
        Spoken(20.6, 20.6, "no time at all"),
        Spoken(21.0, 25.0, "behind everything"),
    ]
    (tmp_path / "a.vtt").write_text(subtitles(said, parts))
    back = read_transcript(tmp_path / "a.vtt", 6.0)
    assert [(round(cue.start, 3), round(cue.end, 3), cue.text) for cue in back] == [
        (0.0, 0.5, "cut at the front"),
        (1.0, 3.0, "over a border without a jump"),
        (2.5, 3.5, "another speaker <b> & co --> here"),
        (4.5, 5.0, "cut at the end"),
        (5.0, 6.0, "a tenth of a second, then again"),
        (5.4, 5.5, "brief by itself"),
    ]


def test_nothing_said_in_the_parts_is_an_empty_file_of_subtitles():
    assert subtitles([Spoken(9, 10, "later")], PARTS) == "WEBVTT\n"
    assert subtitles([Spoken(2, 3, "now")], []) == "WEBVTT\n"


@pytest.mark.parametrize(
    ("fps", "second"),
    [
        (25.0, "00:00:08:00"),
        (30000 / 1001, "00:00:06:20"),
        (10.0, "00:00:20:00"),
        (120.0, "00:00:01:40"),
    ],
)
def test_editors_find_the_very_frames(fps, second, tmp_path):
    otio = pytest.importorskip("opentimelineio", reason="needs opentimelineio")
    video = tmp_path / "my día.mp4"
    parts = [Part(50, 99, 50 / fps, 100 / fps), Part(200, 224, 200 / fps, 225 / fps, "a dog")]
    files = for_editors(timeline("mine", video, fps, 500 / fps, parts), fps)
    back = otio.adapters.read_from_string(files["timeline.otio"], "otio_json")
    assert [track.kind for track in back.tracks] == ["Video", "Audio"]
    for track in back.tracks:
        ranges = [clip.source_range for clip in track.find_clips()]
        assert [(one.start_time.value, one.duration.value) for one in ranges] == [
            (50, 50),
            (200, 25),
        ]
        assert {clip.media_reference.target_url for clip in track.find_clips()} == {video.as_uri()}
        assert ranges[0].start_time.rate == pytest.approx(fps)
        [media] = {clip.available_range().duration.value for clip in track.find_clips()}
        assert media == 500
    cuts = [line for line in files["timeline.edl"].splitlines() if line[:3] in ("001", "002")]
    assert len(cuts) == 2
    assert cuts[1].split()[4] == second


def test_editors_find_the_seconds_of_a_video_of_variable_rate():
    otio = pytest.importorskip("opentimelineio", reason="needs opentimelineio")
    # Ten seconds of 50 frames a second, then ten of 10: the frames 500 to 549 are 10 to 15 s.
    parts = [Part(250, 499, 5.0, 10.0), Part(500, 549, 10.0, 15.0), Part(599, 599, 19.99, 20.0)]
    files = for_editors(timeline("mine", Path("a.mp4"), 30.0, 20.0, parts), 30.0)
    back = otio.adapters.read_from_string(files["timeline.otio"], "otio_json")
    for track in back.tracks:
        ranges = [clip.source_range for clip in track.find_clips()]
        assert [one.start_time.to_seconds() for one in ranges[:2]] == [5.0, 10.0]
        assert [one.duration.to_seconds() for one in ranges] == [5.0, 5.0, pytest.approx(1 / 30)]
        assert {clip.available_range().duration.to_seconds() for clip in track.find_clips()} == {20}
    cuts = [line.split()[4:6] for line in files["timeline.edl"].splitlines() if " C " in line]
    assert cuts[:2] == [["00:00:05:00", "00:00:10:00"], ["00:00:10:00", "00:00:15:00"]]


def test_neighbours_leave_no_gap_for_editors():
    otio = pytest.importorskip("opentimelineio", reason="needs opentimelineio")
    borders = [0.0, 2.833, 5.0, 6.667, 9.167, 12.49, 14.0]
    parts = [Part(0, 0, *pair) for pair in pairwise(borders)]
    made = timeline("mine", Path("a.mp4"), 20.05, 14.0, parts)
    ranges = [clip.source_range for clip in made.video_tracks()[0].find_clips()]
    for one, other in pairwise(ranges):
        assert one.start_time.value + one.duration.value == other.start_time.value
    assert ranges[-1].end_time_exclusive() == otio.opentime.RationalTime(round(14 * 20.05), 20.05)


def test_without_the_extra_one_line_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(UserError, match=r"needs opentimelineio: pip install 'llmvs\[edit\]'"):
        timeline("mine", Path("a.mp4"), 25.0, 20.0, PARTS)
