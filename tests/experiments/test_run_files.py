"""The folder of a run: whose it is."""

from pathlib import Path

import pytest

from llmvs.config.load import load_config, to_yaml
from llmvs.errors import UserError
from llmvs.experiments.run_files import CONFIG, finished_result
from llmvs.results.schema import RESULT


def test_a_run_older_than_a_setting_is_not_taken_for_one_of_the_new_default(tmp_path: Path) -> None:
    """Runs chose their epoch by `paper` before that could be set."""
    config = load_config(["summe", f"runs={tmp_path}"])
    assert config.selection_by == ["loss"]
    lines = to_yaml(config).splitlines(keepends=True)
    place = lines.index("selection_by:\n")
    old = "".join(lines[:place] + lines[place + 2 :])
    assert "loss" not in old.split("optim:")[0]
    (tmp_path / CONFIG).write_text(old)
    (tmp_path / RESULT).write_text("{}")
    with pytest.raises(UserError, match=r"selection_by=\['paper'\] \(expected \['loss'\]\)"):
        finished_result(config, tmp_path)
    by_paper = load_config(["summe", f"runs={tmp_path}", "selection_by=paper"])
    with pytest.raises(UserError, match="not the result of a run"):  # taken for what it is
        finished_result(by_paper, tmp_path)
