"""Large models on a CPU are asked about before anything starts."""

from pathlib import Path

import pytest

from llmvs.cli import main
from llmvs.config.load import load_config
from llmvs.config.schema import Config
from llmvs.errors import UserError
from llmvs.experiments.costs import ask_first

PAPER = [
    "data.dataset=demo",
    "accelerator=cpu",
    "backbone.captioner=llava-hf/llava-1.5-7b-hf",
    "backbone.scorer=meta-llama/Llama-2-13b-chat-hf",
]


def settings(*more: str) -> Config:
    return load_config([*PAPER, *more])


def test_the_demo_with_the_papers_models_needs_a_yes() -> None:
    with pytest.raises(UserError, match=r"llava-1.5-7b-hf and meta-llama.*days.*--yes"):
        ask_first(settings(), yes=False)
    ask_first(settings(), yes=True)


@pytest.mark.parametrize(
    "free", ["data.dataset=tvsum", "extract.refresh=never", "extract.embeddings=somewhere"]
)
def test_nobody_asks_where_the_user_knows_or_nothing_is_computed(free: str) -> None:
    ask_first(settings(free), yes=False)


def test_a_small_local_model_is_no_worry(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"0" * 100)
    ask_first(
        settings(f"backbone.captioner={tmp_path}", "backbone.scorer=builtin:tiny-llama"), yes=False
    )


@pytest.mark.parametrize("verb", [["train"], ["crossval"], ["ablate", "aggregator"], ["extract"]])
def test_no_command_that_extracts_renders_before_it_asks(
    verb: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*verb, *PAPER, f"data.root={tmp_path / 'demo'}", f"runs={tmp_path / 'runs'}"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
