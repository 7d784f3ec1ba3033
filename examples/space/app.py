"""A Space on the Hugging Face hub, or any server: the page of `llmvs app`."""

import os
import sys

from llmvs.cli import main

HERE = [
    "--host=0.0.0.0",  # a Space's container is reached from outside it
    f"--port={os.environ.get('PORT', '7860')}",
    "--max-mb=200",
    "--max-minutes=15",
]
"""What this server takes; a free Space has two cores."""

if __name__ == "__main__":
    sys.exit(main(["app", *HERE]))
