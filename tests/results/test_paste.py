"""Tables of finished experiments in documents."""

from pathlib import Path

import pytest

from llmvs.errors import UserError
from llmvs.results.paste import main, pasted

DOCUMENT = (
    "Before.\n\n<!-- table: runs/a/table.md -->\nold\n<!-- end of table -->\n\n"
    "Between.\n\n<!-- table: b.md -->\n<!-- end of table -->\n"
)


def test_only_what_stands_between_the_comments_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs/a").mkdir(parents=True)
    (tmp_path / "runs/a/table.md").write_text("| a |\n")
    (tmp_path / "b.md").write_text("| b |\n")
    (tmp_path / "page.md").write_text(DOCUMENT)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # the second time nothing changes
        assert main(["page.md"]) == 0
        assert (tmp_path / "page.md").read_text() == DOCUMENT.replace(
            "\nold\n", "\n| a |\n"
        ).replace("b.md -->\n", "b.md -->\n| b |\n")


def test_a_missing_table_is_named_and_the_document_kept(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a/table\.md: no such table"):
        pasted(DOCUMENT, tmp_path)
    (tmp_path / "page.md").write_text("No table.")
    with pytest.raises(UserError, match="names no table"):
        main([str(tmp_path / "page.md")])
