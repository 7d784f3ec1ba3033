"""Worked examples for the scorer's prompt: eight written for this project, or drawn from a fold's
training videos.

The paper draws three from the training set. Ours are `fixed` unless asked otherwise: they describe
videos that do not exist, so one cache serves every fold and no test video can leak into a prompt.
"""

from collections.abc import Callable, Sequence

import numpy as np

from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError
from llmvs.extraction.prompts import Example, Window, narrow, windows

FIXED = [
    Example(
        Window(
            (
                (
                    "A woman in a grey apron stands at a kitchen counter with a bowl of flour in"
                    " front of her."
                ),
                "A woman measures sugar with a spoon at a kitchen counter.",
                "A woman cracks an egg on the edge of a white bowl.",
                "Flames shoot up from a frying pan while the woman beside it jumps back.",
                "A woman throws a wet towel over a burning pan on the stove.",
                "Smoke hangs over a stove, and a woman fans it with a tray.",
                "A woman opens the kitchen window and laughs.",
            ),
            3,
        ),
        9,
        "While a woman bakes, a frying pan suddenly catches fire and she smothers the flames with a"
        " towel.",
    ),
    Example(
        Window(
            (
                (
                    "A straight road runs between fields under a pale sky, seen through the"
                    " windscreen of a car."
                ),
                "A straight road runs between fields under a pale sky.",
                "An empty country road seen from inside a car.",
                "An empty country road with fields on both sides, seen from inside a car.",
                "A straight road with a few trees in the distance.",
                "An empty country road seen through a windscreen.",
                "A straight road runs between fields under a pale sky.",
            ),
            3,
        ),
        1,
        "A car keeps driving along an empty country road and nothing changes.",
    ),
    Example(
        Window(
            (
                "Children in yellow vests stand in a line on a lawn.",
                "A man with a whistle explains something to a group of children.",
                "Children in yellow vests wait behind a white line on the grass.",
                "A girl starts to run with a wooden spoon and an egg in her hand.",
                "Several children run across a lawn, balancing eggs on spoons.",
                "A boy stops to pick up an egg from the grass.",
                "Parents clap at the edge of a lawn.",
            ),
            3,
        ),
        6,
        "After an explanation an egg-and-spoon race for children begins on a lawn.",
    ),
    Example(
        Window(
            (
                "A diver checks the gauge of an air tank on a small boat.",
                "Two divers sit on the edge of a small boat.",
                "A diver falls backwards into the sea from a boat.",
                "Bubbles rise around a diver in dark blue water.",
                "A diver swims down along an anchor line.",
                "A diver swims above a sandy sea floor.",
                "The rusted bow of a sunken ship appears in front of a diver.",
            ),
            3,
        ),
        4,
        "Divers leave a boat and sink along the anchor line towards a wreck.",
    ),
    Example(
        Window(
            (
                "A crowd watches a street musician with a guitar.",
                "A man plays the guitar on a street corner.",
                "A man plays the guitar on a street corner while people walk past.",
                "A man plays the guitar on a street corner.",
                "A man with a guitar looks down at its strings.",
                "A little girl drops a coin into an open guitar case.",
                "A man with a guitar smiles at a little girl.",
            ),
            3,
        ),
        2,
        "A street musician plays the guitar until a little girl gives him a coin.",
    ),
    Example(
        Window(
            (
                "A cyclist in a red helmet pedals up a steep path in a forest.",
                "A cyclist stands on the pedals on a path with roots.",
                "A view over wooded hills from the top of a path.",
                "A cyclist races down a narrow track, dust behind the wheels.",
                "A bicycle flies over a wooden ramp with its rider in the air.",
                "A cyclist lands hard and slides on loose ground.",
                "A cyclist in a red helmet raises one fist.",
            ),
            4,
        ),
        10,
        "After a climb a cyclist races downhill, jumps over a ramp and lands it.",
    ),
    Example(
        Window(
            (
                "A black title card with white letters.",
                "A black title card with white letters.",
                "A blurred picture of the inside of a bag.",
                "A dark picture in which nothing can be made out.",
                "A hand covers the lens of a camera.",
                "A person's shoes on a wooden floor.",
                "A person's shoes on a wooden floor.",
            ),
            3,
        ),
        0,
        "Dark and blurred pictures, as if the camera had been left running by mistake.",
    ),
    Example(
        Window(
            (
                "A crane lifts a steel beam above a building site.",
                "Workers in helmets look up at a steel beam.",
                "Two workers guide a steel beam with ropes.",
                "A steel beam settles between two columns on a building site.",
                "A worker tightens a bolt with a long wrench.",
                "A worker tightens a bolt with a long wrench.",
                "Workers in helmets walk away from a steel frame.",
            ),
            3,
        ),
        7,
        "A crane lowers a steel beam into place and workers bolt it down.",
    ),
]
"""Every one spells out one idea of importance; the first three are the default."""


def fixed(count: int, window: int) -> list[Example]:
    """The first `count` of our own examples, no longer than the window that is asked about."""
    return [Example(narrow(e.window, window), e.score, e.summary) for e in FIXED[:count]]


def draw(
    train: Sequence[Annotations],
    captions: Callable[[str], Sequence[str]],
    count: int,
    window: int,
    seed: int,
) -> list[Example]:
    """`count` windows from as many training videos, spread over low, middle and high importance, in
    random order.

    Args:
        train: the fold's training videos.
        captions: gives the captions of a video by its key.
        count: how many examples.
        window: captions in a window.
        seed: another seed, other examples.

    Raises:
        UserError: fewer training videos than examples.
    """
    if len(train) < count:
        raise UserError(
            f"examples.count={count}: the fold has only {len(train)} training videos to draw"
            " examples from"
        )
    rng = np.random.default_rng(seed)
    ordered = sorted(train, key=lambda video: video.key)
    chosen = rng.choice(len(ordered), size=count, replace=False)
    examples = []
    for level, index in enumerate(chosen):
        video = ordered[index]
        texts = captions(video.key)
        scores = video.gtscore[: len(texts)]
        by_score = np.argsort(scores, kind="stable")
        band = np.array_split(by_score, count)[level]
        step = int(rng.choice(band if len(band) else by_score))
        examples.append(Example(windows(texts, window)[step], round(10 * float(scores[step]))))
    return [examples[i] for i in rng.permutation(count)]
