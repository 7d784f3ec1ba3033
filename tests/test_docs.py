"""The documentation site: it builds strictly, what is made from the code is complete, and what the
pages name is there.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from llmvs.errors import UserError

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TEXTS = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PLUGINS = {"mkdocs": "mkdocs", "material": "mkdocs-material", "mkdocstrings": "mkdocstrings"}


@pytest.fixture(scope="module")
def site():
    """The module that makes pages, a script outside the package."""
    spec = importlib.util.spec_from_file_location("site_pages", ROOT / "tools" / "site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_site_builds_without_a_warning(tmp_path):
    absent = [name for module, name in PLUGINS.items() if not importlib.util.find_spec(module)]
    if absent:
        pytest.skip(f"needs {', '.join(absent)}: pip install '.[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built = {path.relative_to(tmp_path / "site").as_posix() for path in tmp_path.rglob("*.html")}
    assert {"index.html", "reference/settings/index.html", "howto/aggregator/index.html"} <= built
    protocols = (tmp_path / "site" / "reference" / "evaluation" / "index.html").read_text()
    assert "llmvs.evaluation.protocols.protocols" in protocols


def test_every_setting_is_on_its_page(site):
    from llmvs.config.schema import Config

    def leaves(tree, prefix=""):
        for name, value in tree.items():
            if isinstance(value, dict) and value:
                yield from leaves(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}"

    page = site.settings_page()
    keys = list(leaves(OmegaConf.to_container(OmegaConf.structured(Config))))
    assert len(keys) > 50
    assert [key for key in keys if f"**`{key}`**" not in page] == []
    assert re.search(r"\*\*`head.layers`\*\* = `3`\n:   \w", page)


def test_a_setting_says_what_it_affects(site, monkeypatch):
    from llmvs.config import describe

    said = "a.b = 1\n    How many, at\n    most.\n    Affects: training.\nc = x_y\n    Which *one*."
    monkeypatch.setattr(describe, "describe", lambda: said)
    assert site.settings_page().endswith(
        "## a\n\n**`a.b`** = `1`\n:   How many, at\n    most.\n\n    *Affects: training.*\n\n"
        "## The run\n\n**`c`** = `x_y`\n:   Which \\*one\\*.\n"
    )


def test_every_verb_is_on_its_page(site):
    page = site.commands_page()
    verbs = re.findall(r"^## llmvs (.+)$", page, re.MULTILINE)
    assert {"train", "crossval", "extract", "import-embeddings", "baselines", "config"} <= {*verbs}
    for verb in verbs:
        assert f"usage: llmvs {verb}" in page


def test_every_file_is_on_the_map_with_a_sentence(site):
    page = site.files_page()
    for path in (ROOT / "src" / "llmvs").rglob("*.py"):
        if path.name != "__init__.py":
            assert re.search(rf"^- \*\*`{re.escape(path.name)}`\*\* \S", page, re.MULTILINE), path
    assert "- **`errors.py`** Exceptions for everything a user can mend" in page


def test_links_are_those_of_the_site(site):
    def on(page, text):
        return site.relinked(text, page, "https://example.org/llmvs")

    assert on("demo.md", "[x](../README.md#two)") == "[x](readme.md#two)"
    assert on("readme.md", "![x](docs/images/a.png)") == "![x](images/a.png)"
    assert on("guide/a.md", "[x](../protocols.md)") == "[x](../protocols.md)"
    assert on("demo_models.md", "[x](../../../../../docs/demo.md)") == "[x](demo.md)"
    assert on("readme.md", "[x](LICENSE)") == "[x](https://example.org/llmvs/blob/main/LICENSE)"
    assert site.relinked("[x](LICENSE)", "readme.md", "") == "x"
    for untouched in ("[x](https://a.b/c)", "[x](#here)", "[x](no_such_file.py)"):
        assert on("readme.md", untouched) == untouched


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_named_files_are_there(path):
    text = path.read_text()
    linked = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    made = {"settings.md", "commands.md", "files.md", "contributing.md", "changelog.md"}
    made |= {"demo_models.md", "readme.md"}
    missing = [
        target
        for target in linked
        if target
        and ":" not in target
        and Path(target).name not in made
        and not (path.parent / target).exists()
    ]
    named = re.findall(r"(?:configs|sweeps|benchmarks|docs|src)/[\w/.-]+\.(?:yaml|py|md)", text)
    placeholder = re.compile(r"/(?:NAME|recurrent)\.")
    missing += [name for name in named if not placeholder.search(name) and not _there(name)]
    if path.name != "log.md":  # it tells of files that were
        assert missing == []


def _there(name):
    """Whether a named file exists; configurations may lie inside the package."""
    return (ROOT / name).exists() or (ROOT / "src" / "llmvs" / name).exists()


def test_users_are_not_led_to_the_log():
    text = (ROOT / "mkdocs.yml").read_text()
    navigation = text[text.index("\nnav:") :]
    assert " log.md" not in navigation
    assert "\n  log.md\n" in text[text.index("not_in_nav") :]


def test_embeddings_of_ones_own_are_written_as_the_page_says(tmp_path, monkeypatch):
    import torch

    from llmvs.cache.embeddings import EmbeddingCache

    page = (ROOT / "docs" / "howto" / "embeddings.md").read_text()
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    exec(code, {"vectors": torch.ones(3, 4), "picks": torch.tensor([0, 15, 30])})
    read = EmbeddingCache(tmp_path / "cache/summe/mine").read("video_1")
    assert read.q.tolist() == torch.ones(3, 4).tolist()
    assert read.steps.tolist() == [0, 15, 30]


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_and_nothing_else_by_default(path):
    flow = yaml.safe_load(path.read_text())
    assert flow["permissions"] == {"contents": "read"}
    for job in flow["jobs"].values():
        assert set(job.get("permissions", {})) <= {"pages", "id-token"}
        for step in job["steps"]:
            uses = step.get("uses", "")
            assert not uses or re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v1)", uses)
            if uses.startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False


def test_every_dependency_has_a_floor_and_every_floor_a_pin():
    """The job with minimum versions installs exactly the floors."""
    text = (ROOT / "pyproject.toml").read_text()
    tables = text[text.index("dependencies = [") : text.index("[project.scripts]")]
    needed = re.findall(r'"([A-Za-z][\w.-]*)(?:\[[\w,]+\])?([<>=!~][^"]*)?"', tables)
    needed = {name: bound for name, bound in needed if name != "llmvs"}
    assert len(needed) > 15
    assert [name for name, bound in needed.items() if not bound.startswith(">=")] == []
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    assert [name for name in needed if name.lower().replace("_", "-") not in pinned] == []


def example(page):
    """The first block of Python on a how-to page."""
    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text()
    return textwrap.dedent(
        re.search(r"^ *```python\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)[1]
    )


def test_the_aggregator_on_its_page_is_one(monkeypatch):
    import torch

    aggregators = importlib.import_module("llmvs.models.aggregators")
    from llmvs.config.schema import HeadConfig

    names = {}
    exec(example("aggregator"), names)
    monkeypatch.setitem(aggregators.AGGREGATORS, "recurrent", names["Recurrent"])
    made = aggregators.make_aggregator(HeadConfig(dim=16, aggregator="recurrent"))
    steps = torch.randn(7, 16, generator=torch.Generator().manual_seed(0))
    both = made(steps, torch.tensor([3, 4]))
    assert both.shape == (7, 16)
    torch.testing.assert_close(both[3:], made(steps[3:], torch.tensor([4])))


def test_the_loss_on_its_page_is_one():
    import torch

    from llmvs.config.schema import OptimConfig

    names = {"Tensor": torch.Tensor, "torch": torch, "OptimConfig": OptimConfig}
    exec(example("loss"), names)
    scores, people = torch.tensor([0.5, 0.5, 1.0]), torch.tensor([0.0, 1.0, 0.75])
    lost = names["absolute_error"](scores, people, torch.tensor([2, 1]), OptimConfig())
    assert lost.tolist() == [0.5, 0.25]


def test_the_verb_on_its_page_is_one(tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    names, parser = {}, argparse.ArgumentParser()
    exec(example("verb"), names)
    names["arguments"](parser)
    assert names["SUMMARY"] in names["__doc__"]
    with pytest.raises(UserError, match="scores"):
        names["call"](parser.parse_args(["data.dataset=folder", f"data.root={tmp_path}"]))
