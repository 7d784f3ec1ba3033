"""The order of the house: imports run one way, the light parts stay light, the whole package has a
docstring each.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from llmvs import __version__

SRC = Path(__file__).parents[1] / "src" / "llmvs"
FLOORS = [  # a module may import from its own floor and from those below it
    {"errors", "files", "console", "interruption", "memory", "processes", "__init__"},
    {"config", "video"},
    {"datasets"},
    {"evaluation", "cache"},
    {"extraction"},
    {"demo"},
    {"models"},
    {"training"},
    {"methods"},
    {"summary"},
    {"results", "app"},
    {"experiments"},
    {"commands"},
    {"cli", "__main__"},
]
LIGHTNING_FREE = (
    "evaluation",
    "summary",
    "extraction",
    "demo",
    "datasets",
    "video",
    "cache",
    "config",
    "files",
)
NEEDS = {"config", "video", "datasets.video", "evaluation.keyshots", "errors", "files"}
"""What the summary room is made of: no annotations, no experiments, and models in one place."""
BY_LANGUAGE = NEEDS | {"extraction", "methods.answers", "models"}
"""What a summary by language models is made of."""
MODULES = sorted(SRC.rglob("*.py"))


def room(path):
    parts = path.relative_to(SRC).with_suffix("").parts
    return parts[0]


def floor(name):
    return next((height for height, names in enumerate(FLOORS) if name in names), None)


def imports(path):
    """Every module imported anywhere in a file, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SRC)))
def test_imports_run_one_way(path):
    here = floor(room(path))
    assert here is not None, f"{room(path)} stands on no floor"
    for name in imports(path):
        if name.startswith("llmvs."):
            above = floor(name.split(".")[1])
            assert above is None or above <= here, f"{path.name} imports {name} from above"
        if room(path) in LIGHTNING_FREE:
            assert not name.startswith(("lightning", "pytorch_lightning")), (
                f"{path.name} imports {name}"
            )


@pytest.mark.parametrize("path", sorted((SRC / "summary").glob("*.py")), ids=lambda path: path.name)
def test_a_summary_needs_no_annotations_and_models_in_one_file_alone(path):
    by_language = path.name in ("language.py", "method.py")
    needs = BY_LANGUAGE if by_language else NEEDS
    for name in imports(path):
        assert by_language or not name.startswith(("torch", "transformers")), name
        own = name.removeprefix("llmvs.")
        if own != name and not own.startswith(("summary.", "__version__")):
            assert any(own == need or own.startswith(f"{need}.") for need in needs), name


def module_of(path):
    """The dotted name of a file."""
    parts = path.relative_to(SRC.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_by():
    """Module -> the modules of the package that its file imports, wherever in the file."""
    names = {module_of(path) for path in MODULES}
    return {
        module_of(path): {
            name if name in names else name.rpartition(".")[0]
            for name in imports(path)
            if name in names or name.rpartition(".")[0] in names
        }
        for path in MODULES
    }


def circles(graph):
    """Every circle of imports that a walk through the graph runs into."""
    found, done = [], set()

    def walk(name, path):
        if name in path:
            found.append([*path[path.index(name) :], name])
        elif name not in done:
            for other in sorted(graph[name]):
                walk(other, [*path, name])
            done.add(name)

    for name in sorted(graph):
        walk(name, [])
    return found


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c", "b"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_file_imports_itself_by_way_of_others():
    assert [" -> ".join(circle) for circle in circles(imported_by())] == []


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.read_text()],
    ids=lambda path: str(path.relative_to(SRC)),
)
def test_every_public_thing_says_what_it_is(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "no docstring"
    public = [
        node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    ]
    methods = [
        method
        for node in public
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
    ]
    without = [node.name for node in (*public, *methods) if not ast.get_docstring(node)]
    assert without == []


WITHOUT_EXTRAS = """
import importlib.metadata as metadata, sys
HIDDEN = ("transformers", "peft", "wandb", "matplotlib", "PIL")
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
real = metadata.distribution
def distribution(name):
    if name in HIDDEN:
        raise metadata.PackageNotFoundError(name)
    return real(name)
metadata.distribution = distribution
import llmvs.cli, llmvs.experiments.run, llmvs.training.fit, llmvs.experiments.evaluate, llmvs.experiments.extract
import llmvs.extraction.pipeline, llmvs.extraction.released, llmvs.results.export
"""


def test_training_on_imported_embeddings_needs_no_extra():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_repository_holds_no_data():
    root = SRC.parents[1]
    listed = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert [
        name
        for name in listed.stdout.split()
        if name.endswith((".mat", ".h5", ".tsv", ".mp4", ".mov", ".webm"))
    ] == []


def test_the_citation_file_names_this_version():
    cited = yaml.safe_load((SRC.parents[1] / "CITATION.cff").read_text())
    assert cited["version"] == __version__
    assert {author["family-names"] for author in cited["references"][0]["authors"]} == {
        "Lee",
        "Gong",
        "Cho",
    }
