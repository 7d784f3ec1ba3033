"""The row of the model that was trained on nothing: its answers' numbers, evaluated like any scores."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.experiments.result import evaluate_answers
from llmvs.methods.answers import Answers, answers_in
from tests.toys import embed, make_dataset

KEYS = ["video_7", "video_8"]
NUMERIC = {"prompt.style": "numeric"}


def cache_of(folder, answers, identity=NUMERIC):
    dataset, cache = make_dataset(), EmbeddingCache(folder, identity)
    for key, texts in answers.items():
        cache.write(
            key,
            replace(
                embed(dataset.annotations_of(key)), answers=texts, answer_ids=[[0]] * len(texts)
            ),
        )
    return dataset, cache


def said(dataset, word=None):
    """Answers that know something of the importance; from step 3 on every fourth is `word`."""
    found = {}
    for key in KEYS:
        texts = [f"{round(10 * score)}/10." for score in dataset.annotations_of(key).gtscore]
        found[key] = [word if word and t % 4 == 3 else text for t, text in enumerate(texts)]
    return found


def test_the_row_is_the_answers_own_correlation(tmp_path):
    dataset, cache = cache_of(tmp_path, said(make_dataset()))
    rows, notes = evaluate_answers(dataset, answers_in(cache, KEYS), KEYS, "zero_shot")
    assert notes == []
    assert set(rows) == {"zero_shot", "zero_shot/untied"}
    taus, rhos = [], []
    for key in KEYS:
        video = dataset.annotations_of(key)
        numbers = np.rint(10 * video.gtscore)
        users = [row for row in video.user_scores[:, video.picks] if len(set(row)) > 1]
        taus.append(np.mean([kendalltau(numbers, row).statistic for row in users]))
        rhos.append(np.mean([spearmanr(numbers, row).statistic for row in users]))
    assert rows["zero_shot"]["paper"].mean == pytest.approx(
        {"tau": np.mean(taus), "rho": np.mean(rhos)}, abs=1e-9
    )


def test_an_answer_without_a_number_counts_as_its_videos_mean():
    found = Answers.of(
        "scorer", {"one": ["8", "I would say 3", "2", "37", "5/10"], "two": ["0", "1"]}
    )
    assert found.scores["one"].tolist() == pytest.approx([0.8, 0.5, 0.2, 0.5, 0.5])
    assert (found.n_steps, found.n_missing, found.silent) == (7, 2, [])
    assert found.notes("LLM") == [
        "LLM: 2 of 7 answers are not a number from 0 to 10; each counts as the mean of its video's numbers."
    ]


def test_a_video_without_any_number_leaves_the_row_undefined(tmp_path):
    answers = said(make_dataset())
    answers["video_8"] = ["a dog"] * len(answers["video_8"])
    dataset, cache = cache_of(tmp_path, answers)
    rows, (note,) = evaluate_answers(dataset, answers_in(cache, KEYS), KEYS, "zero_shot")
    assert set(rows) == {"zero_shot"}
    for one in rows["zero_shot"].values():
        assert np.isnan(list(one.mean.values())).all()
        assert np.isfinite(list(one.per_video["video_7"].values())).all()
        assert one.undefined == ["video_8"]
    assert "undefined, because no answer about video_8 is one" in note


def test_constant_answers_are_undefined_and_said_so(tmp_path):
    answers = {key: ["4"] * len(texts) for key, texts in said(make_dataset()).items()}
    dataset, cache = cache_of(tmp_path, answers)
    rows, notes = evaluate_answers(dataset, answers_in(cache, KEYS), KEYS, "zero_shot")
    assert np.isnan([row["paper"].mean["tau"] for row in rows.values()]).all()
    assert notes[0].startswith(
        "LLM alone, zero-shot: paper: undefined, because the scores of video_7, video_8 have no"
        " ranking"
    )


def test_no_row_without_numbers_to_read(tmp_path):
    dataset, cache = cache_of(
        tmp_path / "summary", said(make_dataset()), {"prompt.style": "summary"}
    )
    assert answers_in(cache, KEYS) is None
    released = EmbeddingCache(tmp_path / "released", {"source": "imported"})
    silent = EmbeddingCache(tmp_path / "silent", NUMERIC)
    for key in KEYS:
        for other in (released, silent):
            other.write(key, embed(dataset.annotations_of(key)))
    assert answers_in(released, KEYS) is None
    assert answers_in(silent, KEYS) is None
