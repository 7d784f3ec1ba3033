"""Scores by language models: the frozen pair's own numbers, trained heads, wishes and words."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import llmvs
from llmvs import LLMVS
from llmvs.cache.captions import CaptionCache
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.cli import main
from llmvs.config.load import load_config
from llmvs.config.schema import HeadConfig
from llmvs.config.settings import making_embeddings
from llmvs.errors import UserError, VideoError
from llmvs.extraction import examples, hub, models
from llmvs.extraction.identity import embeddings_identity
from llmvs.models import own_video
from llmvs.summary import method
from llmvs.summary.language import Language
from llmvs.summary.summarize import summarize
from tests.films import film

CAPTIONS = ["a dog runs", "a dog runs", "a red car", "a man cooks", "a man cooks", "a cat"]
SAID = "1\n00:00:00,200 --> 00:00:01,000\nlook at the dog\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder of one's own."""
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "my film.mp4", 3)
    lines = [
        json.dumps({"step": t, "frame": 5 * t, "caption": text}) for t, text in enumerate(CAPTIONS)
    ]
    (tmp_path / "captions.jsonl").write_text("\n".join(lines))
    return tmp_path


@pytest.fixture
def numbers(monkeypatch):
    """A scorer that answers with numbers of our choice (random weights say anything)."""
    answers = ["3", "7", "x", "10", "0", "5"]
    read = own_video.Readings.of

    def of(self, video, with_features=False):
        found = read(self, video, with_features)
        return replace(found, embeddings=replace(found.embeddings, answers=answers))

    monkeypatch.setattr(own_video.Readings, "of", of)
    return answers


def embeddings_differ(here):
    """Whether the two readings of the film in the cache are different ones."""
    one, other = (
        EmbeddingCache(folder).read("my film") for folder in (here / "cache" / "own").glob("emb*")
    )
    return not torch.equal(one.q, other.q)


def trained(folder, settings=("tiny",), dim=None, inputs="qa", **changes):
    """A head of random weights for embeddings that `settings` make."""
    config = load_config(["data.dataset=own", "extract.fps=2.0", *settings])
    shown = examples.fixed(config.examples.count, config.prompt.window)
    torch.manual_seed(0)
    head = LLMVS(
        dim or 48,
        HeadConfig(dim=16, layers=1, feedforward=16, inputs=inputs),
        {**making_embeddings(config), **changes},
        embeddings_identity(config, shown),
    )
    head.save_pretrained(folder)
    return head.eval()


@pytest.fixture(scope="module")
def width():
    """D of the tiny scorer."""
    from llmvs.demo.models.tiny import WIDTH

    return WIDTH


def test_zero_shot_numbers_are_the_scores(numbers, capsys):
    summary = summarize("my film.mp4", "50%", settings=["tiny"])
    assert summary.method == "language"
    assert summary.model == "builtin:tiny-llama, zero-shot"
    mean = np.mean([0.3, 0.7, 1.0, 0.0, 0.5])
    np.testing.assert_allclose(summary.scores, [0.3, 0.7, mean, 1.0, 0.0, 0.5], rtol=1e-6)
    assert summary.answers == tuple(numbers)
    assert len(summary.captions) == 6
    assert summary.picks.tolist() == [0, 5, 10, 15, 20, 25]
    said = capsys.readouterr().err
    assert "1 of 6 answers are no number" in said
    assert "know the demo's drawn world and nothing else" in said


def test_a_model_that_answers_no_number_is_refused(numbers):
    numbers[:] = ["well"] * 6
    with pytest.raises(VideoError, match="no answer of builtin:tiny-llama is a number"):
        summarize("my film.mp4", settings=["tiny"])


def test_the_folder_says_what_was_asked_and_answered(numbers, here):
    (here / "my film.srt").write_text(SAID)
    summary = summarize("my film.mp4", "50%", settings=["tiny"], captions="captions.jsonl")
    folder = summary.save(here / "out")
    rows = list(csv.DictReader((folder / "scores.csv").open()))
    assert [row["caption"] for row in rows] == CAPTIONS
    assert [row["answer"] for row in rows] == numbers
    assert rows[0]["said"] == "look at the dog"
    document = json.loads((folder / "summary.json").read_text())
    assert document["method"] == "language"
    assert document["settings"]["prompt.spoken"] is True
    told = [text for shot in document["shots"] for text in shot["captions"]]
    assert [text for text, after in zip(told, [*told[1:], ""], strict=True) if text != after] == [
        "a dog runs",
        "a red car",
        "a man cooks",
        "a cat",
    ]
    assert [answer for shot in document["shots"] for answer in shot["answers"]] == numbers
    page = (folder / "report.html").read_text()
    assert "a man cooks" in page
    assert "look at the dog" in page


def test_a_trained_head_gives_the_scores(here, width):
    head = trained(here / "head", dim=width)
    summary = summarize("my film.mp4", "50%", model=here / "head")
    assert summary.model == str(here / "head")
    scored = head.score_video(here / "my film.mp4")
    assert scored.frames.tolist() == summary.picks.tolist()
    np.testing.assert_allclose(scored.scores.numpy(), summary.scores, rtol=1e-6)
    cache = next((here / "cache" / "own").glob("embeddings-*"))
    read = EmbeddingCache(cache).read("my film")
    np.testing.assert_allclose(head(read.q, read.a).detach().numpy(), summary.scores, rtol=1e-5)
    assert list(summary.captions) == scored.captions.texts


def test_a_head_that_reads_visual_features(here, width):
    plain = trained(here / "head", dim=width)
    summarize("my film.mp4", model=here / "head")
    captions = CaptionCache(next((here / "cache" / "own").glob("captions-*")))
    v = captions.features("my film").shape[1]
    head = trained(here / "visual", dim=width + v, inputs="qav")
    scored = head.score_video(here / "my film.mp4")
    assert scored.scores.shape == (6,)
    assert not torch.allclose(scored.scores, plain.score_video(here / "my film.mp4").scores)


def test_a_head_of_other_embeddings_is_refused(here, width):
    trained(here / "head", dim=width)
    with pytest.raises(UserError, match=r"prompt.window=3 \(expected 7\)"):
        summarize("my film.mp4", model=here / "head", settings=["prompt.window=3"])
    trained(here / "drawn", dim=width, **{"examples.source": "fold"})
    with pytest.raises(UserError, match="examples from the training videos"):
        summarize("my film.mp4", model=here / "drawn")
    with pytest.raises(UserError, match="no such folder"):
        summarize("my film.mp4", model="nowhere")


def test_a_wish_is_told_to_the_scorer(here, width, capsys):
    head = trained(here / "head", dim=width)
    plain = summarize("my film.mp4", model=here / "head")
    wish = summarize("my film.mp4", model=here / "head", about="only dogs")
    assert len(wish.scores) == len(plain.scores)
    assert embeddings_differ(here)
    assert "was trained with another prompt.about" in capsys.readouterr().err
    again = head.score_video("my film.mp4", ["prompt.about=only dogs"])
    np.testing.assert_allclose(again.scores.numpy(), wish.scores, rtol=1e-6)


def test_what_is_said_is_told_to_the_scorer(here, width, capsys):
    trained(here / "head", dim=width)
    plain = summarize("my film.mp4", model=here / "head")
    (here / "talk.srt").write_text(SAID)
    heard = summarize("my film.mp4", model=here / "head", transcript="talk.srt")
    assert embeddings_differ(here)
    assert heard.words[0] == "look at the dog"
    assert heard.spoken[0].start == pytest.approx(0.2)
    (here / "my film.srt").write_text(SAID.replace("00:00:0", "00:09:0"))
    capsys.readouterr()
    other = summarize("my film.mp4", model=here / "head")
    assert "it is of another video: left out" in capsys.readouterr().err
    assert other.words == ()
    np.testing.assert_allclose(other.scores, plain.scores, rtol=1e-6)


def test_auto_asks_language_models_only_where_they_are_or_are_asked_for(monkeypatch):
    assert method.language_for("auto") is None
    assert method.language_for("visual") is None
    monkeypatch.setattr(hub, "at_hand", lambda name, revision: True)
    found = method.language_for("auto")
    assert isinstance(found, Language)
    assert found.config.backbone.scorer == "meta-llama/Llama-2-13b-chat-hf"
    assert found.config.extract.fps == 2.0
    assert method.language_for("visual") is None


def test_at_hand_asks_nobody(here, monkeypatch):
    assert hub.at_hand("builtin:tiny-llama", None)
    assert not hub.at_hand("nobody/nothing", None)
    assert not hub.at_hand("a/b/c/d", None)
    assert not hub.at_hand("nowhere.gguf", None)
    (here / "model").mkdir()
    assert not hub.at_hand("model", None)
    (here / "model" / "config.json").write_text("{}")
    assert hub.at_hand("model", None)
    stored = here / "hub" / "models--some--one"
    (stored / "snapshots" / "abc").mkdir(parents=True)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text("abc")
    (stored / "snapshots" / "abc" / "config.json").write_text("{}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(here / "hub"))
    assert not hub.at_hand("some/one", None)  # its weights were never downloaded
    (stored / "snapshots" / "abc" / "model.safetensors").write_bytes(b"")
    assert hub.at_hand("some/one", None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "visual", "--about", "only goals"], "--about only goals: needs language"),
        (["--method", "visual", "small"], "settings small: needs language models"),
        (["--transcript", "no.srt"], "no.srt: no such file"),
        (["--transcript", "captions.jsonl"], "a transcript ends in .srt or .vtt"),
        (["tiny", "--captions", "no.jsonl"], "no.jsonl: no such folder or file"),
        (["--model", "nowhere"], "nowhere: no such folder"),
        (["tiny", "prompt.style=summary"], "prompt.style=summary: without a trained head"),
        (["tiny", "prompt.windw=3"], "unknown key prompt.windw: did you mean prompt.window?"),
        (["tiny", "--prompt.question=no.txt"], "prompt.question=no.txt: cannot be read"),
        (["tiny", "other.mp4", "--transcript", "a.srt"], "a.srt: belongs to one video, and 2"),
    ],
)
def test_mistakes_are_one_line(arguments, said, here, capsys):
    film(here / "other.mp4", 1)
    assert main(["summarize", "my film.mp4", *arguments]) == 2
    output = capsys.readouterr()
    assert said in output.err
    assert output.err.splitlines()[-1].startswith("llmvs: ")
    assert output.out == ""
    assert not (here / "my film-summary").exists()


def test_several_videos_load_the_models_once(here, numbers, monkeypatch, capsys):
    film(here / "other.mp4", 3, seed=5)
    loaded = []
    load = models.load_scorer
    monkeypatch.setattr(models, "load_scorer", lambda *given: loaded.append(1) or load(*given))
    (here / "broken.mp4").write_bytes(b"no")
    given = ["summarize", "my film.mp4", "broken.mp4", "other.mp4", "tiny", "-o", "all"]
    assert main(given) == 2
    output = capsys.readouterr()
    assert len(loaded) == 1
    assert "failed: broken.mp4: not a readable video" in output.err
    assert sorted(path.name for path in Path("all").iterdir()) == ["my film", "other"]
    assert output.out.count("shots, in all/") == 2


def test_settings_alone_are_no_video(capsys):
    assert main(["summarize", "tiny"]) == 2
    assert "tiny: settings alone: name a video file or a folder" in capsys.readouterr().err


def test_public_name():
    assert llmvs.summarize is summarize
