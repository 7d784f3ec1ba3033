"""Ship the head that a run of the demo trained: `python tools/demo_head.py [RUN]`.

After `llmvs train demo`, whose run (fold 0) is the default. The head reads the embeddings of
demo-llama as it was then: where that is taught again, this follows.
"""

import argparse
import sys
from pathlib import Path

from llmvs.demo.models.shipped import CHECKSUMS, HEAD, WEIGHTS
from llmvs.files import read_json, sha256, write_json
from llmvs.models.storage import head_files, read_head, save_head

RUN = Path("runs/demo/fold0/seed1112")


def main(arguments: list[str]) -> int:
    """Write the head's two files and their checksums; return the exit status."""
    parser = argparse.ArgumentParser(description="Ship the head of a run of the demo.")
    parser.add_argument("run", type=Path, nargs="?", default=RUN)
    parser.add_argument("--to", type=Path, default=WEIGHTS, help="folder of the shipped models")
    given = parser.parse_args(arguments)
    head = read_head(*head_files(given.run))
    save_head(
        given.to / HEAD,
        head.head.state_dict(),
        head.head.input_dim,
        head.head.config,
        head.extraction,
        head.identity,
    )
    place = given.to / CHECKSUMS
    files = {path.name: sha256(path) for path in sorted((given.to / HEAD).iterdir())}
    write_json(place, {**read_json(place, "checksums"), HEAD: files})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
