"""One row per video, on one rank or two, and nothing undefined averaged away."""

import math
import pickle
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from scipy.stats import kendalltau, spearmanr

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.datasets.video import Video
from llmvs.evaluation.metric import ScoredPart, VideoScores
from llmvs.evaluation.protocols import rank_correlations
from tests.evaluation.toys import BestByRank

LENGTHS = (11, 7, 9, 5, 8)


def make_videos() -> list[Video]:
    rng = np.random.default_rng(5)
    found = []
    for i, length in enumerate(LENGTHS):
        ratings = rng.integers(1, 6, (4, length * 2))
        picks = np.arange(length) * 2
        gtscore = ((ratings[:, picks].mean(axis=0) - 1) / 4).astype(np.float32)
        found.append(
            Annotations(
                Video(f"video_{i}", f"clip {i}", picks=picks),
                length * 2,
                gtscore,
                user_scores=ratings,
            )
        )
    return found


def make_metric() -> VideoScores:
    videos = make_videos()
    return VideoScores(
        videos,
        rank_correlations(Dataset("toy", "ratings", {video.key: video for video in videos}, {})),
    )


def draw_scores() -> torch.Tensor:
    """Scores [V, T]; what stands behind a video's last step is nonsense."""
    return torch.rand(len(LENGTHS), max(LENGTHS), generator=torch.Generator().manual_seed(2))


def expected(video: Video, scores: np.ndarray) -> dict[str, float]:
    assert video.user_scores is not None
    people = video.user_scores[:, video.picks]
    return {
        "tau": float(np.mean([kendalltau(scores, person).statistic for person in people])),
        "rho": float(np.mean([spearmanr(scores, person).statistic for person in people])),
    }


def test_rows_scores_means_and_loss_against_scipy() -> None:
    metric, scores = make_metric(), draw_scores()
    metric.update(torch.tensor([3, 0]), scores[[3, 0]])
    metric.update(torch.tensor([1, 2, 4]), scores[[1, 2, 4]])
    scored = metric.gathered()
    want = {
        video.key: expected(video, scores[i, : LENGTHS[i]].numpy())
        for i, video in enumerate(metric.videos)
    }
    for name in ("paper", "per_annotator"):
        assert scored.evaluations[name].per_video.keys() == want.keys()
        for key, row in want.items():
            assert scored.evaluations[name].per_video[key] == pytest.approx(row, abs=1e-12)
        assert scored.means[name] == pytest.approx(
            {name: np.mean([row[name] for row in want.values()]) for name in ("tau", "rho")},
            abs=1e-12,
        )
    errors = [
        np.mean((scores[i, :length].double().numpy() - metric.videos[i].gtscore) ** 2)
        for i, length in enumerate(LENGTHS)
    ]
    assert scored.loss == pytest.approx(np.mean(errors))
    assert scored.undefined == {}
    for i, length in enumerate(LENGTHS):
        assert np.array_equal(scored.scores[f"video_{i}"], scores[i, :length].numpy())


def test_a_video_seen_twice_counts_once() -> None:
    once, twice, scores = make_metric(), make_metric(), draw_scores()
    once.update(torch.arange(5), scores)
    for batch in ([0, 1, 2, 0], [3, 4], [0, 1]):
        twice.update(torch.tensor(batch), scores[batch])
    assert once.gathered().means == twice.gathered().means


def test_an_undefined_video_makes_the_mean_undefined_and_is_named() -> None:
    metric, scores = make_metric(), draw_scores()
    scores[2] = 0.5
    metric.update(torch.arange(5), scores)
    scored = metric.gathered()
    assert scored.undefined == {"paper": ["video_2"], "per_annotator": ["video_2"]}
    assert math.isnan(scored.means["paper"]["tau"])
    assert math.isfinite(scored.evaluations["paper"].per_video["video_1"]["tau"])


def test_reset_forgets_and_unseen_videos_are_left_out() -> None:
    metric, scores = make_metric(), draw_scores()
    metric.update(torch.arange(5), scores)
    metric.reset()
    metric.update(torch.tensor([4]), scores[[4]])
    assert list(metric.gathered().scores) == ["video_4"]


def test_scores_in_half_precision_are_ranked_as_they_come() -> None:
    metric = make_metric()
    metric.update(torch.arange(5), draw_scores().half())
    assert metric.gathered().scores["video_0"].dtype == np.float32


def test_two_names_of_one_protocol_are_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = pickle.loads(pickle.dumps(make_metric()))  # as a spawned rank gets it
    metric.update(torch.arange(5), draw_scores())
    assert [len(prepared) for prepared in metric._prepared.values()] == [1] * 5


def _rank(rank: int, folder: str, shares: list[list[list[int]]]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=len(shares)
    )
    assert dist.get_world_size() == len(shares) == 2
    metric, scores = make_metric(), draw_scores()
    scores[1] = 0.5  # constant: undefined must survive the gathering
    for batch in shares[rank]:
        metric.update(torch.tensor(batch), scores[batch])
    Path(folder, f"{rank}.pickle").write_bytes(pickle.dumps(metric.gathered()))
    dist.destroy_process_group()


@pytest.mark.parametrize(
    "shares",
    [[[[0, 2], [4, 0]], [[1, 3], [1, 3]]], [[[4, 3, 2, 1, 0]], []]],
    ids=["repeated", "one rank idle"],
)
def test_two_ranks_equal_one(tmp_path: Path, shares: list[list[list[int]]]) -> None:
    mp.start_processes(_rank, args=(str(tmp_path), shares), nprocs=2, start_method="fork")
    alone, scores = make_metric(), draw_scores()
    scores[1] = 0.5
    alone.update(torch.arange(5), scores)
    want = alone.gathered()
    for rank in range(2):
        found: ScoredPart = pickle.loads((tmp_path / f"{rank}.pickle").read_bytes())
        np.testing.assert_equal(  # exact, NaN equal to NaN
            *(
                {name: asdict(one) for name, one in part.evaluations.items()}
                for part in (found, want)
            )
        )
        np.testing.assert_equal(found.scores, want.scores)
        assert found.loss == want.loss
        assert found.undefined == {"paper": ["video_1"], "per_annotator": ["video_1"]}


def test_a_protocol_of_one_measure_stands_beside_those_of_two() -> None:
    videos = make_videos()
    dataset = Dataset("toy", "ratings", {video.key: video for video in videos}, {})
    named = {"best": BestByRank(), **rank_correlations(dataset)}
    metric, scores = VideoScores(videos, named), draw_scores()
    metric.update(torch.arange(5), scores)
    scored = metric.gathered()
    assert list(scored.evaluations) == ["best", "paper", "per_annotator"]
    best = [
        float(video.gtscore[scores[i, : LENGTHS[i]].argmax()]) for i, video in enumerate(videos)
    ]
    assert scored.evaluations["best"].per_video["video_2"] == {"importance": best[2]}
    assert scored.means["best"]["importance"] == pytest.approx(np.mean(best))
    assert scored.means["paper"] == scored.means["per_annotator"]
    assert list(scored.means["paper"]) == ["tau", "rho"]
