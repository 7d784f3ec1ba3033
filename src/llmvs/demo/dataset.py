"""The demo dataset: a synthetic world of short clips, rendered as real video files, rated by
synthetic annotators.

    ROOT/video_1.mp4 ...     H.264 with sound, tagged as synthetic
    ROOT/annotations.json    what was rendered, every clip's script and ratings; written last, so it
                             means complete

Nothing in it was filmed or judged by a human: it shows that the machinery works, not how well the
method does on people's videos.
"""

from pathlib import Path
from typing import Any

import numpy as np

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Sampling
from llmvs.datasets.splits import FOLDS, generated
from llmvs.datasets.video import Video
from llmvs.demo import annotators
from llmvs.demo.world.render import Job, render
from llmvs.demo.world.script import FPS, TRAINING_SEEDS, Script, script
from llmvs.errors import UserError
from llmvs.files import read_json, write_json
from llmvs.video.writer import read_tags

FORMAT = 4
"""Raised whenever the same seed would give other clips or ratings."""
EVERY = 12
"""Frames between two steps: 2 steps per second."""
_DEFAULTS: dict[str, Any] = {"clips": 40, "seed": 0, "seconds": [40.0, 120.0]}


def load(
    root: Path,
    *,
    clips: int | None = None,
    seed: int | None = None,
    seconds: tuple[float, float] | None = None,
) -> Dataset:
    """The demo dataset in `root`; clips that are missing are rendered first, with a progress bar on
    stderr.

    What is not given is taken from the folder if it holds a finished demo, else from the defaults:
    40 clips of 40 to 120 seconds from seed 0.

    Args:
        root: the folder; made when it does not exist.
        clips: how many, at least 5 (there are 5 folds).
        seed: which world, from 0 up to `world.TRAINING_SEEDS`; from there on seeds are for training
            material.
        seconds: shortest and longest clip.

    Raises:
        UserError: the folder holds a demo of other parameters, or other people's videos; or it
            cannot be written.
    """
    asked = {
        "clips": clips,
        "seed": seed,
        "seconds": None if seconds is None else [float(s) for s in seconds],
    }
    manifest = Path(root) / "annotations.json"
    done = _read(manifest) if manifest.exists() else None
    made = {
        **(_DEFAULTS if done is None else done["world"]),
        **{key: value for key, value in asked.items() if value is not None},
    }
    _check(made)
    if done is not None and made != done["world"]:
        raise UserError(
            f"{root}: holds a demo of {_words(done['world'])}, not of {_words(made)}: choose"
            " another folder or delete it"
        )
    scripts = [
        script(made["seed"], number, tuple(made["seconds"])) for number in range(made["clips"])
    ]
    _render(Path(root), scripts, made, known=done is not None)
    if done is None:
        done = _annotated(made, scripts)
        write_json(manifest, done)
    videos = [_video(Path(root), number, clip) for number, clip in enumerate(done["clips"])]
    keys = [video.key for video in videos]
    return Dataset(
        "demo",
        "ratings",
        dict(zip(keys, videos, strict=True)),
        generated(keys, "demo"),
        synthetic=True,
        sampling=Sampling(fps=FPS / EVERY),
    )


def _annotated(made: dict[str, Any], scripts: list[Script]) -> dict[str, Any]:
    """The content of annotations.json: which world it is, every clip's script and ratings."""
    clips = [
        {
            "script": clip.to_json(),
            "ratings": ["".join(map(str, row)) for row in annotators.ratings(clip)],
        }
        for clip in scripts
    ]
    return {"format": FORMAT, "synthetic": True, "world": made, "clips": clips}


def read_scripts(root: Path) -> dict[str, Script]:
    """The script of every clip of a finished demo, by key: the ground truth of what its frames
    show.
    """
    clips = _read(Path(root) / "annotations.json")["clips"]
    return {
        f"video_{number + 1}": Script.from_json(clip["script"]) for number, clip in enumerate(clips)
    }


def _read(manifest: Path) -> dict[str, Any]:
    value = read_json(manifest, "the annotations of a rendered demo")
    if not isinstance(value, dict) or value.get("format") != FORMAT or "world" not in value:
        raise UserError(
            f"{manifest}: not the annotations of a demo of format {FORMAT}: choose another folder"
            " or delete it"
        )
    return value


def _check(made: dict[str, Any]) -> None:
    if made["clips"] < FOLDS:
        raise UserError(f"clips={made['clips']} of the demo: at least {FOLDS}, one for each fold")
    if not 0 <= made["seed"] < TRAINING_SEEDS:
        raise UserError(
            f"seed={made['seed']} of the demo: from 0 to {TRAINING_SEEDS - 1} (the others make"
            " training material)"
        )
    if not 6 <= made["seconds"][0] <= made["seconds"][1]:
        raise UserError(
            f"seconds={made['seconds']} of the demo: shortest and longest clip, at least 6 s"
        )


def _words(made: dict[str, Any]) -> str:
    return (
        f"clips={made['clips']} seed={made['seed']}"
        f" seconds={made['seconds'][0]:g}-{made['seconds'][1]:g}"
    )


def _render(root: Path, scripts: list[Script], made: dict[str, Any], known: bool) -> None:
    """Render the clips that are not there; `known`: those that are were checked when the folder was
    finished.
    """
    world = f"seed={made['seed']} seconds={made['seconds'][0]:g}-{made['seconds'][1]:g}"
    tags = [
        f"synthetic demo clip {clip.clip + 1} of llmvs, format {FORMAT}, {world}"
        for clip in scripts
    ]
    missing = [
        clip
        for clip, tag in zip(scripts, tags, strict=True)
        if not _is_there(root, clip, tag, known)
    ]
    render([Job(clip, _path(root, clip.clip), tags[clip.clip]) for clip in missing])


def _is_there(root: Path, clip: Script, tag: str, known: bool) -> bool:
    path = _path(root, clip.clip)
    if not path.exists():
        return False
    if not known and read_tags(path).get("comment") != tag:
        raise UserError(
            f"{path}: not the clip that the demo would write here: choose another folder, or move"
            " it away"
        )
    return True


def _path(root: Path, number: int) -> Path:
    return root / f"video_{number + 1}.mp4"


def _video(root: Path, number: int, clip: dict[str, Any]) -> Annotations:
    what = Script.from_json(clip["script"])
    pieces = np.array([[int(rating) for rating in row] for row in clip["ratings"]], np.uint8)
    scores = annotators.spread(pieces, what.n_frames)
    picks = np.arange(0, what.n_frames, EVERY, dtype=np.int64)
    gtscore = ((scores[:, picks].mean(axis=0) - 1) / 4).astype(np.float32)
    path = _path(root, number)
    return Annotations(
        Video(path.stem, path.stem, path, picks, fps=float(FPS)),
        what.n_frames,
        gtscore,
        user_scores=scores,
        shots=what.shots,
    )
