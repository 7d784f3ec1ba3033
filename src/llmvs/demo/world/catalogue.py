"""What can be in the demo world, by name: places, figures and what they do, events. No drawing, no
chance.
"""

from dataclasses import dataclass

TIMES = ("day", "sunset", "night")
WEATHERS = ("clear", "rain", "snow", "fog")
PEOPLE = ("man", "woman", "child")
SHIRTS = ("red", "blue", "green", "yellow", "purple", "white")


@dataclass(frozen=True)
class Place:
    """Where a scene plays, and what can be there."""

    phrase: str
    """With its preposition: `on the beach`."""
    times: tuple[str, ...]
    weathers: tuple[str, ...]
    """Empty indoors, where no weather is seen."""
    figures: tuple[str, ...]
    """Kinds of figures other than people."""
    doings: tuple[str, ...]
    """What people do only in some places, and do here."""
    water: float | None = None
    """Height (y, world units) at which boats float."""


@dataclass(frozen=True)
class Action:
    """What a figure does."""

    finite: str
    """`walks`"""
    participle: str
    """`walking`"""
    liveliness: float
    """0: nothing happens; 1: a pleasure to watch."""
    speed: float = 0.0
    """World units per second (the picture is 320 wide)."""


@dataclass(frozen=True)
class Event:
    """Something that happens once in a scene and is worth seeing."""

    finite: str
    """Clause; `{}` stands for the figure to whom it happens, if any."""
    participle: str
    places: tuple[str, ...]
    family: str
    """`spectacle`, `danger` or `play`: what people's tastes differ about."""
    actor: tuple[str, ...] = ()
    """Kinds of figure one of which it happens to; empty: nobody in particular."""
    before: str = ""
    """That figure's action until the event begins."""
    times: tuple[str, ...] = TIMES
    weathers: tuple[str, ...] = WEATHERS


_ANY_TIME, _DAYLIGHT = TIMES, ("day", "sunset")
_OPEN = ("rides a bicycle", "flies a kite", "plays with a ball")

PLACES: dict[str, Place] = {
    "beach": Place(
        "on the beach",
        _ANY_TIME,
        ("clear", "rain"),
        ("dog", "bird", "boat"),
        ("flies a kite", "plays with a ball"),
        104,
    ),
    "forest": Place("in the forest", _ANY_TIME, ("clear", "rain", "fog"), ("dog", "bird"), ()),
    "street": Place(
        "in the street", _ANY_TIME, ("clear", "rain"), ("dog", "cat", "car"), ("rides a bicycle",)
    ),
    "kitchen": Place("in the kitchen", ("day", "night"), (), ("cat",), ("cooks",)),
    "mountain road": Place(
        "on the mountain road",
        _DAYLIGHT,
        ("clear", "fog", "snow"),
        ("car", "bird"),
        ("rides a bicycle",),
    ),
    "stadium": Place(
        "in the stadium", ("day", "night"), ("clear", "rain"), (), ("plays with a ball",)
    ),
    "harbour": Place(
        "in the harbour", _ANY_TIME, ("clear", "rain", "fog"), ("bird", "boat"), (), 112
    ),
    "farm": Place(
        "on the farm", _ANY_TIME, ("clear", "rain"), ("dog", "cow", "horse"), ("flies a kite",)
    ),
    "snowy village": Place("in the snowy village", _ANY_TIME, ("clear", "snow"), ("dog",), ()),
    "city": Place("in the city", _ANY_TIME, ("clear", "rain"), ("car",), ("rides a bicycle",)),
    "park": Place("in the park", _DAYLIGHT, ("clear", "rain", "fog"), ("dog", "bird"), _OPEN),
    "desert": Place("in the desert", _ANY_TIME, ("clear",), ("camel", "car"), ()),
}

ACTIONS: dict[str, Action] = {
    "waits": Action("waits", "waiting", 0.0),
    "walks": Action("walks", "walking", 0.3, 24),
    "runs": Action("runs", "running", 0.6, 46),
    "jumps": Action("jumps", "jumping", 0.8),
    "waves": Action("waves", "waving", 0.4),
    "dances": Action("dances", "dancing", 0.9),
    "reads": Action("reads a book", "reading a book", 0.1),
    "plays the guitar": Action("plays the guitar", "playing the guitar", 0.7),
    "rides a bicycle": Action("rides a bicycle", "riding a bicycle", 0.6, 50),
    "flies a kite": Action("flies a kite", "flying a kite", 0.8),
    "plays with a ball": Action("plays with a ball", "playing with a ball", 0.7),
    "cooks": Action("cooks", "cooking", 0.4),
    "sits": Action("sits", "sitting", 0.0),
    "sleeps": Action("sleeps", "sleeping", 0.0),
    "flies": Action("flies", "flying", 0.4, 44),
    "drives": Action("drives by", "driving by", 0.5, 60),
    "is parked": Action("is parked", "parked", 0.0),
    "sails": Action("sails", "sailing", 0.5, 20),
    "lies at anchor": Action("lies at anchor", "lying at anchor", 0.0),
    "grazes": Action("grazes", "grazing", 0.0),
    "gallops": Action("gallops", "galloping", 0.8, 56),
}

EVERYWHERE = ("waits", "walks", "runs", "jumps", "waves", "dances", "reads", "plays the guitar")
FIGURES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dog": (("brown", "black", "white"), ("sits", "sleeps", "runs")),
    "cat": (("black", "orange", "grey"), ("sits", "sleeps", "walks")),
    "bird": (("white", "black", "red"), ("sits", "flies")),
    "car": (SHIRTS, ("is parked", "drives")),
    "boat": (SHIRTS, ("lies at anchor", "sails")),
    "cow": (("brown", "black", "white"), ("grazes", "walks")),
    "horse": (("brown", "black", "white"), ("grazes", "gallops")),
    "camel": (("brown",), ("waits", "walks")),
}
"""Colours and actions of every kind of figure that is not a person."""
COLOURS_OF = {
    **dict.fromkeys(PEOPLE, SHIRTS),
    **{kind: colours for kind, (colours, _) in FIGURES.items()},
}
"""Every kind of figure -> the colours that it comes in."""
DOINGS_AT = {
    name: {
        kind: FIGURES[kind][1] if kind in FIGURES else EVERYWHERE + place.doings
        for kind in (*PEOPLE, *place.figures)
    }
    for name, place in PLACES.items()
}
"""Place -> every kind of figure that can be there -> what it can do there."""

EVENTS: dict[str, Event] = {
    "fireworks": Event(
        "fireworks burst in the sky",
        "fireworks bursting in the sky",
        ("beach", "stadium", "harbour", "snowy village", "city"),
        "spectacle",
        times=("night",),
    ),
    "crash": Event(
        "{} crashes into a fence",
        "{} crashing into a fence",
        ("street", "mountain road", "city", "desert"),
        "danger",
        ("car",),
        "drives",
    ),
    "goal": Event(
        "{} scores a goal", "{} scoring a goal", ("stadium",), "play", PEOPLE, "plays with a ball"
    ),
    "catch": Event(
        "{} leaps and catches a ball",
        "{} leaping to catch a ball",
        ("beach", "farm", "snowy village", "park", "forest"),
        "play",
        ("dog",),
        "sits",
    ),
    "lightning": Event(
        "lightning strikes",
        "lightning striking",
        ("beach", "forest", "harbour", "farm", "city", "stadium"),
        "danger",
        weathers=("rain",),
    ),
    "collapse": Event(
        "a tower of boxes collapses",
        "a tower of boxes collapsing",
        ("street", "harbour", "farm", "city"),
        "danger",
    ),
    "balloons": Event(
        "balloons rise into the sky",
        "balloons rising into the sky",
        ("street", "stadium", "park", "beach"),
        "spectacle",
        times=_DAYLIGHT,
    ),
    "dolphin": Event(
        "a dolphin leaps out of the water",
        "a dolphin leaping out of the water",
        ("beach", "harbour"),
        "play",
    ),
    "flames": Event(
        "a pan bursts into flames", "a pan bursting into flames", ("kitchen",), "danger"
    ),
    "cake": Event(
        "{} brings a birthday cake",
        "{} bringing a birthday cake",
        ("kitchen",),
        "spectacle",
        PEOPLE,
        "walks",
    ),
    "vase": Event(
        "{} knocks over a vase", "{} knocking over a vase", ("kitchen",), "play", ("cat",), "sits"
    ),
    "avalanche": Event(
        "an avalanche thunders down the slope",
        "an avalanche thundering down the slope",
        ("mountain road", "snowy village"),
        "danger",
    ),
    "rainbow": Event(
        "a rainbow appears",
        "a rainbow appearing",
        ("farm", "park", "mountain road", "beach"),
        "spectacle",
        times=("day",),
        weathers=("clear", "rain"),
    ),
    "hot-air balloon": Event(
        "a hot-air balloon takes off",
        "a hot-air balloon taking off",
        ("farm", "park", "desert"),
        "spectacle",
        times=_DAYLIGHT,
        weathers=("clear", "fog"),
    ),
    "rocks": Event(
        "rocks tumble down", "rocks tumbling down", ("mountain road", "desert"), "danger"
    ),
    "shooting star": Event(
        "a shooting star crosses the sky",
        "a shooting star crossing the sky",
        ("forest", "snowy village", "desert"),
        "spectacle",
        times=("night",),
        weathers=("clear",),
    ),
    "saucer": Event(
        "a flying saucer hovers above the ground",
        "a flying saucer hovering above the ground",
        ("forest", "farm", "desert"),
        "spectacle",
        times=("night",),
    ),
    "falling tree": Event(
        "a tree crashes to the ground",
        "a tree crashing to the ground",
        ("forest", "park"),
        "danger",
    ),
}
