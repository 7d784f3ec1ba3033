"""What the demo's models are taught with: frames of training clips with their truth, drawn while
the training runs.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from torch.utils.data import IterableDataset, get_worker_info

from llmvs.demo.world.catalogue import ACTIONS, COLOURS_OF, DOINGS_AT, EVENTS
from llmvs.demo.world.draw import Painter
from llmvs.demo.world.pen import COLOURS, Picture
from llmvs.demo.world.script import TRAINING_SEEDS, Actor, Moment, Scene, Script, placed, script

KINDS = tuple(COLOURS_OF)
DOINGS = sorted(
    {
        (kind, action)
        for kinds in DOINGS_AT.values()
        for kind, actions in kinds.items()
        for action in actions
    }
)
"""Every figure with everything that it can do."""
CAPTIONER_SEEDS = TRAINING_SEEDS
SCORER_SEEDS = TRAINING_SEEDS + 1_000_000
"""Where the seeds of each model's training clips begin."""

_KEPT, _USES = 1500, 2
"""Frames that are kept to mix, and how often each is given on average: drawing takes as long as
learning from it.
"""
_VISIBLE, _SHARE = 10, 51
"""A pixel has changed by so much grey, and a patch in so many of its pixels, both of 255."""


@dataclass(frozen=True)
class Sample:
    """One frame and what is true of it."""

    pixels: Picture
    """uint8 [size, size, 3]: the frame as the captioner sees it."""
    moment: Moment
    patches: npt.NDArray[np.int64]
    """[4, grid, grid]: kind, colour and action of the figure that covers a patch, and the event, by
    number; 0 where there is none.
    """


class Frames(IterableDataset):
    """Endless frames of clips from `first_seed` on, four of a scene with an event and two of any
    other, well mixed.
    """

    def __init__(self, first_seed: int, size: int, grid: int, crowded: bool = False) -> None:
        """`crowded`: put more figures into every scene, so that a frame has more to teach; their
        sentences are of no use then.
        """
        self.first_seed, self.size, self.grid, self.crowded = first_seed, size, grid, crowded

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        number, step = (worker.id, worker.num_workers) if worker else (0, 1)
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self.first_seed, number])
        kept: list[Sample] = []
        for seed in itertools.count(self.first_seed + number, step):
            for sample in self._clip(script(seed, 0), rng):
                kept.append(sample)
                while len(kept) > _KEPT:
                    place = int(rng.integers(len(kept)))
                    yield kept[place]
                    if rng.random() * _USES < 1:
                        kept[place] = kept[-1]
                        kept.pop()

    def _clip(self, clip: Script, rng: np.random.Generator) -> Iterator[Sample]:
        for scene in clip.scenes:
            if self.crowded:
                scene = crowd(scene, rng)
            elif not scene.event and rng.random() < 0.5:
                scene = cast(scene, rng)
            painter = Painter(scene)
            for number in rng.integers(scene.n_frames, size=4 if scene.event else 2).tolist():
                frame, patches = picture(painter, number, self.grid)
                yield Sample(
                    shown(frame, self.size, int(rng.integers(55, 95))),
                    scene.moment(number),
                    patches,
                )


def crowd(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with up to ten figures more, of any kind, doing anything, anywhere in the picture,
    none quite behind another.
    """
    added: list[Actor] = []
    for _ in range(10):
        kind, action = DOINGS[int(rng.integers(len(DOINGS)))]
        colour = str(rng.choice(COLOURS_OF[kind]))
        x, y = float(rng.uniform(50, 350)), float(rng.uniform(70, 172))
        if all(abs(x - a.x) > 34 or abs(y - a.y) > 46 for a in (*scene.actors, *added)):
            added.append(
                Actor(
                    kind,
                    colour,
                    action,
                    x,
                    y,
                    int(rng.choice([-1, 1])),
                    float(rng.uniform(0, 6.28)),
                )
            )
    return replace(scene, actors=(*scene.actors, *added))


def cast(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with other figures in its figures' places: every kind is as likely there as any
    other, and so is what each does.

    In the world itself some are rare, such as cooks and horses.
    """
    known = DOINGS_AT[scene.place]
    kinds = rng.permutation(list(known)).tolist()[: len(scene.actors)]
    return replace(
        scene,
        actors=tuple(
            placed(
                rng,
                scene.place,
                (kind, str(rng.choice(COLOURS_OF[kind])), str(rng.choice(known[kind]))),
                actor.x,
            )
            for kind, actor in zip(kinds, scene.actors, strict=True)
        ),
    )


def shown(frame: Picture, size: int, quality: int) -> Picture:
    """A frame as the captioner sees it, [size, size, 3]; compressed first (JPEG `quality`), as
    video files are.
    """
    coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    picture = Image.fromarray(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8))
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC), np.uint8)


def picture(painter: Painter, number: int, grid: int) -> tuple[Picture, npt.NDArray[np.int64]]:
    """Frame `number` of a scene, and what its grid x grid patches show: int64 [4 (kind, colour,
    action, event), grid, grid].

    A patch shows what was last drawn upon a fifth of it. The figure that an event happens to is
    part of the event.
    """
    scene, found = painter.scene, np.zeros((4, grid, grid), np.int64)
    below = image = np.zeros(0, np.uint8)
    for drawn, image in painter.layers(number):
        if isinstance(drawn, Actor):
            found[:, _covered(below, image, grid)] = np.append(
                numbers(drawn.kind, drawn.colour, drawn.action), 0
            )[:, None]
        elif drawn == "event" and scene.moment(number).event:
            found[3, _covered(below, image, grid)] = 1 + list(EVENTS).index(str(scene.event))
        below = image.copy()
    return image, found


def _covered(below: Picture, image: Picture, grid: int) -> npt.NDArray[np.bool_]:
    """Which of grid x grid patches differ visibly between two pictures in a fifth of their pixels,
    or else the one that differs most.
    """
    changed = cv2.cvtColor(cv2.absdiff(below, image), cv2.COLOR_RGB2GRAY)
    share = cv2.resize(
        cv2.threshold(changed, _VISIBLE, 255, cv2.THRESH_BINARY)[1],
        (grid, grid),
        interpolation=cv2.INTER_AREA,
    )
    return np.asarray(share >= max(1, min(_SHARE, int(share.max()))))


def numbers(kind: str, colour: str, action: str) -> npt.NDArray[np.int64]:
    """[3]: kind, colour and action by number, from 1."""
    return np.array(
        [1 + KINDS.index(kind), 1 + list(COLOURS).index(colour), 1 + list(ACTIONS).index(action)]
    )
