"""What is shared is the run: the same scores, and a card that says what it may be used for."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.cli import main
from llmvs.config.load import load_config, to_yaml
from llmvs.config.schema import HeadConfig, MethodConfig
from llmvs.demo import dataset as demo
from llmvs.errors import UserError
from llmvs.results.export import export, push
from tests.config.test_load import CONFIGS

hub = pytest.importorskip("huggingface_hub")
LLMVS = pytest.importorskip("llmvs.models.pretrained").LLMVS

SMALL = [
    "head.dim=16",
    "head.feedforward=16",
    "head.layers=1",
    "optim.epochs=2",
    "log.wandb=disabled",
    "caption.max_tokens=4",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the demo, five short clips."""
    place = tmp_path_factory.mktemp("export")
    demo.load(place / "demo", clips=5, seconds=(6.0, 8.0))
    layers = [str(CONFIGS / part) for part in ("backbone/tiny.yaml", "variant/small_head.yaml")]
    assert (
        main(
            [
                "train",
                *layers,
                "data.dataset=demo",
                "data.splits=disjoint",
                f"data.root={place / 'demo'}",
                f"cache={place / 'cache'}",
                f"runs={place / 'runs'}",
                "experiment=toy",
                *SMALL,
            ]
        )
        == 0
    )
    return place / "runs" / "toy" / "fold0" / "seed1112"


@pytest.fixture(scope="module")
def folder(run: Path) -> Path:
    """The exported run."""
    return export(run, run.parent / "shared")


def test_an_exported_head_gives_the_scores_of_the_run(run: Path, folder: Path) -> None:
    model = LLMVS.from_pretrained(folder)
    cache = EmbeddingCache(next((run.parents[3] / "cache" / "demo").glob("embeddings-*")))
    scores = json.loads((run / "scores" / "val.json").read_text())
    assert scores
    for key, expected in scores.items():
        embeddings = cache.read(key)
        with torch.inference_mode():
            found = model(embeddings.q, embeddings.a)
        assert found.tolist() == pytest.approx(expected, abs=1e-6)
    assert (
        model.identity["backbone.scorer"]
        == cache.identity["backbone.scorer"]
        == model.extraction["backbone.scorer"]
    )


def test_saved_again_by_the_library_it_is_the_same_model(folder: Path, tmp_path: Path) -> None:
    model = LLMVS.from_pretrained(folder)
    model.save_pretrained(tmp_path / "again")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    q, a = torch.randn(2, 9, model.head.input_dim)
    with torch.no_grad():
        assert torch.equal(LLMVS.from_pretrained(tmp_path / "again")(q, a), model(q, a))


def test_a_readme_that_is_no_card_of_ours_is_not_replaced(run: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# My project\n")
    with pytest.raises(UserError, match=r"README\.md: exists and is not of an earlier export"):
        export(run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert export(run, export(run, tmp_path / "new")) == tmp_path / "new"


def test_the_folder_holds_how_embeddings_are_made(run: Path, folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "config.json",
        "extraction.yaml",
        "model.safetensors",
    }
    again = load_config([str(folder / "extraction.yaml"), "data.dataset=own"])
    was = load_config([str(run / "config.yaml")])
    assert (again.backbone, again.prompt, again.examples) == (
        was.backbone,
        was.prompt,
        was.examples,
    )
    assert (again.caption.max_tokens, again.extract.fps) == (4, was.extract.fps)


def test_the_card_says_what_a_reader_must_know(run: Path, folder: Path) -> None:
    text = (folder / "README.md").read_text()
    front = yaml.safe_load(text.split("---")[1])
    assert front["library_name"] == "llmvs"
    assert front["pipeline_tag"] == "video-classification"
    assert {"video-summarization", "demo", "synthetic", "arxiv:2504.11199"} <= set(front["tags"])
    assert hub.ModelCard(text).data.library_name == "llmvs"
    result = json.loads((run / "result.json").read_text())
    assert f"{result['protocols']['paper']['This run']['tau']:+.4f}" in text
    for phrase in (
        "synthetic",
        "held out",
        "`disjoint` splits",
        "builtin:tiny-llama",
        "`prompt.window` | 7",
        "Lee, Min Jung",
        "Ceiling, the annotators' own mean",
        "LLMVS.from_pretrained",
        *result["videos"]["test"],
    ):
        assert phrase in text, phrase
    assert (
        str(run.parents[3])
        not in text
        + (folder / "config.json").read_text()
        + (folder / "extraction.yaml").read_text()
    )


def test_the_verb(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), f"to={tmp_path / 'x'}"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'x'}\n"
    assert main(["export", str(run)]) == 0
    assert (run / "export" / "model.safetensors").exists()


def damaged(run: Path, place: Path, name: str, content: bytes | None) -> Path:
    copy = place / "copy"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("export"))
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    return copy


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("result.json", None, "not finished, or not a run"),
        ("result.json", b"[]", "not the result of a run"),
        ("result.json", b"{", "not readable as the result of a run"),
        ("model.safetensors", None, "model.safetensors: no such file"),
        ("model.safetensors", b"weights", "are not a trained head"),
        ("config.json", None, r"config\.json: no such file"),
    ],
)
def test_a_run_that_cannot_be_shared(
    run: Path, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        export(damaged(run, tmp_path, name, content), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def of_method(run: Path, place: Path, method: MethodConfig) -> Path:
    """The run as if the scorer by itself, or fine-tuned, had made it."""
    copy = damaged(run, place, "config.json", None)
    config = replace(load_config([str(copy / "config.yaml")]), method=method, selection="last")
    (copy / "config.yaml").write_text(to_yaml(config))
    return copy


def test_a_frozen_model_by_itself_has_nothing_to_share(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"nothing was trained in this run \(method\.model=scorer\)"
    ):
        export(of_method(run, tmp_path, MethodConfig("scorer")))


def test_of_a_fine_tuned_model_the_adapter_is_shared(run: Path, tmp_path: Path) -> None:
    copy = of_method(run, tmp_path, MethodConfig("scorer", lora=True))
    with pytest.raises(UserError, match=r"adapter_config\.json: no such file"):
        export(copy, tmp_path / "out")
    (copy / "adapter").mkdir()
    (copy / "adapter" / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": "/home/me/llama", "r": 8})
    )
    with pytest.raises(UserError, match="expected the weights of an adapter"):
        export(copy, tmp_path / "out")
    save_file({"lora_A": torch.ones(2)}, copy / "adapter" / "adapter_model.safetensors")
    folder = export(copy, tmp_path / "out", "me/tuned")
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "extraction.yaml",
    }
    assert json.loads((folder / "adapter_config.json").read_text()) == {
        "base_model_name_or_path": "llama",
        "r": 8,
    }
    assert load_file(folder / "adapter_model.safetensors")["lora_A"].tolist() == [1, 1]
    card = (folder / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert (front["library_name"], front["base_model"], front["pipeline_tag"]) == (
        "peft",
        "llama",
        "text-generation",
    )
    assert 'PeftModel.from_pretrained(base, "me/tuned")' in card


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["push=true"], "give both"),
        (["repo=a/b"], "give both"),
        (["push=yes"], "give both"),
        (["too=x"], "did you mean to?"),
        (["x"], "'x' is neither an option nor key=value"),
    ],
)
def test_mistakes_of_the_verb(
    run: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run), *more]) == 2
    assert message in capsys.readouterr().err


def test_no_run_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("llmvs: nowhere: no such folder")


def test_pushing_creates_the_repository_and_uploads_the_folder(
    run: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    done: list[Any] = []

    class Api:
        def whoami(self) -> dict[str, str]:
            return {"name": "me"}

        def create_repo(self, repo: str, exist_ok: bool) -> SimpleNamespace:
            done.append((repo, exist_ok))
            return SimpleNamespace(repo_id=repo)

        def upload_folder(self, repo_id: str, folder_path: Path, commit_message: str) -> str:
            done.append((repo_id, sorted(path.name for path in folder_path.iterdir())))
            return "https://hub/commit"

    monkeypatch.setattr(hub, "HfApi", Api)
    assert main(["export", str(run), f"to={tmp_path / 'x'}", "push=true", "repo=me/head"]) == 0
    assert done == [
        ("me/head", True),
        ("me/head", ["README.md", "config.json", "extraction.yaml", "model.safetensors"]),
    ]
    assert capsys.readouterr().out == "https://hub/commit\n"
    assert 'from_pretrained("me/head")' in (tmp_path / "x" / "README.md").read_text()


def test_without_a_login_the_folder_is_there_and_one_line_says_how_to_log_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr("huggingface_hub.hf_api.get_token", lambda: None)
    with pytest.raises(UserError, match="not logged in to the hub: run `hf auth login` first"):
        push(folder, "me/head")


def test_loading_tells_what_is_wrong(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    weights = load_file(copy / "model.safetensors")
    del weights["head.project.0.bias"]
    save_file(weights, copy / "model.safetensors")
    with pytest.raises(UserError, match=r"not a trained head.*project\.0\.bias"):
        LLMVS.from_pretrained(copy)
    settings = json.loads((copy / "config.json").read_text())
    settings["head"]["invented_later"] = 1
    (copy / "config.json").write_text(json.dumps(settings))
    with pytest.raises(UserError, match=r"of a newer llmvs .*invented_later"):
        LLMVS.from_pretrained(copy)
    (copy / "config.json").unlink()
    with pytest.raises(UserError, match=r"config\.json: no such file"):
        LLMVS.from_pretrained(copy)
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="me/none: no such folder, and the hub cannot be reached"):
        LLMVS.from_pretrained("me/none", cache_dir=tmp_path)
    with pytest.raises(UserError, match="not a hub id"):
        LLMVS.from_pretrained("a/b/c/d")


def test_embeddings_of_another_model_are_refused(folder: Path) -> None:
    model = LLMVS.from_pretrained(folder)
    dim = model.head.input_dim
    for q, a in (
        (torch.zeros(3, dim + 1),) * 2,
        (torch.zeros(3, dim), torch.zeros(4, dim)),
        (torch.zeros(1, 3, dim),) * 2,
    ):
        with pytest.raises(UserError, match="builtin:tiny-llama"):
            model(q, a)


@pytest.mark.parametrize("inputs", ["q", "a", "qa"])
def test_a_head_reads_what_it_was_trained_on(inputs: Any) -> None:
    model = LLMVS(4, HeadConfig(inputs=inputs, dim=16, layers=1, feedforward=16)).eval()
    q, a = torch.randn(2, 5, 4)
    steps = {"q": q, "a": a, "qa": torch.where(q > a, q, a)}[inputs]
    with torch.no_grad():
        assert torch.equal(model(q, a), model.head(steps, torch.tensor([5])))


def test_importing_the_package_stays_light() -> None:
    code = (
        "import sys, llmvs; print('torch' in sys.modules, hasattr(llmvs, 'none')); llmvs.LLMVS;"
        " print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.split(r"\s+", done.stdout.strip()) == ["False", "False", "True"]
