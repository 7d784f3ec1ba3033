"""The baselines that cost nothing: what they fit, and that they run like any other method."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import MethodConfig
from llmvs.errors import UserError
from llmvs.experiments.run import train
from llmvs.methods.bags import Bags, novelty
from llmvs.methods.ridge import PENALTIES, fit_ridge
from llmvs.methods.simple import BINS
from llmvs.video.footage import watch
from llmvs.video.visual import visual_scores


def scores_of(document):
    with open(f"{document['folder']}/scores/last.json", encoding="utf-8") as file:
        return {key: np.array(values) for key, values in json.load(file).items()}


def test_position_is_the_mean_curve_of_the_training_videos(world):
    dataset, settings = world
    document, text = train(settings("position"))
    assert "position, a baseline that costs nothing" in text
    test = document["videos"]["test"]
    train_keys = [key for key in dataset.videos if key not in test]
    assert set(document["videos"]["train"]) == set(train_keys)
    assert f"{len(train_keys)} videos trained on" in text
    fine = 2000  # a target is constant over a step: its mean over a part, by counting finely
    curves = []
    for key in train_keys:
        target = dataset.annotations_of(key).gtscore
        at = ((np.arange(BINS * fine) + 0.5) / (BINS * fine) * len(target)).astype(int)
        curves.append(target[at].reshape(BINS, fine).mean(axis=1))
    curve = np.mean(curves, axis=0)
    for scores in scores_of(document).values():
        places = (np.arange(len(scores)) + 0.5) / len(scores) * BINS - 0.5
        want = np.interp(places, np.arange(BINS), curve)
        assert_allclose(scores, want, atol=2e-3)


def test_novelty_of_captions_by_hand():
    # "a dog" thrice and "a cat": idf of `a` is 1, of `dog` log(5/4)+1, of `cat` log(5/2)+1.
    dog, cat = np.log(5 / 4) + 1, np.log(5 / 2) + 1
    vectors = np.array([[1, dog, 0]] * 3 + [[1, 0, cat]])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    want = []
    for t in range(4):
        others = np.delete(vectors, t, axis=0).mean(axis=0)
        want.append(1 - vectors[t] @ others / np.linalg.norm(others))
    assert_allclose(novelty(["A dog", "a dog.", "a dog", "a cat"]), want)
    assert_allclose(novelty(["a dog", "a dog"]), [0, 0], atol=1e-12)
    assert novelty(["alone"]).tolist() == [0]
    assert novelty(["", "a dog"]).tolist() == [1, 1]


def test_words_are_there_or_not():
    bags = Bags.of([["a dog runs", "a dog, a dog"], ["it's a cat"]], least=2)
    assert bags.words == {"a": 0, "dog": 1}
    assert bags.present(["a dog and a dog", "nothing"]).tolist() == [[1, 1], [0, 0]]


def test_ridge_is_the_one_of_the_penalties_that_predicts_videos_left_out():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=6)
    features = [rng.normal(size=(n, 6)) + 5 * rng.normal(size=6) for n in (30, 25, 40, 35, 20, 28)]
    targets = [x @ truth + rng.normal(size=len(x)) + 10 * rng.normal() for x in features]
    rows = [x - x.mean(axis=0) for x in features]
    values = [y - y.mean() for y in targets]
    scale = sum(float((x**2).sum()) for x in rows) / 6

    def solved(which, penalty):
        x, y = np.concatenate([rows[i] for i in which]), np.concatenate([values[i] for i in which])
        stacked = np.vstack([x, np.sqrt(penalty * scale) * np.eye(6)])
        return np.linalg.lstsq(stacked, np.concatenate([y, np.zeros(6)]), rcond=None)[0]

    def error(penalty):
        groups = [[0, 5], [1], [2], [3], [4]]
        return sum(
            float(((values[i] - rows[i] @ solved(set(range(6)) - set(out), penalty)) ** 2).sum())
            for out in groups
            for i in out
        )

    best = min(PENALTIES, key=error)
    assert_allclose(fit_ridge(features, targets), solved(range(6), best), rtol=1e-8)


def test_ridge_of_nothing_is_one_line():
    with pytest.raises(UserError, match="1 training videos: a ridge regression needs two"):
        fit_ridge([np.ones((3, 2))], [np.ones(3)])
    with pytest.raises(UserError, match="do not differ within any video"):
        fit_ridge([np.ones((3, 2))] * 2, [np.ones(3)] * 2)
    with pytest.raises(UserError, match="do not differ within any video"):
        fit_ridge([np.ones((3, 0))] * 2, [np.ones(3)] * 2)


def test_the_embeddings_that_are_fitted_are_query_and_answer(world, tmp_path):
    dataset, settings = world
    document, _ = train(settings("embedding_ridge"))
    test = document["videos"]["test"]
    cache = EmbeddingCache(next((tmp_path / "cache" / "films").glob("embeddings-*")))
    assert set(cache.keys()) == set(dataset.videos)  # the training videos too
    rows = {}
    for key in dataset.videos:
        found = cache.read(key)
        rows[key] = np.concatenate([found.q.float(), found.a.float()], axis=1)
    fitted = [key for key in dataset.videos if key not in test]
    everything = np.concatenate([rows[key] for key in fitted])
    scaled = {
        key: (x - everything.mean(axis=0)) / everything.std(axis=0) for key, x in rows.items()
    }
    weights = fit_ridge(
        [scaled[key].astype(float) for key in fitted],
        [dataset.annotations_of(key).gtscore for key in fitted],
    )
    level = np.mean(np.concatenate([dataset.annotations_of(key).gtscore for key in fitted]))
    for key, scores in scores_of(document).items():
        want = scaled[key] @ weights
        assert_allclose(scores, level + want - want.mean(), rtol=1e-3, atol=1e-4)
        assert scores.mean() == pytest.approx(level, abs=1e-5)


def test_what_is_seen_and_heard_needs_no_model(world):
    dataset, settings = world
    document, _ = train(settings("visual_novelty"))
    for key, scores in scores_of(document).items():
        one = dataset.annotations_of(key)
        want = visual_scores(watch(one.video.path, picks=one.picks)).scores
        assert_allclose(scores, want, atol=1e-6)


def test_captions_from_elsewhere_are_enough(world, tmp_path):
    dataset, settings = world
    folder = tmp_path / "given"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for key, video in dataset.annotations.items():
        lines = [
            {"step": t, "frame": int(pick), "caption": " ".join(rng.choice(list("abcdef"), 3))}
            for t, pick in enumerate(video.picks)
        ]
        (folder / f"{key}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    plan = settings("caption_novelty")
    plan = replace(plan, extract=replace(plan.extract, captions=str(folder)))
    document, _ = train(plan)
    key = document["videos"]["test"][0]
    texts = [json.loads(line)["caption"] for line in (folder / f"{key}.jsonl").open()]
    assert_allclose(scores_of(document)[key], novelty(texts), atol=1e-6)
    assert document["embeddings"]["folder"] == str(folder)
    ridge = replace(plan, method=MethodConfig("caption_ridge"), runs=str(tmp_path / "ridge"))
    assert len(scores_of(train(ridge)[0])[key]) == len(texts)
    short = folder / f"{key}.jsonl"
    short.write_text("\n".join(short.read_text().splitlines()[:-2]), encoding="utf-8")
    again = replace(plan, resume=False)
    with pytest.raises(UserError, match=rf"{key}: captions of {len(texts) - 2} of {len(texts)}"):
        train(again)
    trimmed = replace(again, data=replace(again.data, incomplete="trim"))
    assert len(scores_of(train(trimmed)[0])[key]) == len(texts) - 2


@pytest.mark.parametrize("model", ["head", "position", "caption_ridge", "visual_novelty"])
def test_only_models_are_fine_tuned(model):
    with pytest.raises(
        ValueError, match=rf"method.lora.*false with method.model={model}: scorer or"
    ):
        MethodConfig(model, lora=True)
