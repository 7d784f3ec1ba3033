"""An epoch of the head's training: packed videos against padded ones and against one by one, side
by side in one run.

    python benchmarks/head_epoch.py [DATA] [--dim 256] [--layers 3] [--width 512] [--threads 1]
    python benchmarks/head_epoch.py [DATA] --device cuda --precision bf16 --dim 2048 --width 5120

With DATA (a folder of TVSum's annotations) the videos have their lengths; without, lengths are
drawn that spread alike. The padded and the single videos go through PyTorch's own encoder with the
same weights, as before; the figures are the minimum of interleaved epochs, and their ratios.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from figures import add_json, save
from torch import Tensor, nn

from llmvs import load_dataset
from llmvs.config.schema import HeadConfig, OptimConfig
from llmvs.models.batch import GlobalBatches
from llmvs.models.head import Head
from llmvs.models.losses import total_loss

BATCH = 10


def lengths_of(folder: Path | None) -> list[int]:
    """Steps of the 40 training videos of TVSum's first split, or 40 numbers of the same spread."""
    if folder is None:
        drawn = np.random.default_rng(0).lognormal(np.log(420), 0.5, 40)
        return [int(length) for length in drawn.clip(150, 1300)]
    dataset = load_dataset("tvsum", folder)
    return [dataset.video(key).n_steps for key in dataset.splits["paper"][0][0]]


class Padded(nn.Module):
    """The same head on padded videos, with a mask."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head, config = head, head.config
        layer = nn.TransformerEncoderLayer(
            config.dim, config.heads, config.feedforward, config.dropout, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.encoder.load_state_dict(head.encoder.state_dict())

    def forward(self, steps: Tensor, mask: Tensor) -> Tensor:
        """[B, T, D], bool [B, T] -> [B, T]."""
        steps = self.encoder(self.head.project(steps), src_key_padding_mask=~mask)
        return self.head.score(steps).squeeze(-1).sigmoid()

    def loss(self, videos: Sequence[Tensor], truths: Sequence[Tensor]) -> Tensor:
        """Mean over videos of the mean squared error of their real steps."""
        steps = nn.utils.rnn.pad_sequence(list(videos), batch_first=True)
        truth = nn.utils.rnn.pad_sequence(list(truths), batch_first=True)
        lengths = torch.tensor([len(video) for video in videos])
        mask = (torch.arange(steps.shape[1]) < lengths[:, None]).to(steps.device)
        squared = (self(steps, mask) - truth).square().masked_fill(~mask, 0)
        return (squared.sum(dim=1) / mask.sum(dim=1)).mean()


def packed_loss(head: Head, videos: Sequence[Tensor], truths: Sequence[Tensor]) -> Tensor:
    """The same on packed videos."""
    lengths = torch.tensor([len(video) for video in videos])
    scores = head(torch.cat(list(videos)), lengths)
    truth = torch.cat(list(truths))
    return total_loss(scores, truth, lengths.to(truth.device), OptimConfig()).mean()


def epoch(network: nn.Module, count: int, step: Callable[[list[int]], None]) -> float:
    """Seconds of one epoch: forward and backward, without the optimizer, which all share."""
    wait()
    begin = time.perf_counter()
    for share in GlobalBatches(count, BATCH, seed=0):
        network.zero_grad()
        step(share.which)
    wait()
    return time.perf_counter() - begin


def wait() -> None:
    """Wait for a GPU to be done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="?", type=Path)
    for name, default in (
        ("dim", 256),
        ("layers", 3),
        ("width", 512),
        ("threads", 1),
        ("rounds", 3),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("32", "bf16", "fp16"), default="32")
    add_json(parser)
    return parser.parse_args()


def main() -> None:
    """Print seconds per epoch of the three ways."""
    chosen = arguments()
    torch.set_num_threads(chosen.threads)
    lengths = lengths_of(chosen.data)
    generator = torch.Generator().manual_seed(0)
    videos = [
        torch.randn(length, chosen.width, generator=generator).to(chosen.device)
        for length in lengths
    ]
    truths = [torch.rand(length, generator=generator).to(chosen.device) for length in lengths]
    config = HeadConfig(dim=chosen.dim, layers=chosen.layers, feedforward=chosen.dim)
    torch.manual_seed(0)
    head = Head(chosen.width, config).to(chosen.device)
    padded = Padded(head).to(chosen.device)
    kind = {"32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[chosen.precision]

    def backward(loss: Callable[[], Tensor], share: float = 1.0) -> None:
        with torch.autocast(torch.device(chosen.device).type, kind, enabled=kind is not None):
            value = loss() * share
        value.backward()

    def taken(which: list[int]) -> tuple[list[Tensor], list[Tensor]]:
        return [videos[i] for i in which], [truths[i] for i in which]

    def single(which: list[int]) -> None:
        for i in which:
            backward(lambda i=i: padded.loss([videos[i]], [truths[i]]), 1 / len(which))  # type: ignore[misc]

    ways: dict[str, tuple[nn.Module, Callable[[list[int]], None]]] = {
        "packed": (head, lambda which: backward(lambda: packed_loss(head, *taken(which)))),
        "padded": (padded, lambda which: backward(lambda: padded.loss(*taken(which)))),
        "one by one": (padded, single),
    }
    seconds = {name: float("inf") for name in ways}
    for _ in range(chosen.rounds):
        for name, (network, step) in ways.items():
            seconds[name] = min(seconds[name], epoch(network, len(videos), step))
    real = sum(lengths)
    batches = [share.which for share in GlobalBatches(len(videos), BATCH, seed=0)]
    computed = sum(len(which) * max(lengths[i] for i in which) for which in batches)
    print(f"{len(videos)} videos, {real} steps; padded to {computed} ({computed / real:.2f} times)")
    for name, value in seconds.items():
        print(f"{name:<12} {value:7.3f} s per epoch  {value / seconds['packed']:5.2f} times packed")
    save(chosen.json, {"steps": real, "padded to": computed, "seconds": seconds})


if __name__ == "__main__":
    main()
