"""A folder of one's own videos: which step gets which score, and one line for every mistake."""

import json
from pathlib import Path

import numpy as np
import pytest

from llmvs.cli import main
from llmvs.datasets import load
from llmvs.datasets.base import Sampling
from llmvs.errors import UserError
from llmvs.evaluation.protocols import protocols
from llmvs.video.clock import frame_times, step_frames
from llmvs.video.footage import watch
from llmvs.video.reader import sample
from llmvs.video.shots import find_shots
from tests.films import film

TWO = Sampling(fps=2.0)
SECONDS = {"beach": 4, "city": 3}


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for seed, (name, seconds) in enumerate(SECONDS.items()):
        film(folder / f"{name}.mp4", seconds, seed)
    film(folder / "dunes.mp4", 3.5, 7)
    return folder


@pytest.fixture
def root(films, tmp_path) -> Path:
    (tmp_path / "videos").mkdir()
    for name in SECONDS:
        (tmp_path / "videos" / f"{name}.mp4").symlink_to(films / f"{name}.mp4")
    return tmp_path


def rows(per="second", people=("anna", "ben"), each=1, **changes):
    """A sheet of scores: of anna 0, 1, 2, ...; of ben the squares; `each` scores a second."""
    lines = [f"video,{per},{','.join(people)}"]
    for name, seconds in (SECONDS | changes).items():
        lines += [
            f"{name},{i}," + ",".join(str(i ** (p + 1)) for p in range(len(people)))
            for i in range(round(seconds * each))
        ]
    return lines


def write(root, lines, name="scores.csv"):
    (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_seconds_score_holds_over_its_steps(root):
    write(root, rows())
    dataset = load("folder", root, TWO)
    beach = dataset.annotations_of("beach")
    assert beach.user_scores[:, beach.picks].tolist() == [
        [0, 0, 1, 1, 2, 2, 3, 3],
        [0, 0, 1, 1, 4, 4, 9, 9],
    ]
    assert beach.gtscore == pytest.approx(
        [0, 0, 1 / 9, 1 / 9, 3 / 9, 3 / 9, 6 / 9, 6 / 9]
    )  # the file's scores are 0 to 9
    assert beach.user_scores.shape == (2, beach.n_frames)
    assert set(protocols(dataset)) == {"paper", "per_annotator"}
    assert [test for _, test in dataset.splits["disjoint"]] == [
        ["beach"],
        ["city"],
    ]  # too few for five folds


def test_a_score_for_every_step_and_another_sampling(root):
    write(root, rows("step", each=2))
    beach = load("folder", root, TWO).annotations_of("beach")
    assert beach.user_scores[0, beach.picks].tolist() == list(range(8))
    with pytest.raises(
        UserError,
        match=(
            r"line 2: beach: 8 scores, expected 4: one for every step that extract\.fps=1 samples"
        ),
    ):
        load("folder", root, Sampling(fps=1.0))


def test_the_steps_are_those_that_extraction_samples(films):
    for how in ({"fps": 2.0}, {"fps": 3.7}, {"every_nth_frame": 7}):
        for name in ("beach.mp4", "dunes.mp4"):
            assert step_frames(frame_times(films / name), **how).tolist() == [
                step.index for step in sample(films / name, **how)
            ]


def test_a_name_that_no_file_of_the_cache_can_have(root):
    write(root, rows())
    long = root / f"{'x' * 201}.mp4"
    long.symlink_to(root / "videos" / "beach.mp4")
    line = r"x\.mp4: the name 'x+'\.\.\. has 201 bytes, .*: rename the file"
    with pytest.raises(UserError, match=line):
        load("folder", root, TWO)
    long.unlink()
    moved = root / "two\nlines"
    moved.mkdir()
    for path in [path for path in root.iterdir() if path != moved]:
        path.rename(moved / path.name)
    line = "'folder-two.*cannot be printed: .*: rename the folder"
    with pytest.raises(UserError, match=line) as caught:
        load("folder", moved, TWO)
    assert "\n" not in str(caught.value)


def test_json_says_the_same(root):
    write(root, rows())
    from_csv = load("folder", root, TWO)
    (root / "scores.csv").unlink()
    scores = {
        name: {"anna": list(range(s)), "ben": [i * i for i in range(s)]}
        for name, s in SECONDS.items()
    }
    write(root, [json.dumps({"per": "second", "scores": scores})], "scores.json")
    from_json = load("folder", root, TWO)
    for key, video in from_csv.annotations.items():
        assert np.array_equal(video.user_scores, from_json.annotations_of(key).user_scores)
    write(
        root,
        [
            json.dumps(
                {
                    "per": "second",
                    "scores": {name: people["anna"] for name, people in scores.items()},
                }
            )
        ],
        "scores.json",
    )
    assert load("folder", root, TWO).annotations_of("city").user_scores.shape[0] == 1


def test_the_last_incomplete_second_may_have_a_score_or_not(root, films):
    (root / "dunes.mp4").symlink_to(films / "dunes.mp4")
    for seconds, last in ((3, 2), (4, 3)):
        write(root, rows(dunes=seconds))
        dunes = load("folder", root, TWO).annotations_of("dunes")
        assert dunes.user_scores[0, dunes.picks].tolist() == [0, 0, 1, 1, 2, 2, last]
    write(root, rows(dunes=5))
    with pytest.raises(
        UserError,
        match=r"line 9: dunes: scores of 5 seconds, expected 3 or 4: the video lasts 3\.50 seconds",
    ):
        load("folder", root, TWO)


def test_five_videos_make_five_folds_and_an_annotator_may_skip_a_video(root, films):
    more = {f"more {i}": 4 for i in range(3)}
    for name in more:
        (root / f"{name}.mp4").symlink_to(films / "beach.mp4")
    write(
        root,
        [
            ",".join([*line.split(",")[:3], ""]) if line.startswith("city") else line
            for line in rows(**more)
        ],
    )
    dataset = load("folder", root, TWO)
    assert sorted(key for _, test in dataset.splits["disjoint"] for key in test) == sorted(
        {**SECONDS, **more}
    )
    assert [len(dataset.annotations_of(key).user_scores) for key in ("beach", "city")] == [2, 1]


def edited(line, text):
    lines = rows()
    lines[line - 1] = text
    return lines


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (rows()[:5], r"city\.mp4: no scores of it in .*scores\.csv: add them"),
        (
            rows(clty=3),
            r"scores\.csv, line 9: scores of clty, but no such video in .*: did you mean city\?",
        ),
        (
            rows(beach=6),
            r"line 2: beach: scores of 6 seconds, expected 4: the video lasts 4\.00 seconds",
        ),
        (
            rows("step", each=1),
            r"line 2: beach: 4 scores, expected 8: one for every step that extract\.fps=2 samples",
        ),
        (edited(3, "beach,1,nan,1"), r"scores\.csv, line 3: anna: 'nan' is not a number"),
        (edited(3, "beach,1,1,much"), r"line 3: ben: 'much' is not a number"),
        (edited(3, "beach,1,1"), r"line 3: 3 cells, expected 4 \(video, second, anna, ben\)"),
        (edited(3, "beach,1,,1"), r"line 3: no score by anna, who has scored other parts of beach"),
        (edited(4, "beach,3,1,1"), r"line 4: second 3 of beach, expected second 2"),
        (
            edited(1, "video;second;anna"),
            r"line 2: 1 cells, expected 3 \(video, second, anna\), parted by ';'",
        ),
        (edited(1, "film,second,anna,ben"), r"line 1: expected the columns video, then second or"),
        (edited(1, "video,time,anna,ben"), r"line 2: '0' in the column time is not m:ss"),
        (edited(1, "video,second,anna,anna"), r"line 1: two annotators of one name"),
        (rows(people=("anna", "ben"))[:1], r"no scores in it"),
        (
            ["video,second,anna"] + [f"{n},{i},3" for n, s in SECONDS.items() for i in range(s)],
            r"all scores are 3: nothing is more important",
        ),
        ([rows()[0], 'beach,0,"1,2'], r"not readable as CSV text"),
    ],
)
def test_a_mistake_in_the_table_is_one_line(root, lines, message):
    write(root, lines)
    with pytest.raises(UserError, match=message) as caught:
        load("folder", root, TWO)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"scores": {}}, r'scores\.json: expected \{"per"'),
        ({"per": "second", "scores": {}}, "no scores in it"),
        (
            {"per": "second", "scores": {"beach": {"anna": [1, None]}}},
            "beach: anna: value 1 is None, not a number",
        ),
        (
            {"per": "second", "scores": {"beach": {"anna": "1 2"}}},
            "beach: anna: expected a list of numbers",
        ),
        (
            {"per": "second", "scores": {"beach": {"anna": [1, 2], "ben": [1]}}},
            "beach: scores of different length: 2 by anna, 1 by ben",
        ),
    ],
)
def test_a_mistake_in_json_is_one_line(root, content, message):
    write(root, [json.dumps(content)], "scores.json")
    with pytest.raises(UserError, match=message):
        load("folder", root, TWO)


def test_folders_without_the_needed_files(root, tmp_path):
    with pytest.raises(UserError, match=r"none of scores\.csv, scores\.json"):
        load("folder", root, TWO)
    with pytest.raises(UserError, match="no such folder"):
        load("folder", tmp_path / "nowhere", TWO)
    write(root, rows()[:5])
    (root / "videos" / "city.mp4").unlink()
    with pytest.raises(UserError, match="one video cannot both train and test"):
        load("folder", root, TWO)
    write(root, ["{"], "scores.json")
    with pytest.raises(UserError, match=r"both of scores\.csv, scores\.json"):
        load("folder", root, TWO)


def test_a_table_as_a_spreadsheet_exports_it(root):
    write(root, rows())
    expected = load("folder", root, TWO).annotations["beach"].user_scores
    lines = ["sep=;", "Video;Time;anna;ben;;"]
    for line in rows()[1:]:
        name, second, anna, ben = line.split(",")
        lines.append(f'"{name}";0:{int(second):02};{anna},0;{ben},00;;')
    text = "\r\n".join([*lines, ""])
    for encoding in ("utf-8-sig", "utf-16", "utf-8"):
        (root / "scores.csv").write_text(text, encoding=encoding, newline="")
        found = load("folder", root, TWO).annotations["beach"].user_scores
        assert (found == expected).all()


def test_scores_keep_their_64_bits(root):
    fine = rows(people=("anna",))
    fine = [fine[0], *(f"{line},{0.5 + i * 1e-12!r}" for i, line in enumerate(_without(fine)))]
    write(root, fine)
    found = load("folder", root, TWO).annotations["beach"]
    assert len(set(found.user_scores[0, found.picks].tolist())) == 4


def _without(lines):
    """The rows without their last cell."""
    return [line.rpartition(",")[0] for line in lines[1:]]


def test_shots_are_found_written_and_judged_by(root, films, tmp_path, capsys):
    write(root, rows())
    assert main(["shots", "folder", f"data.root={root}"]) == 0
    lines = (root / "shots.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "video,first,last"
    dataset = load("folder", root, TWO)
    for key, video in dataset.annotations.items():
        found = find_shots(watch(films / f"{key}.mp4"))
        assert video.shots.tolist() == found.tolist()
        assert [f"{key},{first},{last}" for first, last in found] == [
            line for line in lines if line.startswith(f"{key},")
        ]
    assert "f1" in protocols(dataset)
    assert main(["shots", "folder", f"data.root={root}"]) == 2
    assert "--force replaces it" in capsys.readouterr().err
    assert main(["shots", "folder", f"data.root={root}", "--force"]) == 0


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("video,start,end\nbeach,0,9\n", r"line 1: columns video, start, end: expected video, fi"),
        ("video,first,last\nbaech,0,9\n", r"line 2: shots of baech.*mean beach\?"),
        ("video,first,last\nbeach,0,x\n", r"line 2: 'x' is not a number"),
        ("video,first,last\nbeach,5,9\nbeach,0,4\n", r"line 3: shot 1 of beach begins before"),
        ("video,first,last\nbeach,0,4\n", r"shots.csv: beach: the last shot, 0, ends at frame 4"),
        ("video,first,last\nbeach,0,9.5\n", r"shots.csv: beach: .*9.5"),
        ("video,first,last\nbeach,0,9\nbeach,12,99\n", r"shots.csv: beach: shot 0 ends at frame 9"),
    ],
)
def test_a_wrong_table_of_shots_is_one_line(root, table, said):
    write(root, rows())
    write(root, table.splitlines(), "shots.csv")
    with pytest.raises(UserError, match=said):
        load("folder", root, TWO)


def test_a_video_that_the_table_of_shots_leaves_out_has_none(root):
    write(root, rows())
    n_frames = len(frame_times(root / "videos" / "beach.mp4"))
    write(root, ["video,first,last", f"beach,0,9\nbeach,10,{n_frames - 1}"], "shots.csv")
    dataset = load("folder", root, TWO)
    assert dataset.annotations_of("beach").shots.tolist() == [[0, 9], [10, n_frames - 1]]
    assert dataset.annotations_of("city").shots is None
    assert "f1" not in protocols(dataset)


@pytest.mark.parametrize("turned", [False, True])
def test_an_accent_is_one_however_it_is_spelled(turned, films, tmp_path):
    apart, one = "di\u0301a", "d\xeda"
    there, written = (one, apart) if turned else (apart, one)
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / f"{there}.mp4").symlink_to(films / "beach.mp4")
    (tmp_path / "videos" / "city.mp4").symlink_to(films / "city.mp4")
    for name in (written, f"{written}.mp4"):
        write(tmp_path, [line.replace("beach", name) for line in rows()])
        write(tmp_path, ["video,first,last", f"{written},0,39", "city,0,29"], "shots.csv")
        found = load("folder", tmp_path, TWO).annotations_of(there)
        assert found.video.path == tmp_path / "videos" / f"{there}.mp4"
        assert found.shots.tolist() == [[0, 39]]
    (tmp_path / f"{written}.mp4").symlink_to(films / "city.mp4")
    with pytest.raises(UserError, match="are both called"):
        load("folder", tmp_path, TWO)
