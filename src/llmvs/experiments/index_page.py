"""One page that leads to the pages of a run's test videos: figures, and a small curve of each;
below them the run's means beside what chance and people reach.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from llmvs.evaluation.protocols import by_name
from llmvs.results.labels import BASELINES, RUN
from llmvs.results.schema import Result
from llmvs.results.tables import grouped

WIDTH, HEIGHT = 240, 40
"""Of a curve, in its own units."""
MOST = 160
"""Points of a curve."""
GENERATOR = '<meta name="generator" content="llmvs">'
"""By which a page is known as one of this package."""
STYLE = """
:root { --paper: #faf9f6; --ink: #1d2328; --soft: #68727a; --line: #d9d8d2; --accent: #0b7a75;
  --people: #c2620a; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181b; --ink: #e8eaeb; --soft: #97a2aa;
  --line: #2f373c; --accent: #4fc3b8; --people: #f0a35a; } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 1.2rem 1rem 3rem; }
h1 { font-size: 1.35rem; margin: 0; overflow-wrap: anywhere; }
p { color: var(--soft); margin: .2rem 0 1rem; }
div { overflow-x: auto; }
tfoot td { color: var(--soft); }
tfoot tr:first-child td { color: var(--ink); font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 9rem; }
a { color: var(--accent); }
svg { display: block; width: 240px; height: 40px; }
path { fill: none; stroke-width: 1.6; vector-effect: non-scaling-stroke; }
.score { stroke: var(--accent); }
.people { stroke: var(--people); stroke-opacity: .7; }
@media (max-width: 760px) { th, td { padding: .35rem .3rem; font-size: .9rem; }
  th:first-child, td:first-child { min-width: 5.5rem; overflow-wrap: anywhere; }
  svg { width: 84px; height: 32px; } }
i { font-style: normal; }
i.score::before, i.people::before { content: ""; display: inline-block; width: 1.1rem;
  height: .2rem; margin-right: .4rem; vertical-align: middle; background: var(--accent); }
i.people::before { background: var(--people); }
"""


@dataclass(frozen=True)
class Line:
    """A video of the list."""

    address: str
    """Of its page, as a path."""
    name: str
    figures: Mapping[str, str]
    """Heading -> value."""
    scores: Sequence[float]
    """[T]"""
    consensus: Sequence[float]
    """[T] the annotators' mean."""


def figures(result: Result, key: str) -> dict[str, str]:
    """`per_annotator tau` -> its value for one video; equal protocols stand together."""
    blocks = result.per_video[result.selection]
    found: dict[str, str] = {}
    for names in _protocols(result):
        protocol = by_name(names[0])
        for heading, value in zip(_headings(names), blocks[names[0]][key], strict=True):
            found[heading] = _shown(value, protocol.percent)
    return found


def index(title: str, result: Result, lines: Sequence[Line]) -> str:
    """Write the page."""
    headings = [heading for names in _protocols(result) for heading in _headings(names)]
    head = "".join(
        f"<th>{escape(name).replace('_', '_<wbr>')}</th>" for name in ["video", "", *headings]
    )
    body = "\n".join(_row(line, headings) for line in lines)
    foot = "\n".join(_means(result, len(lines)))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{GENERATOR}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<p>{escape(result.heading)}, {escape(result.splits)} splits, seed {result.seed}.<br>
<i class="score">score</i> &nbsp; <i class="people">people's mean</i>, each from its lowest to its
highest</p>
<div><table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
<tfoot>
{foot}
</tfoot>
</table></div>
</main>
</body>
</html>
"""


def _protocols(result: Result) -> list[list[str]]:
    """The names of equal protocols together."""
    return grouped(result.per_video[result.selection])


def _headings(names: Sequence[str]) -> list[str]:
    """Of the figures of equal protocols."""
    return [
        f"{' = '.join(names)} {header.removesuffix(' %')}" for header in by_name(names[0]).headers
    ]


def _shown(value: float | None, percent: bool) -> str:
    if value is None:
        return ""
    if value != value:
        return "undefined"
    return f"{100 * value:.1f} %" if percent else f"{value:+.3f}"


def _means(result: Result, count: int) -> Iterator[str]:
    """Rows: the run's means over its test videos, and those of chance and people."""
    labels = {RUN.key: f"Mean of {count} videos"}
    labels |= {row.key: row.label for row in BASELINES.values()}
    for key, label in labels.items():
        cells = []
        for names in _protocols(result):
            protocol = by_name(names[0])
            row = result.protocols.get(names[0], {}).get(key, {})
            cells += [_shown(row.get(measure), protocol.percent) for measure in protocol.measures]
        if any(cells):
            shown = "".join(f"<td>{cell}</td>" for cell in cells)
            yield f'<tr><td colspan="2">{escape(label)}</td>{shown}</tr>'


def _row(line: Line, headings: Sequence[str]) -> str:
    cells = "".join(f"<td>{escape(line.figures[name])}</td>" for name in headings)
    link = f'<a href="{quote(line.address)}">{escape(line.name)}</a>'
    return f"<tr><td>{link}</td><td>{_curves(line)}</td>{cells}</tr>"


def _curves(line: Line) -> str:
    paths = "".join(
        f'<path class="{name}" d="{_path(values)}"/>'
        for name, values in (("people", line.consensus), ("score", line.scores))
        if len(values)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f"{paths}</svg>"
    )


def _path(values: Sequence[float]) -> str:
    """A curve over the whole width, from its lowest to its highest; of many values the means of
    neighbours.
    """
    every = -(-len(values) // MOST)
    means = [
        sum(part) / len(part)
        for i in range(0, len(values), every)
        if (part := values[i : i + every])
    ]
    wide = WIDTH / max(len(means) - 1, 1)
    low, scale = min(means), (HEIGHT - 4) / max(max(means) - min(means), 1e-12)
    points = (f"{i * wide:.1f} {HEIGHT - 2 - scale * (v - low):.1f}" for i, v in enumerate(means))
    return "M" + "L".join(points)
