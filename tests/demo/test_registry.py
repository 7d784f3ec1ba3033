"""The demo is a side room: everybody else reaches it through a registry, by name."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from llmvs.cache.listing import BUILT
from llmvs.errors import UserError
from llmvs.extraction import builtin, hub

SRC = Path(__file__).parents[2] / "src" / "llmvs"
OTHERS = [path for path in sorted(SRC.rglob("*.py")) if "demo" not in path.relative_to(SRC).parts]


def test_nobody_imports_the_demo() -> None:
    importers = [
        str(path.relative_to(SRC))
        for path in OTHERS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [f"{node.module}.{alias.name}" for alias in node.names]
        )
        if name.startswith("llmvs.demo")
    ]
    assert importers == []


def test_two_registries_name_it_and_nothing_else_does() -> None:
    named = {
        str(path.relative_to(SRC)): path.read_text(encoding="utf-8").count('"llmvs.demo.')
        for path in OTHERS
        if '"llmvs.demo.' in path.read_text(encoding="utf-8")
    }
    assert named == {"datasets/__init__.py": 1, "extraction/builtin.py": 5}


@pytest.mark.parametrize("name", builtin.MODELS)
def test_every_built_in_model_says_what_it_is(name: str) -> None:
    module = importlib.import_module(builtin.MODELS[name])
    assert all(callable(getattr(module, call)) for call in ("version", "check", "folder"))
    said = hub.identify(f"builtin:{name}", None)
    assert said.startswith("content " if name.startswith("demo") else "version ")


def test_the_cache_knows_the_models_that_are_built_in_it() -> None:
    built = {name for name, module in builtin.MODELS.items() if module.endswith(".built")}
    assert built == set(BUILT)


def test_an_unknown_built_in_model_is_refused_before_anything_is_loaded() -> None:
    for ask in (builtin.check, builtin.version, lambda name: hub.identify(name, None)):
        with pytest.raises(UserError, match=r"^builtin:tiny-lama: no such .*mean tiny-llama\?$"):
            ask("builtin:tiny-lama")


WITHOUT_HUB = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("huggingface_hub", "transformers"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
from llmvs.extraction import hub, pipeline
from llmvs.errors import UserError
print(hub.identify("builtin:tiny-llama", None), hub.identify("builtin:demo-llama", None)[:8])
try:
    hub.identify("someone/model", None)
except UserError as error:
    print(error)
"""


def test_models_are_identified_without_the_hub_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_HUB], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        "version 2 content ",
        "someone/model: needs huggingface_hub: pip install 'llmvs[extract]'",
    ], done.stderr
