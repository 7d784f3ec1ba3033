"""The page: complete, closed to the outside, and with the same choice as Python's."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from llmvs.evaluation.keyshots import knapsack
from llmvs.summary.leaning import Leaning
from llmvs.summary.page import MOST_PICTURES, Page, PageShot, html

NODE = shutil.which("node")
PAGE = Page(
    "A day </script><b>&.mp4",
    "visual, 15 % of 0:04",
    4.0,
    100,
    15.0,
    [0.0, 0.5, 1.0],
    [0.1, 0.95, 0.3],
    [PageShot(0.0, 2.0, 50, 0.4, True), PageShot(2.0, 4.0, 50, 0.3, False, dropped=True)],
    [(0.0, b"\xff\xd8one"), (1.0, b"\xff\xd8two")],
    captions=["a dog", "a <cat>", ""],
)


def content(text: str) -> dict:
    """What the page's script reads."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found.group(1))


def test_everything_is_in_the_page_and_nothing_comes_from_outside():
    text = html(PAGE)
    data = content(text)
    assert data["title"] == PAGE.title
    assert data["captions"] == PAGE.captions
    assert data["shots"][1]["dropped"] is True
    assert [seconds for seconds, _ in data["pictures"]] == [0, 1]
    assert re.findall(r"""(?:src|href)=["'](?!data:)[^"']""", text) == []
    assert re.sub(r'"http://www\.w3\.org/2000/svg"', "", text).count("http") == 1  # http-equiv
    assert "default-src 'none'" in text
    assert "__" not in re.sub(
        r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL
    )


def test_of_many_pictures_a_part_is_shown():
    pictures = [(float(i), b"x") for i in range(3 * MOST_PICTURES - 5)]
    shown = content(html(replace(PAGE, pictures=pictures)))["pictures"]
    assert len(shown) <= MOST_PICTURES
    assert [seconds for seconds, _ in shown[:3]] == [0, 3, 6]


@pytest.mark.parametrize(
    "wrong", [{"captions": ["a"]}, {"scores": [0.0]}, {"scores": [0.1, float("nan"), 0.2]}]
)
def test_lists_of_another_length_and_no_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=r"of 3 steps|not JSON compliant"):
        html(replace(PAGE, **wrong))


def test_attention_of_other_steps_is_refused():
    with pytest.raises(ValueError, match="leaning: 2 of 3 steps"):
        html(replace(PAGE, leaning=Leaning([[], []], [[1.0]])))


@pytest.mark.skipif(NODE is None, reason="needs node to run the page's own script")
def test_the_scripts_parse(tmp_path):
    scripts = re.findall(r"<script>(.*?)</script>", html(PAGE), re.DOTALL)
    file = tmp_path / "page.js"
    file.write_text(scripts[0] + scripts[1].replace('"use strict";', ""), encoding="utf-8")
    subprocess.run([NODE, "--check", file], check=True)


@pytest.mark.skipif(NODE is None, reason="needs node to run the page's own script")
def test_the_browsers_choice_is_pythons():
    rng = np.random.default_rng(0)
    cases = []
    for n in (1, 2, 7, 40, 120):
        values = [*rng.random(n - n // 3), *rng.integers(0, 3, n // 3) / 2]
        weights = rng.integers(1, 60, n).tolist()
        capacity = sum(weights)
        for share in (0, 0.02, 0.15, 0.5, 0.9, 1):
            room = int(share * capacity)
            expected = knapsack(values, weights, room).tolist()
            cases.append([list(map(float, values)), weights, capacity, room, expected])
    script = files("llmvs.summary").joinpath("knapsack.js").read_text()
    script += (
        f"\nconst cases = {json.dumps(cases)};"
        "console.log(JSON.stringify(cases.map(([v, w, c, room]) => knapsackTable(v, w, c)(room))));"
    )
    done = subprocess.run([NODE, "-e", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [case[-1] for case in cases]
