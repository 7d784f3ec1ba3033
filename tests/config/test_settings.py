"""What a setting affects is said once, and names, reuse, fingerprints and export follow from it."""

from typing import get_args

import pytest

from llmvs.config.affects import Stage
from llmvs.config.load import flat, load_config
from llmvs.config.settings import (
    all_settings,
    leaves,
    meaning,
    nested,
    setting_of,
    shaping_embeddings,
)
from llmvs.config.values import value_of
from llmvs.extraction import identity

SCORER = {
    "backbone.dtype": "auto",
    "backbone.quantize": "none",
    "examples.count": 3,
    "examples.source": "fixed",
    "extract.engine": "auto",
    "extract.keep": "pooled",
    "extract.readout": "rmsnorm",
    "prompt.style": "numeric",
    "prompt.window": 7,
    "recipe": 1,
    "wording": "ea28079146b54b18",
}
CAPTIONER = {
    "backbone.dtype": "auto",
    "backbone.quantize": "none",
    "caption.kind": "general",
    "caption.prompt": "Provide a detailed one-sentence description of this image.",
    "extract.every_nth_frame": None,
    "extract.fps": 2.0,
    "recipe": 1,
}


@pytest.fixture(autouse=True)
def _no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "identify", lambda name, revision: f"{name}@{revision}")


@pytest.mark.parametrize(
    ("arguments", "captions", "embeddings"),
    [
        (
            ["data.dataset=summe"],
            {
                "backbone.captioner": "llava-hf/llava-1.5-7b-hf",
                "captioner": "llava-hf/llava-1.5-7b-hf@None",
                "caption.max_tokens": 77,
            },
            {
                "backbone.scorer": "meta-llama/Llama-2-13b-chat-hf",
                "scorer": "meta-llama/Llama-2-13b-chat-hf@None",
                "prompt.max_tokens": 5,
                "captions": "4dc17f43",
            },
        ),
        (
            ["demo"],
            {
                "backbone.captioner": "builtin:demo-llava",
                "captioner": "builtin:demo-llava@None",
                "caption.max_tokens": 60,
            },
            {
                "backbone.scorer": "builtin:demo-llama",
                "scorer": "builtin:demo-llama@None",
                "prompt.max_tokens": 3,
                "captions": "60ee54de",
            },
        ),
    ],
)
def test_fingerprints_are_those_of_the_caches_that_exist(arguments, captions, embeddings):
    for more in ([], ["caption.batch=3", "extract.tokens_per_batch=9", "backbone.device_map=auto"]):
        config = load_config([*arguments, *more])
        assert identity.captions_identity(config) == CAPTIONER | captions
        assert identity.embeddings_identity(config, []) == SCORER | embeddings


def test_fingerprints_of_other_settings():
    folds = load_config(["data.dataset=summe", "examples.source=fold", "fold=2"])
    found = identity.embeddings_identity(folds, [])
    assert {key: found[key] for key in ("examples.seed", "data.splits", "fold")} == {
        "examples.seed": 0,
        "data.splits": "paper",
        "fold": 2,
    }
    given = load_config(["data.dataset=summe", "extract.captions=x"])
    assert identity.embeddings_identity(given, [])["captions"] == "supplied"
    regions = identity.captions_identity(load_config(["demo", "caption.kind=regions"]), "answers")
    assert regions["caption.prompt"].count(" | ") == 1
    assert regions["role"] == "answers"


def test_every_setting_says_what_it_affects():
    for key, setting in all_settings().items():
        assert setting.affects, key
        assert set(setting.affects) <= set(get_args(Stage)), key
        assert ("nothing" in setting.affects) == (setting.affects == ("nothing",)), key


def test_what_affects_nothing():
    nothing = {key for key, one in all_settings().items() if one.affects == ("nothing",)}
    assert {
        "lora.at_once",
        "backbone.device_map",
        "extract.tokens_per_batch",
        "caption.batch",
        "devices",
        "data.root",
        "log.wandb",
    } <= nothing
    assert not nothing & {"head.dim", "data.dataset", "precision", "seed", "extract.fps"}
    config = load_config(["demo"])
    assert not nothing & set(meaning(config))
    assert set(shaping_embeddings(config)) < set(meaning(config))


def test_the_folder_is_the_dataset_only_where_it_is_of_ones_own():
    moved, there = (load_config(["summe", f"data.root={root}"]) for root in ("/a", "/b"))
    assert meaning(moved) == meaning(there)
    moved, there = (load_config(["folder", f"data.root={root}/x"]) for root in ("/a", "/b"))
    assert meaning(moved) != meaning(there)


def test_flat_and_nested_are_inverse():
    values = flat(load_config(["demo"]))
    assert dict(leaves(nested(values))) == values
    named = {key for key, one in all_settings().items() if not one.is_open or one.default}
    assert {setting_of(key).key for key in values} == named


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("data.extra", "['tvsum']", ["tvsum"]),
        ("data.extra", '["tvsum", "demo=a dir"]', ["tvsum", "demo=a dir"]),
        ("data.extra", "[tvsum,demo=x]", ["tvsum", "demo=x"]),
        ("data.extra", "tvsum", ["tvsum"]),
        ("data.extra", "[]", []),
        ("data.extra", "['a,b']", ["a,b"]),
        ("extract.fps", "None", None),
        ("extract.captions", "null", None),
        ("caption.prompt", "None", "None"),
        ("caption.prompt", "'a' = \"b\" $", "'a' = \"b\" $"),
        ("resume", "True", "True"),
    ],
)
def test_values_as_agents_and_people_write_them(key, text, value):
    assert value_of(all_settings()[key], text, "") == value


def test_a_group_as_an_agent_writes_it():
    config = load_config(["demo", "--optim={'lr': 0.5, 't_max': None}", "--resume=True"])
    assert (config.optim.lr, config.optim.t_max, config.resume) == (0.5, None, True)
    assert config.optim.epochs == 12
    assert load_config(["demo", "head={dim: 64, dropout: 1e-1}"]).head.dropout == 0.1
