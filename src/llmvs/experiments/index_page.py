"""One page that leads to the pages of a run's test videos: figures, and a small curve of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from llmvs.results.schema import Result

WIDTH, HEIGHT = 240, 40
"""Of a curve, in its own units."""
MOST = 160
"""Points of a curve."""
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
i { font-style: normal; }
i.score::before, i.people::before { content: ""; display: inline-block; width: 1.1rem;
  height: .2rem; margin-right: .4rem; vertical-align: middle; background: var(--accent); }
i.people::before { background: var(--people); }
"""


@dataclass(frozen=True)
class Line:
    """A video of the list."""

    address: str
    """Of its page."""
    name: str
    figures: Mapping[str, str]
    """Heading -> value."""
    scores: Sequence[float]
    """[T] from 0 to 1."""
    consensus: Sequence[float]
    """[T] the annotators' mean, from 0 to 1; may be empty."""


def index(title: str, result: Result, lines: Sequence[Line]) -> str:
    """Write the page."""
    headings = list(lines[0].figures) if lines else []
    head = "".join(f"<th>{escape(name)}</th>" for name in ["video", "", *headings])
    body = "\n".join(_row(line, headings) for line in lines)
    means = "; ".join(
        f"{name}: "
        + ", ".join(f"{measure} {value:.3f}" for measure, value in rows["This run"].items())
        for name, rows in result.protocols.items()
        if "This run" in rows
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<p>{escape(result.heading)}, {escape(result.splits)} splits, seed {result.seed}. Mean of
{len(lines)} test videos: {escape(means)}.<br>
<i class="score">score</i> &nbsp; <i class="people">people's mean</i></p>
<div><table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table></div>
</main>
</body>
</html>
"""


def _row(line: Line, headings: Sequence[str]) -> str:
    cells = "".join(f"<td>{escape(line.figures[name])}</td>" for name in headings)
    link = f'<a href="{escape(line.address)}">{escape(line.name)}</a>'
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
    """A curve over the whole width; of many values the means of neighbours."""
    every = -(-len(values) // MOST)
    means = [
        sum(part) / len(part)
        for i in range(0, len(values), every)
        if (part := values[i : i + every])
    ]
    wide = WIDTH / max(len(means) - 1, 1)
    points = (f"{i * wide:.1f} {HEIGHT - 2 - (HEIGHT - 4) * v:.1f}" for i, v in enumerate(means))
    return "M" + "L".join(points)
