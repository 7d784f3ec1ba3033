"""Tell a network where in its video a step is: fixed sines and cosines, without weights."""

import torch
from torch import Tensor


def packed_sinusoids(lengths: Tensor, dim: int, device: torch.device | None = None) -> Tensor:
    """float32 [N, M]: `sinusoids` of every step's place in its own video, of B videos packed."""
    sizes = lengths.tolist()
    waves = sinusoids(max(sizes), dim, device)
    return torch.cat([waves[:size] for size in sizes])


def sinusoids(n_steps: int, dim: int, device: torch.device | None = None) -> Tensor:
    """float32 [T, M] fixed positional encoding (Vaswani et al. 2017, section 3.5), sines in the
    first half, cosines in the second.

    Entry (t, i) is sin(t / 10000^(2i/M)) for i < M/2, entry (t, M/2 + i) its cosine. A step's place
    is its index, whatever the video's length.
    """
    rates = 10000.0 ** (-torch.arange(dim // 2, device=device) / (dim // 2))
    angles = torch.arange(n_steps, device=device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def pairwise_sinusoids(n_steps: int, dim: int, device: torch.device | None = None) -> Tensor:
    """float32 [T, T] absolute positions as PGL-SUM adds them to the energies of its attention.

    Entry (t, 2i) is sin(t / 10000^(2i/M)), entry (t, 2i + 1) its cosine; the last column of an odd
    number of steps is 0, as in the authors' code.
    """
    pairs = n_steps // 2
    angles = torch.arange(n_steps, device=device)[:, None] * 10000.0 ** (
        -2 * torch.arange(pairs, device=device) / dim
    )
    waves = torch.zeros(n_steps, n_steps, device=device)
    waves[:, 0 : 2 * pairs : 2], waves[:, 1 : 2 * pairs : 2] = angles.sin(), angles.cos()
    return waves
