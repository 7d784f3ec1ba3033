"""The choice of an engine is remembered per model and library, and never trusted blindly."""

import json

import pytest

from llmvs.config.schema import ExtractConfig
from llmvs.extraction import examples, scorer
from llmvs.extraction.checked_engines import FILE, CheckedEngines
from llmvs.extraction.prompts import Template, windows
from llmvs.extraction.scorer import Scorer

MADE_WITH = {"scorer": "a", "torch": "1"}


def make(pair, checked, engine="auto", **options):
    """A scorer that remembers."""
    model, tokenizer = pair
    template = Template(tokenizer, "numeric", examples.fixed(1, 3))
    return Scorer(model, template, 2, ExtractConfig(engine=engine, **options), checked)


def asked():
    return windows(["a dog runs", "a red car", "a dog"], 3)


def test_a_model_is_checked_once(scorer_pair, tmp_path, monkeypatch):
    first = make(scorer_pair, CheckedEngines(tmp_path, MADE_WITH))
    found = first(asked())
    assert CheckedEngines(tmp_path, MADE_WITH).chosen() == first.engine_name == "cascade"
    assert json.loads((tmp_path / FILE).read_text())[first.checked.key]["scorer"] == "a"
    monkeypatch.setattr(scorer, "deviation", lambda *_: pytest.fail("checked again"))
    again = make(scorer_pair, CheckedEngines(tmp_path, MADE_WITH))(asked())
    assert (found.q == again.q).all()
    assert (found.a == again.a).all()
    assert found.answers == again.answers


@pytest.mark.parametrize("changed", [{"torch": "2"}, {"scorer": "b"}])
def test_another_library_or_model_is_checked_again(scorer_pair, tmp_path, changed):
    CheckedEngines(tmp_path, MADE_WITH).remember("naive")
    assert make(scorer_pair, CheckedEngines(tmp_path, MADE_WITH)).engine is None
    other = make(scorer_pair, CheckedEngines(tmp_path, {**MADE_WITH, **changed}))
    other(asked())
    assert other.engine_name == "cascade"
    assert len(json.loads((tmp_path / FILE).read_text())) == 2


def test_the_engine_that_is_remembered_is_used(scorer_pair, tmp_path):
    CheckedEngines(tmp_path, MADE_WITH).remember("naive")
    found = make(scorer_pair, CheckedEngines(tmp_path, MADE_WITH))
    found(asked())
    assert found.engine_name == "naive"
    named = make(scorer_pair, CheckedEngines(tmp_path, MADE_WITH), engine="expand")
    named(asked())
    assert named.engine_name == "expand"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 1}', '"naive"'])
def test_a_damaged_file_is_none(scorer_pair, tmp_path, content):
    (tmp_path / FILE).write_text(content)
    checked = CheckedEngines(tmp_path, MADE_WITH)
    assert checked.chosen() is None
    checked.remember("expand")
    assert checked.chosen() == "expand"
    (tmp_path / FILE).write_text(json.dumps({checked.key: {"engine": "magic"}}))
    found = make(scorer_pair, checked)
    found(asked())
    assert found.engine_name == "cascade"


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "cache").write_text("a file")
    checked = CheckedEngines(tmp_path / "cache", MADE_WITH)
    checked.remember("expand")
    assert checked.chosen() is None


def test_a_cpu_reads_fewer_tokens_at_once(scorer_pair):
    assert make(scorer_pair, None).budget == 1024
    assert make(scorer_pair, None, tokens_per_batch=77).budget == 77
