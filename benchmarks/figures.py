"""What the benchmarks share: a file of figures that says where, when and by which command they were
measured.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

LIBRARIES = ("torch", "lightning", "transformers", "numpy", "scipy", "opencv-python", "av")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that `save` takes."""
    parser.add_argument("--json", type=Path, help="write the figures there")


def save(place: Path | None, figures: Mapping[str, Any]) -> None:
    """Write figures, if a file was asked for, and what they are figures of."""
    if place is not None:
        place.write_text(json.dumps({**where(), "figures": figures}, indent=1) + "\n")


def where() -> dict[str, Any]:
    """Hardware, versions, command and date."""
    return {
        "command": shlex.join(["python", *sys.argv]),
        "date": datetime.datetime.now(tz=datetime.timezone.utc).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def version(name: str) -> str | None:
    """A library's version; None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
