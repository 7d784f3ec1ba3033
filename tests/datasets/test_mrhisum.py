"""Mr. HiSum from files in its published layout, made up; and how it is evaluated."""

import h5py
import numpy as np
import pytest

from llmvs.datasets import load
from llmvs.datasets.splits import fold
from llmvs.errors import UserError
from llmvs.evaluation.baselines import baselines
from llmvs.evaluation.evaluate import evaluate
from llmvs.evaluation.highlights import highlights
from llmvs.files import write_json

SPLITS = {
    "train_keys": ["video_3", "video_1"],
    "val_keys": ["video_5"],
    "test_keys": ["video_2", "video_4"],
}
SECONDS = {f"video_{i}": 120 + 7 * i for i in range(1, 7)}
BEGINS = [0, 9, 31, 60, 77, 100]


def write(root, ends="inclusive", summary="gt_summary", **changes):
    """The published files, made up; `changes`: other fields of video_2."""
    rng = np.random.default_rng(5)
    with h5py.File(root / "mr_hisum.h5", "w") as file:
        for key, seconds in SECONDS.items():
            behind = [*BEGINS[1:], seconds]
            fields = {
                "features": np.zeros((seconds, 4), np.float32),
                "gtscore": rng.random(seconds),
                "change_points": np.stack(
                    [BEGINS, np.array(behind) - (ends == "inclusive")], axis=1
                ),
                summary: (np.arange(seconds) < 0.15 * seconds).astype(np.uint8),
            }
            for name, value in (fields | (changes if key == "video_2" else {})).items():
                if value is not None:
                    file[f"{key}/{name}"] = value
    write_json(root / "mr_hisum_split.json", SPLITS)
    return root


@pytest.mark.parametrize("ends", ["inclusive", "exclusive"])
def test_a_second_is_a_step(tmp_path, ends):
    dataset = load("mrhisum", write(tmp_path, ends))
    assert set(dataset.videos) == set(SECONDS) - {"video_6"}  # in no part of the splits
    video = dataset.annotations_of("video_2")
    assert video.picks.tolist() == list(range(134))
    assert video.shots.tolist() == [[0, 8], [9, 30], [31, 59], [60, 76], [77, 99], [100, 133]]
    assert video.user_summary.sum() == 21
    assert str(dataset.sampling) == "extract.fps=1"


def test_its_one_fold_has_its_own_validation_part(tmp_path):
    dataset = load("mrhisum", write(tmp_path, summary="gtsummary"))
    for kind in ("paper", "disjoint"):
        one = fold(dataset, kind, 0, 0.2)
        assert (one.train, one.val, one.test) == (
            ("video_3", "video_1"),
            ("video_5",),
            ("video_2", "video_4"),
        )
        assert fold(dataset, kind, 0, 0.0).val == ()
    with pytest.raises(UserError, match="fold=1: mrhisum has 1 paper folds"):
        fold(dataset, "paper", 1, 0.2)


def test_evaluated_by_correlation_key_shots_and_highlights_without_people(tmp_path):
    dataset = load("mrhisum", write(tmp_path))
    tests = [SPLITS["test_keys"]]
    table = baselines(dataset, tests, draws=20)
    assert {name: list(rows) for name, rows in table.items()} == {
        name: ["random", "ceiling"] for name in ("paper", "f1", "map", "authors", "authors_f1")
    }
    assert (
        table["paper"]["ceiling"]["tau"],
        table["map"]["ceiling"]["at_50"],
        table["map"]["ceiling"]["at_15"],
    ) == pytest.approx((1, 1, 1))
    assert abs(table["paper"]["random"]["tau"]) < 0.05
    assert (
        0.45 < table["map"]["random"]["at_50"] < 0.65
    )  # about the share of what is relevant, and a little more
    scores = {
        key: np.random.default_rng(1).random(dataset.annotations_of(key).n_steps)
        for key in SPLITS["test_keys"]
    }
    evaluated = evaluate(dataset, scores, tests)["map"]
    precisions = highlights(scores["video_4"], dataset.annotations_of("video_4").gtscore)
    assert evaluated.per_video["video_4"] == precisions._asdict()
    assert evaluated.mean["at_15"] == pytest.approx(
        np.mean([values["at_15"] for values in evaluated.per_video.values()])
    )


def test_without_its_summary_the_key_shots_of_gtscore_stand_for_it(tmp_path):
    dataset = load("mrhisum", write(tmp_path, summary="other"))
    assert dataset.annotations_of("video_2").user_summary is None
    assert (
        evaluate(dataset, {"video_2": dataset.annotations_of("video_2").gtscore}, [["video_2"]])[
            "f1"
        ].mean["mean"]
        == 1
    )


def test_youtube_ids_and_video_files_are_optional(tmp_path):
    write(tmp_path)
    (tmp_path / "metadata.csv").write_text(
        "video_id,yt8m_file,youtube_id\nvideo_1,train0026,JhdjUam0l6A\n"
    )
    (tmp_path / "videos").mkdir()
    for name in ("JhdjUam0l6A.mp4", "video_2.webm"):
        (tmp_path / "videos" / name).touch()
    videos = load("mrhisum", tmp_path).annotations
    assert (videos["video_1"].name, videos["video_1"].video.path.name) == (
        "JhdjUam0l6A",
        "JhdjUam0l6A.mp4",
    )
    assert (
        videos["video_2"].name,
        videos["video_2"].video.path.name,
        videos["video_3"].video.path,
    ) == (
        "video_2",
        "video_2.webm",
        None,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gtscore": None}, r"mr_hisum\.h5: video_2 has no gtscore"),
        (
            {"gtscore": np.full(134, np.nan)},
            r"video_2: gtscore: is nan at \[0\], expected finite numbers",
        ),
        ({"gtscore": np.full(134, 3.0)}, r"gtscore: is 3 at \[0\], expected 0 to 1"),
        ({"change_points": None}, r"video_2 has no change_points"),
        (
            {"change_points": np.arange(5)},
            r"video_2: change_points: has shape \[5\], expected \[shots, 2\]",
        ),
        ({"gtscore": np.full((134, 2), 0.5)}, r"gtscore: has shape \[134, 2\], expected"),
        ({"gtscore": np.full(134, -0.5)}, r"gtscore: is -0.5 at"),
        ({"gtscore": np.zeros(0)}, "gtscore is empty"),
        ({"gt_summary": np.full(134, np.nan)}, "gt_summary: is nan at"),
        ({"gt_summary": np.full(134, 2)}, r"gt_summary: is 2 at \[0\], expected 0 to 1"),
        ({"change_points": [[50, 60], [0, 9]]}, "shot 1 begins before shot 0"),
        ({"change_points": [[0.5, 9], [9, 20]]}, "change_points: is 0.5 at"),
        ({"gtscore": h5py.ExternalLink("x.h5", "/a")}, "gtscore is a link elsewhere"),
    ],
)
def test_a_wrong_field_is_one_line(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        load("mrhisum", write(tmp_path, **changes))


def test_a_key_that_leads_elsewhere_is_refused(tmp_path):
    write(tmp_path)
    with h5py.File(tmp_path / "mr_hisum.h5", "a") as file:
        file.copy("video_4", "x")
    write_json(tmp_path / "mr_hisum_split.json", SPLITS | {"test_keys": ["video_2", "./x"]})
    line = r"mr_hisum_split\.json: the name './x' begins with a dot: .*: rename"
    with pytest.raises(UserError, match=line):
        load("mrhisum", tmp_path)


def test_missing_or_wrong_files_are_one_line(tmp_path):
    with pytest.raises(UserError, match=r"none of mr_hisum\.h5.*MR\.HiSum"):
        load("mrhisum", tmp_path)
    write(tmp_path)
    for splits, message in [
        ({"train_keys": ["video_1"]}, r'fold 0: expected {"train_keys"'),
        ([1], r'fold 0: expected {"train_keys"'),
        ({**SPLITS, "val_keys": []}, "expected lists of keys"),
        (SPLITS | {"val_keys": ["video_1"]}, "video_1 is in two places"),
        (SPLITS | {"test_keys": ["video_99"]}, r"1 videos of mrhisum are missing \(video_99\)"),
    ]:
        write_json(tmp_path / "mr_hisum_split.json", splits)
        with pytest.raises(UserError, match=message):
            load("mrhisum", tmp_path)
    (tmp_path / "mr_hisum_split.json").unlink()
    with pytest.raises(UserError, match=r"none of mr_hisum_split\.json"):
        load("mrhisum", tmp_path)


def test_under_the_names_that_follow_up_work_passes_around(tmp_path):
    write(tmp_path)
    expected = load("mrhisum", tmp_path).annotations
    (tmp_path / "mr_hisum_split.json").rename(tmp_path / "mrsum_split.json")
    for name in ("mrsum_with_features_gtsummary_modified.h5", "my_mrsum.h5"):
        next(tmp_path.glob("*.h5")).rename(tmp_path / name)
        found = load("mrhisum", tmp_path).annotations
        assert found.keys() == expected.keys()
        assert (found["video_2"].gtscore == expected["video_2"].gtscore).all()


def test_64_bit_scores_keep_what_32_bits_would_tie(tmp_path):
    fine = 0.5 + np.arange(134) * 1e-12
    video = load("mrhisum", write(tmp_path, gtscore=fine)).annotations_of("video_2")
    assert (video.gtscore == fine).all()
    assert (video.user_scores[0] == fine).all()


def test_videos_that_the_file_lacks_are_named_all_or_left_out(tmp_path, capsys):
    write(tmp_path)
    splits = SPLITS | {"train_keys": ["video_3", "video_98", "video_1"], "val_keys": ["video_5"]}
    write_json(tmp_path / "mr_hisum_split.json", splits | {"test_keys": ["video_2", "video_99"]})
    with pytest.raises(UserError, match=r"2 videos .* \(video_98, video_99\).*data\.absent=skip"):
        load("mrhisum", tmp_path)
    dataset = load("mrhisum", tmp_path, absent="skip")
    one = fold(dataset, "paper", 0, 0.2)
    assert (one.train, one.val, one.test) == (("video_3", "video_1"), ("video_5",), ("video_2",))
    assert set(dataset.absent) == {"video_98", "video_99"}
    assert "2 videos are in no part of mr_hisum_split.json" in capsys.readouterr().err


def test_one_video_under_two_keys_is_refused(tmp_path):
    write(tmp_path)
    write_json(tmp_path / "mr_hisum_split.json", SPLITS | {"val_keys": ["video_01"]})
    with pytest.raises(UserError, match="video_1 and video_01 are two names of one video"):
        load("mrhisum", tmp_path)
    with h5py.File(tmp_path / "mr_hisum.h5", "a") as file:
        file["other"] = file["video_1"]
    write_json(tmp_path / "mr_hisum_split.json", SPLITS | {"val_keys": ["other"]})
    with pytest.raises(UserError, match="video_1 and other are two names of one video"):
        load("mrhisum", tmp_path)
    write_json(tmp_path / "mr_hisum_split.json", SPLITS | {"val_keys": ["/video_1"]})
    with pytest.raises(UserError, match="'/video_1' holds a slash"):
        load("mrhisum", tmp_path)
