"""Find the shots of a video: hard cuts, Kernel Temporal Segmentation between them, and the exact
frame of every change.

A hard cut is a frame that differs from the one before it far more than its neighbours do from
theirs; a flash is none, since its end differs as much. Whatever the penalty, it is a change.

KTS (Potapov et al., Category-specific video summarization, ECCV 2014) places m changes among the N
steps so that

    L(m) / N + penalty * m / (2 N) * (log(N / m) + 1)

is least, L(m) being the least sum, over segments, of squared distances to the segment's mean. The
published program fills a table of all m. This one finds the same optimum without it: the penalty is
concave in m, so the optimum lies on the lower convex hull of L, and every corner of the hull is the
solution for some constant price of a change, which one pass of dynamic programming finds (Jackson
et al. 2005, with the exact pruning of PELT, Killick et al. 2012). A dozen passes or two close in on
the best corner; parts of the hull that cannot hold it are never looked at.

What is exact: the changes, for up to `LONGEST` steps (83 minutes at 2 a second), as long as the
optimum has at most one change a second; else they are the best corner of the hull with so few
(more only where there are more hard cuts). In
longer videos changes may stand at every second, third, ... step only; all steps count in L.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmvs.video.footage import Footage

PENALTY = 0.15
"""Weight of the penalty, for features of length 1 as `llmvs.video.footage` makes them."""
LONGEST = 10_000
"""Most places for changes: the table of costs then has 400 MB."""
PER_SECOND = 1.0
"""Most changes per second of video."""
CUT = 4.0
"""How many times a hard cut's change is the largest around it."""
LEAST = 6.0
"""Brightness (of 255) by which a hard cut changes a picture at least, in the mean."""
AROUND = 0.25
"""Seconds around a frame in which its change is compared."""
ROUNDING = 1e-9
ROWS = 256
"""Rows of the table of costs that are computed at once."""


def find_shots(footage: Footage, penalty: float = PENALTY) -> npt.NDArray[np.int64]:
    """Find the shots of a video.

    Returns:
        [S, 2] first and last frame of every shot, inclusive; they cover the video.
    """
    picks, change = footage.picks, footage.change
    most = max(1, int(footage.duration * PER_SECOND))
    cuts = hard_cuts(footage)
    must = np.unique(np.searchsorted(picks, cuts))
    changes, between = segment(footage.features, penalty, most, must[must < len(picks)])
    starts = {0, *cuts.tolist()}
    for step in changes:
        before = picks[max(step - (between + 1) // 2, 0)]
        after = picks[min(step + between // 2, len(picks) - 1)]
        if not ((before < cuts) & (cuts <= after)).any():
            starts.add(int(before + 1 + np.argmax(change[before + 1 : after + 1])))
    begin = np.array(sorted(starts), dtype=np.int64)
    return np.stack([begin, np.append(begin[1:], len(footage.times)) - 1], axis=1)


def hard_cuts(footage: Footage) -> npt.NDArray[np.int64]:
    """Find the frames with which another picture begins at once.

    Returns:
        [m] frame indices, increasing, without frame 0.
    """
    around = max(2, round(AROUND * footage.fps))
    padded = np.pad(footage.change.astype(np.float64), around)
    windows = np.lib.stride_tricks.sliding_window_view(padded, around).max(axis=1)
    frames = len(footage.change)
    others = np.maximum(windows[:frames], windows[around + 1 : around + 1 + frames])
    found = (footage.change >= LEAST) & (footage.change >= CUT * (others + 1))
    return np.flatnonzero(found)


def segment(
    features: npt.NDArray,
    penalty: float = PENALTY,
    most: int | None = None,
    must: npt.ArrayLike = (),
) -> tuple[npt.NDArray[np.int64], int]:
    """Place changes among the steps of a video (KTS; see above what is exact).

    Args:
        features: [T, D] of every step.
        penalty: weight of the penalty; higher means fewer changes.
        most: changes at most; None: T - 1.
        must: steps, increasing, that begin a segment in any case (at the nearest place for it).

    Returns:
        [m] the steps at which segments begin, increasing, without step 0; and how many steps the
        places for changes are apart (1 up to `LONGEST` steps).
    """
    n_steps = len(features)
    between = -(-n_steps // LONGEST)
    edges = np.append(np.arange(0, n_steps, between), n_steps)
    pinned = (np.asarray(must, dtype=np.int64) + between // 2) // between
    pinned = np.unique(pinned[(pinned > 0) & (pinned < len(edges) - 1)])
    most = len(edges) - 2 if most is None else min(max(most, len(pinned)), len(edges) - 2)
    if most < 1:
        return np.zeros(0, dtype=np.int64), between
    costs = _Costs(np.asarray(features, dtype=np.float64), edges, pinned)

    def charge(changes: float) -> float:
        return penalty / 2 * changes * (np.log(n_steps / changes) + 1) if changes else 0.0

    fewest = _Corner(len(pinned), costs.of(pinned), pinned, np.inf)
    every = np.arange(1, len(edges) - 1)
    best, least = fewest, fewest.cost + charge(len(pinned))
    gaps = [(fewest, _Corner(len(every), costs.of(every), every, 0.0))]
    if len(every) <= most and gaps[0][1].cost + charge(len(every)) < least:
        best, least = gaps[0][1], gaps[0][1].cost + charge(len(every))
    while gaps:
        left, right = gaps.pop()
        inside = range(left.changes + 1, min(right.changes - 1, most) + 1)
        if not inside or _floor(left, right, inside, charge) >= least:
            continue
        price = (left.cost - right.cost) / (right.changes - left.changes)
        if price <= ROUNDING:
            continue  # no change between lowers the cost
        found = _cheapest(costs, price)
        edge = left.cost + price * left.changes
        if found.cost + price * found.changes >= edge - ROUNDING * max(1.0, edge):
            continue  # a straight part of the hull
        if found.changes <= most and found.cost + charge(found.changes) < least:
            best, least = found, found.cost + charge(found.changes)
        gaps += [(found, right), (left, found)]
    return edges[best.places], between


@dataclass(frozen=True)
class _Corner:
    """A solution on the lower convex hull of L(m)."""

    changes: int
    cost: float
    """L(changes)."""
    places: npt.NDArray[np.int64]
    """[changes] among the edges."""
    price: float
    """Of a change, at which it is the solution: the hull's slope there."""


def _floor(left: _Corner, right: _Corner, inside: range, charge: Callable[[float], float]) -> float:
    """A bound below which no solution with so many changes can be: the hull lies above its tangents
    in both corners.
    """
    first, last = inside[0], inside[-1]
    if np.isinf(left.price):
        meet = float(first)
    else:
        rise = left.cost + left.price * left.changes - right.cost - right.price * right.changes
        meet = rise / max(left.price - right.price, ROUNDING)
    places = {first, last, *np.clip([np.floor(meet), np.ceil(meet)], first, last)}
    return min(_tangents(left, right, place) + charge(place) for place in places)


def _tangents(left: _Corner, right: _Corner, changes: float) -> float:
    at_right = right.cost + right.price * (right.changes - changes)
    if np.isinf(left.price):
        return at_right
    return max(at_right, left.cost - left.price * (changes - left.changes))


class _Costs:
    """The sum of squared distances to the mean, of every segment between two edges."""

    def __init__(
        self,
        features: npt.NDArray[np.float64],
        edges: npt.NDArray[np.int64],
        pinned: npt.NDArray[np.int64],
    ) -> None:
        """Fill the table, a block of rows at a time: row l holds segments that end at edge l. A
        segment across a pinned edge costs more than any other.
        """
        centred = features - features.mean(axis=0)
        sums = np.zeros((len(edges), features.shape[1]))
        np.cumsum(np.add.reduceat(centred, edges[:-1], axis=0), axis=0, out=sums[1:])
        squares = np.zeros(len(edges))
        np.cumsum(np.add.reduceat((centred**2).sum(axis=1), edges[:-1]), out=squares[1:])
        lengths = np.einsum("ij,ij->i", sums, sums)
        self.n = len(edges) - 1
        self.table = np.empty(self.n * (self.n + 1) // 2)
        for begin in range(1, self.n + 1, ROWS):
            end = min(begin + ROWS, self.n + 1)
            products = sums[begin:end] @ sums[:end].T
            for last in range(begin, end):
                apart = lengths[last] + lengths[:last] - 2 * products[last - begin, :last]
                within = squares[last] - squares[:last] - apart / (edges[last] - edges[:last])
                self.row(last)[:] = np.maximum(within, 0)
                if (below := int(np.searchsorted(pinned, last))) > 0:
                    self.row(last)[: pinned[below - 1]] = np.inf

    def row(self, last: int) -> npt.NDArray[np.float64]:
        """[last] costs of the segments from edge 0, 1, ... to edge `last`."""
        return self.table[last * (last - 1) // 2 : last * (last + 1) // 2]

    def of(self, places: npt.NDArray[np.int64]) -> float:
        """The cost of all segments between changes at these edges."""
        ends = np.append(places, self.n)
        begins = np.append(0, places)
        return float(sum(self.row(end)[begin] for begin, end in zip(begins, ends, strict=True)))


def _cheapest(costs: _Costs, price: float) -> _Corner:
    """The segmentation of least cost when every change has this price."""
    least = np.zeros(costs.n + 1)
    least[0] = -price
    previous = np.zeros(costs.n + 1, dtype=np.int64)
    open_ = np.zeros(1, dtype=np.int64)
    for last in range(1, costs.n + 1):
        ways = least[open_] + costs.row(last)[open_]
        way = int(np.argmin(ways))
        previous[last], least[last] = open_[way], ways[way] + price
        kept = open_[ways <= least[last] + ROUNDING]  # the others can never be better than `last`
        open_ = np.append(kept, last)
    places, place = [], int(previous[costs.n])
    while place:
        places.append(place)
        place = int(previous[place])
    found = np.array(places[::-1], dtype=np.int64)
    return _Corner(len(found), costs.of(found), found, price)
