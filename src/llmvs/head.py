"""The trained network (paper, section 3.3): one score per step from the embeddings of a whole video. Pure torch.

    embedding [D] -> Linear -> LayerNorm -> self-attention over the T steps (post-norm, no positions) -> score MLP -> sigmoid
"""

from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from llmvs.config import HeadConfig
from llmvs.errors import UserError
from llmvs.files import atomic, read_json, write_json

WEIGHTS = "weights.safetensors"
DESCRIPTION = "head.json"


class Head(nn.Module):
    """Global aggregation: 88.8 M parameters at D = 5120 and the paper's settings."""

    def __init__(self, input_dim: int, config: HeadConfig) -> None:
        """Draw initial weights from torch's global generator: Xavier-uniform for every matrix.

        Args:
            input_dim: D, the width of a step's embedding.
            config: the network's sizes; `aggregator="mlp"` leaves the self-attention out.
        """
        super().__init__()
        self.input_dim = input_dim
        self.config = config
        self.project = nn.Sequential(nn.Linear(input_dim, config.dim), nn.LayerNorm(config.dim))
        self.encoder = _encoder(config) if config.aggregator == "attention" else None
        self.score = _score_mlp(config.dim)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """Score every step of every video.

        Args:
            embeddings: [B, T, D] steps, padded at the end of the shorter videos.
            mask: bool [B, T], True where a step is real. Every video has at least one.

        Returns:
            float32 [B, T] in [0, 1], also under autocast; meaningless where `mask` is False.
        """
        steps = self.project(embeddings)
        if self.encoder is not None:
            steps = self.encoder(steps, src_key_padding_mask=~mask)
        *hidden, last = self.score
        for layer in hidden:
            steps = layer(steps)
        with torch.autocast(steps.device.type, enabled=False):  # the loss is a difference of small numbers
            return last(steps.float()).squeeze(-1).sigmoid()


def _encoder(config: HeadConfig) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(config.dim, config.heads, config.feedforward, config.dropout, batch_first=True)
    # Nested tensors would cut the output to the longest real video, another shape than in training.
    return nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)


def _score_mlp(dim: int) -> nn.Sequential:
    """dim -> dim/2 -> dim/4 -> dim/8 -> dim/16 -> 1, a LayerNorm after the first and the third layer."""
    half, quarter, eighth, sixteenth = (dim // 2**power for power in range(1, 5))
    return nn.Sequential(
        nn.Linear(dim, half), nn.LayerNorm(half), nn.ReLU(),
        nn.Linear(half, quarter), nn.ReLU(),
        nn.Linear(quarter, eighth), nn.LayerNorm(eighth), nn.ReLU(),
        nn.Linear(eighth, sixteenth), nn.ReLU(),
        nn.Linear(sixteenth, 1),
    )


def save_head(folder: Path, weights: dict[str, Tensor], input_dim: int, config: HeadConfig) -> None:
    """Write a head's `state_dict` as `weights.safetensors`, then what it is as `head.json`."""
    with atomic(folder / WEIGHTS) as temporary:
        save_file({name: value.detach().cpu().contiguous() for name, value in weights.items()}, temporary)
    write_json(folder / DESCRIPTION, {"input_dim": input_dim, "head": asdict(config)})


def load_head(folder: Path) -> Head:
    """Read a head that `save_head` wrote, ready to score.

    Raises:
        UserError: a file is missing, damaged, or the two do not belong together.
    """
    place = folder / DESCRIPTION
    description = read_json(place, "the description of a trained head")
    try:
        head = Head(int(description["input_dim"]), HeadConfig(**description["head"]))
        head.load_state_dict(load_file(folder / WEIGHTS))
    except FileNotFoundError:
        raise UserError(f"{folder / WEIGHTS}: no such file (expected the weights of the head in {DESCRIPTION})") from None
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{folder}: {DESCRIPTION} and {WEIGHTS} are not a trained head ({reason[:200]}): train again") from error
    return head.eval()
