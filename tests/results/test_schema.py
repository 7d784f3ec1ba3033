"""result.json: what is written comes back, older results are read, damage is one line."""

import json
import math
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from llmvs.errors import UserError
from llmvs.results.labels import BASELINES, RULES, RUN, ZERO_SHOT, label_of, scored_rows
from llmvs.results.schema import RESULT, Result, read_result, write_result
from tests.results.toys import format_2, result


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    document = result(0, 3)
    document["files"] = {"model.safetensors": "0" * 64}
    document["per_video"]["val"]["paper"]["video_1"] = [math.nan, 1]
    write_result(tmp_path, Result.of(document))
    again = read_result(tmp_path / RESULT)
    assert repr(again) == repr(Result.of(document))  # NaN is not equal to itself
    assert math.isnan(again.per_video["val"]["paper"]["video_1"][0])
    assert json.loads((tmp_path / RESULT).read_text()).keys() == document.keys()
    assert is_dataclass(again.videos)
    assert [field.name for field in fields(again)] == list(again.document())


def test_a_result_of_format_2_is_read(tmp_path: Path) -> None:
    new = result(0, 3)
    assert Result.of(format_2(new)) == Result.of(new)
    old = format_2(new)
    for key in ("method", "extra", "transfer"):  # the first ones did not have them
        del old[key]
    assert Result.of(old) == Result.of(new)


@pytest.mark.parametrize(
    ("rows", "want"),
    [
        (["val", "zero_shot", "untied"], ["val", "zero_shot", "zero_shot/untied"]),
        (
            ["last", "captioner_zero_shot", "untied"],
            ["last", "captioner_zero_shot", "captioner_zero_shot/untied"],
        ),
        (["last", "untied"], ["last", "last/untied"]),
    ],
)
def test_format_2_did_not_say_which_row_had_its_ties_broken(
    rows: list[str], want: list[str]
) -> None:
    old = format_2(result(0, 3, selection=rows[0]))
    old["per_video"] = {row: {"paper": {"video_1": [0.1, place]}} for place, row in enumerate(rows)}
    shown = [RUN.key, *rows[1:]]
    old["protocols"] = {"paper": {row: {"tau": place} for place, row in enumerate(shown)}}
    found = Result.of(old)
    assert list(found.per_video) == want
    assert found.per_video[want[-1]]["paper"]["video_1"] == [0.1, len(rows) - 1]
    repeated = want[-1] if len(rows) == 3 else f"{RUN.key}/untied"
    assert list(found.protocols["paper"])[-1] == repeated
    assert found.protocols["paper"][repeated] == {"tau": len(rows) - 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 4}, r"has format 4 \(expected 3 or 2\): train it anew with resume=false"),
        ({"fold": "one"}, "fold: expected a whole number, found 'one': train it anew"),
        ({"fold": True}, "fold: expected a whole number, found 'True'"),
        ({"videos": {"train": [], "val": []}}, r"videos\.test: missing: train it anew"),
        (
            {"per_video": {"val": {"paper": {"a": ["x"]}}}},
            r"per_video\.val\.paper\.a\.0: expected a",
        ),
        ({"per_video": []}, "per_video: expected a table, found"),
        ({"notes": "none"}, "notes: expected a list, found 'none'"),
    ],
)
def test_damage_is_named_in_one_line(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / RESULT).write_text(json.dumps({**result(0, 3), **changes}))
    with pytest.raises(UserError, match=rf"^{tmp_path}/{RESULT}: {message}") as caught:
        read_result(tmp_path / RESULT)
    assert "\n" not in str(caught.value)


def test_every_row_has_one_name() -> None:
    rows = [RUN, *ZERO_SHOT.values(), *BASELINES.values()]
    keys = [row.key for row in rows] + list(RULES)
    labels = [row.label for row in rows] + [rule.meaning for rule in RULES.values()]
    assert len(set(keys)) == len(keys) == len(set(labels))
    assert [label_of(key, keys) for key in keys] == labels
    every = [
        f"{key}{more}"
        for key in (*RULES, *(row.key for row in ZERO_SHOT.values()))
        for more in ("", "/untied")
    ]
    assert scored_rows([*reversed(every), "random"]) == every


def test_every_printed_name_stands_once() -> None:
    """The names of rows and rules are written in one file of the package."""
    rows = [*ZERO_SHOT.values(), *BASELINES.values()]
    names = [row.label for row in rows if row.label != "Random"]
    names += [rule.meaning for rule in RULES.values() if rule.name != "last"]
    package = Path(__file__).parents[2] / "src" / "llmvs"
    for name in names:
        holders = [path.name for path in package.rglob("*.py") if f'"{name}"' in path.read_text()]
        assert holders == ["labels.py"], name


def test_a_result_of_before_videos_could_be_left_out_is_read() -> None:
    old = result(0, 3)
    del old["absent"]
    assert Result.of(old).absent == {}
