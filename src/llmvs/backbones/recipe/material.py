"""What the demo's models are taught with: frames of training clips with their truth, drawn while the training runs."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, floor

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from torch.utils.data import IterableDataset, get_worker_info

from llmvs.datasets.demo import annotators
from llmvs.datasets.demo.catalogue import ACTIONS, EVENTS, EVERYWHERE, FIGURES, PEOPLE, PLACES, SHIRTS
from llmvs.datasets.demo.draw import FINE, Painter, camera
from llmvs.datasets.demo.pen import COLOURS, Picture
from llmvs.datasets.demo.world import TRAINING_SEEDS, Actor, Moment, Scene, Script, script

KINDS = (*PEOPLE, *FIGURES)
CAPTIONER_SEEDS = TRAINING_SEEDS
SCORER_SEEDS = TRAINING_SEEDS + 1_000_000
HELD_OUT_SEEDS = TRAINING_SEEDS + 2_000_000
"""Where the seeds of each model's training clips begin, and of those that measure it while it learns."""

_HALF_WIDTH = {"car": 36, "boat": 25, "cow": 30, "horse": 38, "camel": 30, "dog": 18, "cat": 16, "bird": 16}
_HEIGHT = {"car": 36, "boat": 50, "cow": 40, "horse": 66, "camel": 60, "dog": 33, "cat": 29, "bird": 25, "child": 51}
"""Extents of figures in world units; people who are not listed are 24 wide and 66 high."""
_KEPT = 1500


@dataclass(frozen=True)
class Sample:
    """One frame and what is true of it."""

    pixels: Picture
    """uint8 [size, size, 3]: the frame as the captioner sees it."""
    moment: Moment
    patches: npt.NDArray[np.int64]
    """[3, grid, grid]: kind, colour and action of the figure that covers a patch, by number; 0 where there is none."""
    level: int
    """How much the frame matters, 0 to 10 (`Levels`)."""


class Levels:
    """The annotators' mean rating on a scale of 0 to 10: which eleventh of the training clips' seconds it falls into."""

    def __init__(self, clips: int = 150) -> None:
        means = [self.mean(script(SCORER_SEEDS + 500_000 + i, 0)) for i in range(clips)]
        self.edges = np.quantile(np.concatenate(means), np.arange(1, 11) / 11)

    @staticmethod
    def mean(clip: Script) -> npt.NDArray[np.float64]:
        """The mean rating of every piece of 2 s."""
        return np.asarray(annotators.ratings(clip).mean(axis=0), np.float64)

    def __call__(self, clip: Script) -> npt.NDArray[np.int64]:
        """The level of every piece of 2 s."""
        return np.searchsorted(self.edges, self.mean(clip)).astype(np.int64)


class Frames(IterableDataset):
    """Endless frames of clips from `first_seed` on, four of a scene with an event and two of any other, well mixed."""

    def __init__(self, first_seed: int, size: int, grid: int, levels: Levels, crowded: bool = False) -> None:
        """`crowded`: put more figures into every scene, so that a frame has more to teach; their sentences are of no use then."""
        self.first_seed, self.size, self.grid, self.levels, self.crowded = first_seed, size, grid, levels, crowded

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        number, step = (worker.id, worker.num_workers) if worker else (0, 1)
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self.first_seed, number])
        kept: list[Sample] = []
        for seed in itertools.count(self.first_seed + number, step):
            for sample in self._clip(script(seed, 0), rng):
                kept.append(sample)
                if len(kept) > _KEPT:
                    place = int(rng.integers(len(kept)))
                    kept[place], kept[-1] = kept[-1], kept[place]
                    yield kept.pop()

    def _clip(self, clip: Script, rng: np.random.Generator) -> Iterator[Sample]:
        levels, begin = self.levels(clip), 0
        for scene in clip.scenes:
            if self.crowded:
                scene = crowd(scene, rng)
            painter = Painter(scene)
            for number in rng.integers(scene.n_frames, size=4 if scene.event else 2).tolist():
                level = int(levels[min((begin + number) // annotators.PIECE, len(levels) - 1)])
                pixels = shown(painter.frame(number), self.size, int(rng.integers(55, 95)))
                yield Sample(pixels, scene.moment(number), patches(scene, number, self.grid), level)
            begin += scene.n_frames


def crowd(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with figures added, to about six; any kind that is known in the place, doing anything it can do there."""
    place = PLACES[scene.place]
    added = []
    for _ in range(int(rng.integers(3, 6))):
        kind = str(rng.choice(place.figures if place.figures and rng.random() < 0.5 else PEOPLE))
        known = FIGURES[kind][1] if kind in FIGURES else EVERYWHERE + place.doings
        colours = FIGURES[kind][0] if kind in FIGURES else SHIRTS
        action = str(rng.choice(known))
        y = 150.0 if kind == "car" else float(place.water or 110) if kind == "boat" else float(rng.uniform(48, 78) if action == "flies" else
                                                                                               rng.uniform(154, 170))
        added.append(Actor(kind, str(rng.choice(colours)), action, float(rng.uniform(70, 330)), y, int(rng.choice([-1, 1])),
                           float(rng.uniform(0, 6.28))))
    return replace(scene, actors=(*scene.actors, *added))


def shown(frame: Picture, size: int, quality: int) -> Picture:
    """A frame as the captioner sees it, [size, size, 3]; compressed first (JPEG `quality`), as video files are."""
    coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    picture = Image.fromarray(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8))
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC), np.uint8)


def patches(scene: Scene, number: int, grid: int) -> npt.NDArray[np.int64]:
    """Which figure covers which of grid x grid patches of a frame, roughly: int64 [3 (kind, colour, action), grid, grid].

    The figure that an event happens to is left out: it is drawn with the event, not where the script has it.
    """
    left, top, width, height = camera(scene, number)
    found = np.zeros((3, grid, grid), np.int64)
    actors = scene.actors[1:] if scene.event and EVENTS[scene.event].actor else scene.actors
    for actor in sorted(actors, key=lambda a: a.y):
        x = scene.position(actor, number)
        half, height_of = _HALF_WIDTH.get(actor.kind, 12), _HEIGHT.get(actor.kind, 66)
        columns = _covered((x - half) * FINE - left, (x + half) * FINE - left, width, grid)
        rows = _covered((actor.y - height_of) * FINE - top, actor.y * FINE - top, height, grid)
        found[:, rows, columns] = numbers(actor.kind, actor.colour, actor.action)[:, None, None]
    return found


def _covered(first: float, last: float, size: float, grid: int) -> slice:
    """The patches of which at least four tenths lie between two places of a line, or else the one that holds most of it."""
    begin, end = max(0, floor(first / size * grid + 0.4)), min(grid, ceil(last / size * grid - 0.4))
    return slice(min(begin, grid - 1), max(end, begin + 1))


def numbers(kind: str, colour: str, action: str) -> npt.NDArray[np.int64]:
    """[3]: kind, colour and action by number, from 1."""
    return np.array([1 + KINDS.index(kind), 1 + list(COLOURS).index(colour), 1 + list(ACTIONS).index(action)])
