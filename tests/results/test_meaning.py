"""What a row is called comes from its settings, and equal rows are one."""

from pathlib import Path
from typing import Any

import pytest

from llmvs.config.load import load_config, to_yaml
from llmvs.files import write_json, write_text
from llmvs.results.collect import collect
from llmvs.results.experiment import experiment, read_experiment
from llmvs.results.meaning import rows_of
from tests.results.toys import result, results


def made(folder: Path, *settings: str, documents: list[dict[str, Any]] | None = None) -> Path:
    """An experiment's folder with the settings of its runs."""
    for one in documents or results():
        run = folder / f"fold{one['fold']}" / f"seed{one['seed']}"
        write_json(run / "result.json", one)
        config = load_config(["summe", *settings, f"fold={one['fold']}", f"seed={one['seed']}"])
        write_text(run / "config.yaml", to_yaml(config))
    return folder


@pytest.mark.parametrize(
    ("settings", "label", "published"),
    [
        (["llmvs"], "q + a, self-attention", "llmvs"),
        (["answer_only"], "a only, self-attention", "answer_only"),
        (["mlp"], "q + a, no self-attention (MLP)", "mlp"),
        (["zeroshot_scorer"], "LLM alone, zero-shot", "zeroshot_scorer"),
        (["lora_captioner"], "Captioner fine-tuned (LoRA)", "lora_captioner"),
        (["prompt_summary"], "q + a, self-attention, summary prompt", "prompt_summary"),
        (["readout_linear"], "q + a, self-attention, after the Linear layer", "readout_linear"),
        (["position"], "baseline: position in the video", None),
        (["window_3", "query_only"], "q only, self-attention, window 3", None),
        (["examples_0"], "q + a, self-attention, no examples", None),
        (
            ["head.inputs=v", "optim.lr=0.5"],
            "visual feature only, self-attention, optim.lr=0.5",
            None,
        ),
    ],
)
def test_a_label_is_the_difference_from_the_paper(
    tmp_path: Path, settings: list[str], label: str, published: str | None
) -> None:
    documents = results(epochs=0, selection="last") if "position" in settings else results()
    folders = [
        made(tmp_path / "any name", *settings, documents=documents),
        made(tmp_path / "other", "window_9", "extract.readout=rmsnorm", "optim.lr=0.25"),
    ]
    rows, notes = rows_of([read_experiment(folder) for folder in folders])
    assert (rows[0].label, rows[0].published) == (label, published)
    assert notes[0].startswith(f"Experiments: {label}: any name; q + a, self-attention, ")


def test_what_all_rows_have_is_a_note_and_no_label(tmp_path: Path) -> None:
    folders = [
        made(tmp_path / "a", "small_head"),
        made(tmp_path / "b", "small_head", "mlp", "backbone.scorer=/some/where/small.gguf"),
        made(tmp_path / "c", "position", documents=results(epochs=0)),
    ]
    rows, notes = rows_of([read_experiment(folder) for folder in folders])
    assert [row.label for row in rows] == [
        "q + a, self-attention",
        "q + a, no self-attention (MLP), backbone.scorer=small.gguf",
        "baseline: position in the video",
    ]
    assert notes[1].startswith("Not as in the paper, wherever a row reads it: ")
    assert "head.dim=256, head.layers=1, " in notes[1]
    assert [row.published for row in rows] == ["llmvs", None, None]


def test_rows_of_equal_meaning_are_one(tmp_path: Path) -> None:
    frozen = results(epochs=0, selection="last")
    folders = [
        made(tmp_path / "a", "zeroshot_scorer", documents=frozen),
        made(tmp_path / "b", "zeroshot_scorer", "small_head", "optim.lr=0.3", documents=frozen),
        made(tmp_path / "c", "zeroshot_scorer", documents=results(0.1, epochs=0)),
        made(tmp_path / "d", "zeroshot_scorer", "window_1", documents=frozen),
    ]
    document, text = collect(folders)
    labels = [row[0] for row in document["tables"][0]["rows"][:3]]
    assert labels == [
        "LLM alone, zero-shot [a]",
        "LLM alone, zero-shot [c]",  # the same settings gave other figures: nothing is hidden
        "LLM alone, zero-shot, window 1",
    ]
    assert "\nb is a again, the same settings and figures: one row.\n" in text


def test_settings_that_cannot_be_read_leave_the_folders_name(tmp_path: Path) -> None:
    folder = made(tmp_path / "summe-mlp", "mlp")
    for path in folder.rglob("config.yaml"):
        write_text(path, "gone: 1\n")
    rows, notes = rows_of([read_experiment(folder), experiment("b", [result(0, 0), result(1, 0)])])
    assert ([row.label for row in rows], notes) == (["summe-mlp", "b"], [])
    assert "0.182" in collect([folder])[1]  # the published row, by the folder's name
