"""Damaged files of every kind that is read: each is read with a sound meaning or refused in one line.

A good file is changed at random (seeded): flipped bits, cut ends, bytes left out, written twice, exchanged
or replaced by other syntax. What a reader still accepts must be sound, which each case says for itself.
"""

import json
import math
import os
import random
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import torch
import yaml

from llmvs.cache.captions import CaptionCache, Captions, read_captions
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.cache.verify import verify
from llmvs.config.load import load_config
from llmvs.datasets import load
from llmvs.datasets.base import Sampling
from llmvs.datasets.splits import published_names
from llmvs.errors import UserError
from llmvs.evaluation.scores_file import read_scores
from llmvs.experiments.grids import load_grid
from llmvs.experiments.sweep import read_sweep
from llmvs.files import read_json
from llmvs.models.pretrained import LLMVS
from llmvs.models.storage import load_head
from llmvs.results.schema import read_result
from llmvs.training.fit import fit
from tests.films import film
from tests.results.toys import result
from tests.toys import FOLD, make_cache, make_config, make_dataset

DATASET = make_dataset()
TIMES = 300
ROOT = Path(__file__).parents[2]
SYNTAX = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"\n",
    b"\0",
    b"\xff\xfe",
    b"NaN",
    b"-1",
    b"1e999",
]
SYNTAX += [
    b"null",
    b"true",
    b"[" * 2000,
    b"9" * 400,
    b"../../x",
    b"\t",
    b";",
    b"- ",
    b"&a *a",
    b"!!python/none",
]


def mutated(good: bytes, rng: random.Random) -> bytes:
    """Other content, seldom the same."""
    content = bytearray(good)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        at = rng.randrange(len(content) + 1)
        length = min(rng.choice([1, 1, 4, 16, 200]), len(content) - at)
        kind = rng.randrange(7)
        if kind == 0 and content:
            content[min(at, len(content) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del content[at:]
        elif kind == 2:
            del content[at : at + length]
        elif kind == 3:
            content[at:at] = content[at : at + length]
        elif kind == 4:
            content[at : at + length] = rng.randbytes(length)
        elif kind == 5:
            content[at : at + rng.choice([0, length])] = rng.choice(SYNTAX)
        else:
            other = rng.randrange(len(content) + 1)
            content[at : at + length] = content[other : other + length]
    return bytes(content)


@dataclass
class Case:
    """One kind of file."""

    path: Path
    """A good one, which is replaced by damaged ones."""
    read: Callable[[], object]
    """What a user does with it."""
    sound: Callable[[object], bool]
    """Whether what was read can be true."""
    noticed: Callable[[object], bool] = lambda found: False
    """Whether damage is reported without an error."""


def finite(*arrays: object) -> bool:
    """Numbers, all of them."""
    return all(np.isfinite(np.asarray(one, np.float64)).all() for one in arrays if one is not None)


def sound_dataset(dataset) -> bool:
    """Annotations as the rest of the project needs them."""
    for one in dataset.annotations.values():
        picks, votes = one.video.picks, one.user_summary
        if not (one.gtscore.min() >= 0 and one.gtscore.max() <= 1 and finite(one.user_scores)):
            return False
        if (np.diff(picks) <= 0).any() or picks[-1] >= one.n_frames:
            return False
        if votes is not None and not set(np.unique(votes)) <= {0, 1}:
            return False
    return all(
        set(train).isdisjoint(test) for folds in dataset.splits.values() for train, test in folds
    )


def scores_json(folder: Path) -> Case:
    path = folder / "scores.json"
    path.write_text(
        json.dumps({key: one.gtscore.tolist() for key, one in DATASET.annotations.items()})
    )
    return Case(path, lambda: read_scores(path, DATASET), lambda found: finite(*found.values()))


def scores_h5(folder: Path) -> Case:
    path = folder / "scores.h5"
    with h5py.File(path, "w") as file:
        for key, one in DATASET.annotations.items():
            file[key] = one.gtscore
    return Case(path, lambda: read_scores(path, DATASET), lambda found: finite(*found.values()))


def result_json(folder: Path) -> Case:
    (folder / "result.json").write_text(json.dumps(result(0, 3)))
    return Case(
        folder / "result.json",
        lambda: read_result(folder / "result.json"),
        lambda found: isinstance(found.epoch, int) and isinstance(found.heading, str),
    )


def plain_json(folder: Path) -> Case:
    path = folder / "any.json"
    path.write_text(json.dumps({"a": [1, 2.5, None], "b": {"c": "text", "d": True}}))
    return Case(path, lambda: read_json(path, "anything"), lambda found: True)


def layer_yaml(folder: Path) -> Case:
    path = folder / "layer.yaml"
    layer = {"data": {"dataset": "demo"}, "optim": {"lr": 0.001, "epochs": 3}, "experiment": "mine"}
    path.write_text(yaml.safe_dump(layer))
    return Case(
        path,
        lambda: load_config([str(path)]),
        lambda found: (
            found.optim.epochs >= 1 and math.isfinite(found.optim.lr) and found.optim.lr > 0
        ),
    )


def embeddings(folder: Path) -> Case:
    cache = make_cache(folder / "toy" / "embeddings-toy", DATASET)
    return Case(
        cache.path("video_1"),
        lambda: EmbeddingCache(cache.folder, {"scorer": "toy"}).read("video_1"),
        lambda found: finite(found.q.float(), found.a.float()) and len(found.q) == len(found.steps),
    )


def embeddings_fingerprint(folder: Path) -> Case:
    cache = make_cache(folder / "toy" / "embeddings-toy", DATASET)
    manifest = cache.folder / "fingerprint.json"
    return Case(
        manifest,
        lambda: EmbeddingCache(cache.folder, {"scorer": "toy"}),
        lambda found: found.identity == {"scorer": "toy"},
    )


def verified(folder: Path) -> Case:
    """`cache verify`, which exists to find damage, is never stopped by it."""
    case = embeddings_fingerprint(folder)
    return Case(case.path, lambda: verify(folder), reported, lambda found: bool(found[0]))


def reported(found) -> bool:
    """One line each."""
    return not any("\n" in line for line in (*found[0], found[1]))


def verified_embeddings(folder: Path) -> Case:
    case = embeddings(folder)
    return Case(case.path, lambda: verify(folder), reported, lambda found: bool(found[0]))


def captions_file(folder: Path) -> Case:
    cache = CaptionCache(folder / "toy" / "captions-toy", {"captioner": "toy"})
    said = Captions([0, 15, 30], ["a dog", "a \u201ccat\u201d", ""])
    cache.write("one", said, torch.ones(3, 4).half(), source="")
    path = cache.folder / "one.jsonl"
    return Case(
        path,
        lambda: (read_captions(path), verify(folder))[0],
        lambda found: (
            len(found.frames) == len(found.texts) and sorted(found.frames) == found.frames
        ),
    )


def caption_features(folder: Path) -> Case:
    case = captions_file(folder)
    path = case.path.with_suffix(".safetensors")
    cache = CaptionCache(case.path.parent, {"captioner": "toy"})
    return Case(
        path,
        lambda: (cache.features("one"), verify(folder)[0]),
        lambda found: finite(found[0].float()) or len(found[1]) == 1,
    )


def trained(folder: Path) -> Path:
    """A training's folder."""
    cache = make_cache(folder / "embeddings", DATASET)
    fit(make_config(), DATASET, FOLD, cache, folder / "run")
    return folder / "run"


def head_weights(folder: Path) -> Case:
    run = trained(folder)
    return Case(
        run / "model.safetensors",
        lambda: (load_head(run), LLMVS.from_pretrained(run))[0],
        lambda found: all(value.isfinite().all() for value in found.state_dict().values()),
    )


def head_settings(folder: Path) -> Case:
    run = trained(folder)
    return Case(run / "config.json", lambda: load_head(run), lambda found: found.input_dim > 0)


def checkpoint(folder: Path) -> Case:
    run = trained(folder)
    cache = EmbeddingCache(folder / "embeddings", {"scorer": "toy"})
    whole = fit(make_config(), DATASET, FOLD, cache, run)
    return Case(
        run / "last.ckpt",
        lambda: fit(make_config(), DATASET, FOLD, cache, run),
        lambda found: repr(found.epochs["val"].means) == repr(whole.epochs["val"].means),
    )


def folder_csv(folder: Path) -> Case:
    videos = folder / "mine" / "videos"
    videos.mkdir(parents=True)
    for name in ("one", "two", "three"):
        film(videos / f"{name}.mp4", seconds=3)
    path = folder / "mine" / "scores.csv"
    rows = ["video,second,a,b"]
    rows += [f"{name},{t},{t},{3 - t}" for name in ("one", "two", "three") for t in range(3)]
    path.write_text("\n".join(rows))
    return Case(path, lambda: load("folder", folder / "mine", Sampling(fps=2.0)), sound_dataset)


def tvsum_tsv(folder: Path) -> Case:
    rng = np.random.default_rng(0)
    path = folder / "ydata-tvsum50-anno.tsv"
    lines = []
    for video in range(50):
        n_frames = 60 + video
        for _ in range(20):
            ratings = ",".join(map(str, rng.integers(1, 6, n_frames)))
            lines.append(f"Vid{video:02d}abcdefg\tVT\t{ratings}")
    path.write_text("\n".join(lines))
    return Case(path, lambda: load("tvsum", folder), sound_dataset)


def eccv16(path: Path, n_videos: int, votes: bool) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for i in range(1, n_videos + 1):
            n_frames = 90 + 15 * (i % 4)
            group = file.create_group(f"video_{i}")
            picks = np.arange(0, n_frames, 15)
            group["picks"], group["n_frames"], group["n_steps"] = picks, n_frames, len(picks)
            group["change_points"] = np.array([[0, 44], [45, n_frames - 1]])
            group["n_frame_per_seg"] = np.array([45, n_frames - 45])
            group["gtscore"] = rng.random(len(picks)).astype(np.float32)
            if votes:
                group["user_summary"] = rng.integers(0, 2, (3, n_frames)).astype(np.float32)
            group["features"] = rng.random((len(picks), 8)).astype(np.float32)


def summe_h5(folder: Path) -> Case:
    path = folder / "eccv16_dataset_summe_google_pool5.h5"
    eccv16(path, 25, votes=True)
    return Case(path, lambda: load("summe", folder), sound_dataset)


def summe_mat(folder: Path) -> Case:
    (folder / "GT").mkdir()
    rng = np.random.default_rng(0)
    names = list(published_names("summe").values())
    for name in names:
        labels = rng.integers(0, 3, (90, 4)).astype(np.float64)
        document = {
            "user_score": labels,
            "nFrames": 90.0,
            "FPS": 30.0,
            "gt_score": labels.mean(1)[:, None],
        }
        scipy.io.savemat(folder / "GT" / f"{name}.mat", document)
    path = folder / "GT" / f"{names[3]}.mat"
    return Case(path, lambda: load("summe", folder), sound_dataset)


def mrhisum_h5(folder: Path) -> Case:
    """The layout of the authors: a group per video, seconds for frames."""
    rng = np.random.default_rng(0)
    path = folder / "mr_hisum.h5"
    keys = [f"video_{i}" for i in range(1, 7)]
    with h5py.File(path, "w") as file:
        for key in keys:
            group = file.create_group(key)
            group["gtscore"] = rng.random(40)
            group["change_points"] = np.array([[0, 10], [10, 25], [25, 40]])
            group["gt_summary"] = rng.integers(0, 2, 40)
            group["features"] = rng.random((40, 4)).astype(np.float32)
    split = {"train_keys": keys[:4], "val_keys": keys[4:5], "test_keys": keys[5:]}
    (folder / "mr_hisum_split.json").write_text(json.dumps(split))
    return Case(path, lambda: load("mrhisum", folder), sound_dataset)


def own_h5(folder: Path) -> Case:
    path = folder / "mine.h5"
    eccv16(path, 6, votes=True)
    return Case(path, lambda: load("eccv16", folder), sound_dataset)


def sweep_yaml(folder: Path) -> Case:
    path = folder / "sweep.yaml"
    shutil.copy(ROOT / "sweeps" / "head.yaml", path)
    return Case(path, lambda: read_sweep(path), lambda found: bool(found.parameters))


def grid_yaml(folder: Path) -> Case:
    path = folder / "grid.yaml"
    shutil.copy(ROOT / "configs" / "grid" / "paper.yaml", path)
    return Case(path, lambda: load_grid(str(path)), lambda found: bool(found.rows))


CASES = [
    sweep_yaml,
    grid_yaml,
    mrhisum_h5,
    own_h5,
    scores_json,
    scores_h5,
    result_json,
    plain_json,
    layer_yaml,
    embeddings,
    embeddings_fingerprint,
    verified,
    verified_embeddings,
    captions_file,
    caption_features,
    head_weights,
    head_settings,
    checkpoint,
    folder_csv,
    tvsum_tsv,
    summe_h5,
    summe_mat,
]


def outcome(case: Case, name: str) -> tuple[str | None, object]:
    """The line that refuses a file, or what was read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return None, case.read()
    except UserError as error:
        return str(error), None
    except Exception as error:
        raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_damage_is_one_line(kind, tmp_path):
    case = kind(tmp_path)
    assert case.sound(case.read())
    good, folder = case.path.read_bytes(), case.path.parent
    kept = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    times = int(os.environ.get("LLMVS_MUTATIONS", "0")) or (60 if kind is checkpoint else TIMES)
    accepted = 0
    for seed in range(times):
        case.path.write_bytes(mutated(good, random.Random(seed)))
        refusal, found = outcome(case, f"seed {seed}")
        if refusal is None:
            accepted += not case.noticed(found)
            assert case.sound(found), f"seed {seed}"
        else:
            assert refusal, f"seed {seed}"
            assert "\n" not in refusal, f"seed {seed}"
        for path, content in kept.items():
            if path != case.path and (not path.exists() or path.read_bytes() != content):
                path.write_bytes(content)
    assert accepted < times, "nothing was ever noticed"
    shutil.rmtree(tmp_path, ignore_errors=True)
