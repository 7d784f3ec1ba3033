"""From the released layout of embeddings to the final table, on the real annotations: random
embeddings must score like random scores.

The values are made up, one h5 pair per dataset with all of its videos: whatever a head learns from
them is noise. A score above what chance reaches would mean that a test video's annotations leak
into its own score.
"""

import json

import h5py
import numpy as np
import pytest

from llmvs.cli import main
from tests.config.test_load import CONFIGS

WIDTH, TOKENS = 64, 3
DEVIATIONS = 2.5
"""Half the interval around the random floor, in standard deviations of one draw; holds 99 of 100.
"""


def write_released(folder, dataset):
    """Random query and answer embeddings as they were released: SumMe by file name and pooled,
    TVSum by key and token by token.
    """
    rng = np.random.default_rng(len(dataset.videos))
    for name in ("user_prompt_pool.h5", "gen_pool.h5"):
        with h5py.File(folder / name, "w") as file:
            for key, video in dataset.annotations.items():
                by_name = dataset.name == "summe"
                shape = (video.n_steps, WIDTH) if by_name else (video.n_steps, TOKENS, WIDTH)
                file[video.name.replace(" ", "_") if by_name else key] = rng.standard_normal(
                    shape
                ).astype(np.float16)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["summe", "tvsum"])
def test_random_embeddings_score_like_random_scores(name, request, shared, tmp_path):
    dataset = request.getfixturevalue(name)
    write_released(tmp_path, dataset)
    settings = [
        str(CONFIGS / "dataset" / f"{name}.yaml"),
        f"data.root={shared / name}",
        f"cache={tmp_path / 'cache'}",
    ]
    query, answer = str(tmp_path / "user_prompt_pool.h5"), str(tmp_path / "gen_pool.h5")
    assert main(["import-embeddings", "--query", query, "--answer", answer, *settings]) == 0
    imported = tmp_path / "cache" / name / "imported"
    assert len(list(imported.glob("*.safetensors"))) == len(dataset.videos)
    assert (
        main(
            [
                "train",
                *settings,
                str(CONFIGS / "variant" / "small_head.yaml"),
                f"extract.embeddings={imported}",
                f"runs={tmp_path / 'runs'}",
                "optim.epochs=20",
                "log.wandb=disabled",
                "accelerator=cpu",
            ]
        )
        == 0
    )

    result = json.loads(next((tmp_path / "runs").rglob("result.json")).read_text())
    assert set(result["protocols"]) >= {"paper", "per_annotator"}
    for protocol in ("paper", "per_annotator"):
        rows = result["protocols"][protocol]
        for figure in ("tau", "rho"):
            ours, chance, deviation = (
                rows["This run"][figure],
                rows["random"][figure],
                rows["random"][f"{figure}_sd"],
            )
            print(
                f"{name} {protocol} {figure}: {ours:+.4f}, random {chance:+.4f}, sd {deviation:.4f}"
            )
            assert abs(ours - chance) < DEVIATIONS * deviation
            assert ours < rows["ceiling"][figure] - 0.1
