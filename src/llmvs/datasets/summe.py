"""SumMe: 25 videos, 15 to 18 people each, who each cut a summary of 5 to 15 % of the video (Gygli
et al., ECCV 2014).

Read from `data.root`, whichever of these it holds:

* an h5 file in the eccv16 layout (`eccv16_dataset_summe_google_pool5.h5`): picks, gtscore,
user_summary, change_points;
* `GT/*.mat`, the authors' annotations: raw labels (the published Human row needs them), frame
rates; enough alone for
  the protocols that need no shots.

Videos, needed only to extract from, are looked for by name in `videos/`, `video/` and `data.root`
itself.
"""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Sampling
from llmvs.datasets.files import absent, find_video, first, gtscore_of, read_eccv16, same_length
from llmvs.datasets.splits import published
from llmvs.datasets.video import Array, Video
from llmvs.errors import UserError

HOME = "https://gyglim.github.io/me/vsum/index.html"
H5_NAMES = ("eccv16_dataset_summe_google_pool5.h5", "summe_annotations.h5", "*summe*.h5")
H5_FIELDS = ("n_frames", "picks", "gtscore", "user_summary", "change_points")
PICK_EVERY = 15
"""Frames between two picks in the published annotations."""


def load(root: Path) -> Dataset:
    """Read SumMe from a folder.

    Raises:
        UserError: neither file is there, a field is missing, or the files do not belong together.
    """
    matlab = {path.stem: path for path in sorted((root / "GT").glob("*.mat"))}
    h5 = first(root, H5_NAMES)
    if h5:
        videos = [
            _from_h5(key, group, h5, matlab, root)
            for key, group in read_eccv16(h5, H5_FIELDS).items()
        ]
    elif matlab:
        videos = [
            _from_matlab(f"video_{i}", matlab[name], root)
            for i, name in enumerate(sorted(matlab), start=1)
        ]
    else:
        raise absent(root, (*H5_NAMES, "GT/*.mat"), "SumMe's annotations", HOME)
    splits = published("summe")
    train, test = splits["disjoint"][0]
    missing = {*train, *test} - {video.key for video in videos}
    if missing:
        raise UserError(
            f"{h5 or root / 'GT'}: {len(videos)} of SumMe's 25 videos; {', '.join(sorted(missing))}"
            f" missing ({HOME})"
        )
    return Dataset(
        "summe",
        "votes",
        {video.key: video for video in videos},
        splits,
        sampling=Sampling(every_nth_frame=PICK_EVERY),
    )


def _from_h5(
    key: str, group: dict[str, Any], h5: Path, matlab: dict[str, Path], root: Path
) -> Annotations:
    name = str(group.get("video_name", key))
    n_frames = int(group["n_frames"])
    labels: Array | None = group.get("user_score_raw")
    fps = group.get("fps")
    if name in matlab:
        labels, mat_fps = _read_matlab(matlab[name])
        same_length(
            f"{key} ({name})", {h5.name: n_frames, f"GT/{matlab[name].name}": labels.shape[1]}
        )
        fps = mat_fps if fps is None else fps
    return Annotations(
        Video(
            key,
            name,
            find_video(root, (name, key)),
            group["picks"].astype(np.int64),
            fps=None if fps is None else float(fps),
        ),
        n_frames,
        group["gtscore"].astype(np.float32),
        user_summary=(group["user_summary"] > 0).astype(np.uint8),
        user_labels=labels,
        shots=group["change_points"],
    )


def _from_matlab(key: str, path: Path, root: Path) -> Annotations:
    labels, fps = _read_matlab(path)
    votes = (labels > 0).astype(np.uint8)
    picks = np.arange(0, votes.shape[1], PICK_EVERY)
    return Annotations(
        Video(key, path.stem, find_video(root, (path.stem, key)), picks, fps=fps),
        votes.shape[1],
        gtscore_of(votes, picks, 0, 1),
        user_summary=votes,
        user_labels=labels,
    )


def _read_matlab(path: Path) -> tuple[Array, float]:
    """Raw labels [U, n_frames] and frames per second of one of the authors' files."""
    try:
        content = loadmat(path, variable_names=["user_score", "FPS"])
        return content["user_score"].T.astype(np.int64), float(content["FPS"].item())
    except (  # IndexError: scipy's answer, up to 1.15, to a file that ends within its header
        OSError,
        MatReadError,
        ValueError,
        LookupError,
        NotImplementedError,
        TypeError,
    ) as error:
        raise UserError(
            f"{path}: not one of SumMe's annotation files ({error}): they are published at {HOME}"
        ) from error
