"""Write SumMe's annotations shuffled between the videos, to look for leaks: nothing that is seen of
a video can then tell what people chose in it, so every trained row must come out at chance.

    python benchmarks/shuffled.py ANNOTATIONS.h5 OUT [--seed 0]

ANNOTATIONS.h5 is a file in the eccv16 layout; OUT becomes a folder to give as `data.root`. Each
video keeps its length, steps and shots, and gets users and gtscore of another one, stretched
to its length; none keeps its own.
"""

import argparse
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("annotations", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True)
    with (
        h5py.File(given.annotations) as source,
        h5py.File(given.out / given.annotations.name, "w") as to,
    ):
        keys = sorted(source)
        donors = dict(zip(keys, exchanged(keys, given.seed), strict=True))
        for key, donor in donors.items():
            group = to.create_group(key)
            for name in source[key]:
                group[name] = source[key][name][()]
            for name in ("user_summary", "gtscore"):
                value = stretched(source[donor][name][()], source[key][name].shape[-1])
                del group[name]
                group[name] = value
            if "user_score_raw" in group:  # the same votes in another form
                del group["user_score_raw"]
    print(f"{given.out}: {len(keys)} videos, each with the annotations of another")


def exchanged(keys: list[str], seed: int) -> list[str]:
    """Another key for every key, each given once and none to itself."""
    order = np.random.default_rng(seed).permutation(len(keys))
    place = np.empty(len(keys), int)
    place[order] = np.roll(order, 1)  # one circle through all of them
    return [keys[i] for i in place]


def stretched(values: npt.NDArray, length: int) -> npt.NDArray:
    """The values along the last axis, each repeated or left out, so that there are `length`."""
    index = np.arange(length) * values.shape[-1] // length
    return values[..., index]


if __name__ == "__main__":
    main()
