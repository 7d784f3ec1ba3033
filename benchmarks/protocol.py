"""Epochs of a TVSum-sized fold with its two validations: ours as a user trains, the published
procedure (`reference/procedure.py`), and a bare loop that does nothing but forward, backward and
optimizer, side by side in one run.

    python benchmarks/protocol.py [DATA] [--width 5120] [--dim 256] [--layers 3] [--rounds 2]

DATA is a folder with TVSum's table of ratings (ydata-tvsum50-anno.tsv); without it a table of the
same shape is made up. Embeddings are made up. Ours holds the ten test videos out as well, so that
it scores them twice an epoch, as the published procedure does. `--videos 4` takes few videos, for
the full head. Figures are minima over interleaved rounds; on a machine with other work, processor
seconds are the ones to compare.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent / "reference"))
from figures import add_json, save
from procedure import Item, Network, epoch

from llmvs import load_dataset
from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.config.schema import Config, HeadConfig, LogConfig, OptimConfig
from llmvs.datasets.base import Dataset, Fold
from llmvs.datasets.splits import published_names
from llmvs.models.head import Head
from llmvs.models.module import LLMVSModule
from llmvs.training.fit import fit

TABLE = "ydata-tvsum50-anno.tsv"


def made_up_table(path: Path) -> None:
    """20 people, who rate every two seconds of 50 videos of TVSum's spread of lengths."""
    rng = np.random.default_rng(0)
    rows = []
    for name in published_names("tvsum").values():
        n_frames = int(np.clip(rng.lognormal(np.log(420), 0.5), 150, 1300)) * 15
        for _ in range(20):
            ratings = np.repeat(rng.integers(1, 6, n_frames // 60 + 1), 60)[:n_frames]
            rows.append(f"{name}\tXX\t{','.join(map(str, ratings))}\n")
    path.write_text("".join(rows))


def now() -> np.ndarray:
    """Wall and processor seconds."""
    return np.array([time.perf_counter(), time.process_time()])


@contextmanager
def timed_parts() -> Iterator[Counter[str]]:
    """Add up the processor seconds of forward, backward and optimizer in our training."""
    spent: Counter[str] = Counter()

    def timed(part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            start, before = time.process_time(), sum(spent.values())
            result = method(*args, **kwargs)
            within = sum(spent.values()) - before  # Lightning's closure runs inside the optimizer
            spent[part] += time.process_time() - start - within
            return result

        return wrapped

    places = [
        (Head, "forward", "forward"),
        (torch.Tensor, "backward", "backward"),
        (torch.optim.AdamW, "step", "optimizer"),
        (LLMVSModule, "clip_gradients", "optimizer"),
    ]
    with ExitStack() as stack:
        for owner, name, part in places:
            stack.enter_context(patch.object(owner, name, timed(part, getattr(owner, name))))
        yield spent


def ours(
    config: Config, dataset: Dataset, fold: Fold, cache: Path, folder: Path
) -> tuple[np.ndarray, dict[str, float]]:
    """Seconds of an epoch, the mean of those after the first (one figure a round, as the other
    ways have: a minimum over more epochs would favour ours), and the shares of its parts.
    """
    ends: list[np.ndarray] = []
    parts: list[dict[str, float]] = []
    with timed_parts() as spent:

        def note(_: float) -> None:
            ends.append(now())
            parts.append(dict(spent))

        fit(config, dataset, fold, EmbeddingCache(cache), folder, progress=note)
    whole = (ends[-1] - ends[0])[1]
    shares = {part: (parts[-1][part] - parts[0][part]) / whole for part in parts[-1]}
    return np.diff(ends, axis=0).mean(axis=0), {**shares, "else": 1 - sum(shares.values())}


def bare(
    network: Network, optimizer: torch.optim.Optimizer, train: list[Item], test: list[Item]
) -> None:
    """Forward, backward and optimizer over the training videos, and two forwards over the test."""
    network.train()
    for done, item in enumerate(train, start=1):
        loss = nn.functional.mse_loss(network(item.q), item.gtscore)
        (loss / 10).backward()
        if done % 10 == 0 or done == len(train):
            nn.utils.clip_grad_norm_(network.parameters(), 0.01)
            optimizer.step()
            optimizer.zero_grad()
    network.eval()
    with torch.no_grad():
        for item in [*test, *test]:
            network(item.q)


def arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", nargs="?", type=Path)
    for name, default in (
        ("width", 5120),
        ("dim", 256),
        ("layers", 3),
        ("videos", 40),
        ("tested", 10),
        ("rounds", 2),
        ("epochs", 2),
        ("threads", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    add_json(parser)
    return parser.parse_args()


def main() -> None:
    """Print seconds per epoch of the three ways."""
    given = arguments()
    torch.set_num_threads(given.threads)
    logging.getLogger("lightning").setLevel(logging.ERROR)
    head = HeadConfig(dim=given.dim, layers=given.layers, feedforward=given.dim)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        root = given.data or scratch
        if given.data is None:
            made_up_table(scratch / TABLE)
        dataset = load_dataset("tvsum", root)
        train_keys, test_keys = dataset.splits["paper"][0]
        train_keys, test_keys = train_keys[: given.videos], test_keys[: given.tested]
        fold = Fold(0, tuple(train_keys), tuple(test_keys), tuple(test_keys))
        items = write_embeddings(dataset, [*train_keys, *test_keys], given.width, scratch / "cache")
        train, test = items[: len(train_keys)], items[len(train_keys) :]
        torch.manual_seed(0)
        network = Network(given.width, head.dim, head.layers, head.heads, head.feedforward)
        optimizer = torch.optim.AdamW(network.parameters(), lr=7e-5, weight_decay=0.01)
        best: dict[str, np.ndarray] = {}
        shares: dict[str, float] = {}
        for number in range(given.rounds):
            config = Config(
                experiment="benchmark",
                accelerator="cpu",
                head=head,
                optim=OptimConfig(epochs=given.epochs),
                log=LogConfig(wandb="disabled"),
            )
            figures, parts = ours(
                config, dataset, fold, scratch / "cache", scratch / f"run{number}"
            )
            shares = min(shares or parts, parts, key=lambda one: one["else"])
            keep(best, "ours", figures)
            start = now()
            bare(network, optimizer, train, test)
            keep(best, "bare loop", now() - start)
            start = now()
            epoch(network, optimizer, train, test, root / TABLE, scratch)
            keep(best, "reference", now() - start)
    report(given, best, shares)


def keep(best: dict[str, np.ndarray], name: str, seconds: np.ndarray) -> None:
    """Keep the least wall and processor seconds of a way."""
    best[name] = np.minimum(best.get(name, np.inf), seconds)


def write_embeddings(dataset: Dataset, keys: list[str], width: int, folder: Path) -> list[Item]:
    """Draw embeddings, write them into a cache, and give them as the reference takes them."""
    cache = EmbeddingCache(folder, {"made_up": width})
    generator = torch.Generator().manual_seed(0)
    items = []
    for key in keys:
        video = dataset.annotations_of(key)
        q, a = torch.randn(2, video.n_steps, width, generator=generator).half()
        cache.write(key, Embeddings(q, a, torch.from_numpy(video.picks)))
        gtscore = torch.from_numpy(video.gtscore).float()
        items.append(Item(video.name, q.float(), a.float(), gtscore))
    return items


def report(
    given: argparse.Namespace, best: dict[str, np.ndarray], shares: dict[str, float]
) -> None:
    """Print the table, and write it."""
    for name, (wall, processor) in best.items():
        ratio_wall, ratio = (best[name] / best["ours"]).tolist()
        print(
            f"{name:<10} {wall:8.2f} s per epoch ({ratio_wall:5.2f} x ours)"
            f" {processor:8.2f} s of a processor ({ratio:5.2f} x ours)"
        )
    print("ours, of an epoch: ", ", ".join(f"{n} {100 * v:.1f} %" for n, v in shares.items()))
    table = {
        name: dict(zip(("wall", "cpu"), row.tolist(), strict=True)) for name, row in best.items()
    }
    save(given.json, {**table, "shares": shares})


if __name__ == "__main__":
    main()
