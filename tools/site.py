"""Pages of the documentation that are made from the code when the site is built (mkdocs hooks).

Settings, command line and file map are read from the package; README, CONTRIBUTING, CHANGELOG and
the demo models' card are shown as they stand in the repository. Links between files of the
repository become links between pages.
"""

import ast
import contextlib
import io
import os
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SHOWN = {
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "cache/README.md": "cache.md",
    "src/llmvs/demo/models/weights/README.md": "demo_models.md",
}
"""File of the repository -> page of the site."""
SETTINGS = """
Defaults are the paper's values. A setting is written `key=value` on the command line, and as YAML
in a layer; `llmvs config --keys` prints the same list.
"""
FILES = """
Every file of the package and the first sentence of its docstring. A file imports from its own room
and from those before it, in the order of the [contributing guide](../contributing.md).
"""
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made, before mkdocs reads the navigation."""
    from mkdocs.structure.files import File

    made = {page: without_front_matter((ROOT / path).read_text()) for path, page in SHOWN.items()}
    made["reference/settings.md"] = settings_page()
    made["reference/commands.md"] = commands_page()
    made["reference/files.md"] = files_page()
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Turn the links of a page that name files of the repository into links of the site."""
    here = page.file.src_uri
    return relinked(markdown, here, config["repo_url"] or "")


def relinked(markdown: str, page: str, repository: str) -> str:
    """The text of `page` with links that hold on the site.

    A file that is a page of the site is linked as a page; another file of the repository at
    `repository`, or, where that is unknown, only named.
    """
    source = {shown: path for path, shown in SHOWN.items()}.get(page, f"docs/{page}")

    def link(match: re.Match[str]) -> str:
        image, text, target = match.groups()
        path, _, anchor = target.partition("#")
        if not path or ":" in path:
            return match[0]
        full = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if full in SHOWN or full.startswith("docs/"):
            there = SHOWN.get(full) or full.removeprefix("docs/")
            there = posixpath.relpath(there, posixpath.dirname(page) or ".")
            return f"{image}[{text}]({there}{'#' + anchor if anchor else ''})"
        if not (ROOT / full).exists():
            return match[0]  # mkdocs refuses it
        return f"[{text}]({repository}/blob/main/{full})" if repository else text

    return LINK.sub(link, markdown)


def without_front_matter(text: str) -> str:
    """A Markdown text without the YAML block that the model hub wants at its beginning."""
    return re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)


def settings_page() -> str:
    """Every setting with its default and meaning, by groups, as `llmvs config --keys` prints it."""
    from llmvs.config.describe import describe

    lines = ["# Settings", "", SETTINGS]
    group = None
    for line in describe().splitlines():
        if not line.startswith(" "):
            key, _, default = line.partition(" = ")
            if key.rpartition(".")[0] != group:
                group = key.rpartition(".")[0]
                lines += ["", f"## {group or 'The run'}"]
            lines += ["", f"**`{key}`** = `{default or ' '}`"]
            mark = ":   "
        else:
            meaning = line.strip()
            if meaning.startswith("Affects:"):
                lines += ["", f"    *{meaning}*"]
            else:
                lines.append(mark + escaped(meaning))
            mark = "    "
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """The help of every verb, as the command line prints it."""
    overview = help_of()
    verbs = re.findall(r"^ {4}([a-z][a-z-]*)(?: |$)", overview.split("\nverbs:\n")[1], re.MULTILINE)
    lines = ["# Command line", "", "```text", overview.strip(), "```"]
    for verb in verbs:
        lines += ["", f"## llmvs {verb}", "", "```text", help_of(verb).strip(), "```"]
    return "\n".join(lines) + "\n"


def help_of(*verb: str) -> str:
    """What `llmvs VERB --help` prints, 90 columns wide."""
    from llmvs.cli import main

    printed = io.StringIO()
    columns, os.environ["COLUMNS"] = os.environ.get("COLUMNS"), "90"
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main([*verb, "--help"])
    finally:
        if columns is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = columns
    return printed.getvalue()


def files_page() -> str:
    """Every room of the package and every file with what its docstring says first."""
    package = ROOT / "src" / "llmvs"
    rooms: dict[Path, list[Path]] = {package: []}
    for path in sorted(package.rglob("*.py")):
        rooms.setdefault(path.parent, []).append(path)
    lines = ["# File map", "", FILES]
    for room in sorted(rooms):
        name = room.relative_to(package.parent).as_posix()
        lines += ["", f"## {name}/", ""]
        if (room / "__init__.py").is_file():
            lines += [escaped(first_sentence(room / "__init__.py")), ""]
        for path in rooms[room]:
            if path.name != "__init__.py":
                lines.append(f"- **`{path.name}`** {escaped(first_sentence(path))}")
    return "\n".join(lines) + "\n"


def first_sentence(path: Path) -> str:
    """The first sentence of a file's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z])", paragraph)[0].rstrip(":")


def escaped(text: str) -> str:
    """Plain text that Markdown shows as it is; what stands in backticks stays code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if part.startswith("`") else re.sub(r"([*_<>\[\]])", r"\\\1", part) for part in parts
    )
