"""Where a result was made: versions, revision, hardware; so that a number can be traced."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "torch",
    "lightning",
    "transformers",
    "torchmetrics",
    "numpy",
    "scipy",
    "omegaconf",
    "opencv-python-headless",
    "safetensors",
)


def environment(tf32: bool = False) -> dict[str, object]:
    """Plain values for `result.json`: library versions, git revision, machine, devices, command
    line.

    Args:
        tf32: whether a GPU was asked to round the operands of fp32 matrix products.
    """
    import torch

    from llmvs import __version__

    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "llmvs": __version__,
        "revision": revision(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "gpus": devices,
        "float32_matrices": "tf32" if tf32 and devices else "fp32",
        "command": " ".join(sys.argv),
    }


def revision() -> str | None:
    """The git commit of the source tree, with `+changes` when files differ from it; None outside a
    checkout.
    """
    try:
        here = Path(__file__).parent
        commit = _git(here, "rev-parse", "HEAD")
        return commit + (
            "+changes" if _git(here, "status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments],  # noqa: S607 - whichever git the user's path has
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
