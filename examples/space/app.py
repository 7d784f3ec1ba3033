"""A Space on the Hugging Face hub, or any server: the page of `llmvs app`."""

import os
import tempfile
from pathlib import Path

from llmvs.app.server import serve

MEGABYTES, MINUTES = 200, 15
"""Largest upload and longest video that this server takes."""

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="llmvs-space-") as folder:
        port = int(os.environ.get("PORT", "7860"))
        serve("0.0.0.0", port, Path(folder), MEGABYTES, MINUTES)  # noqa: S104 - a Space's own container
