"""The plot holds what the table holds."""

from pathlib import Path

import pytest

from llmvs.results.comparison import comparison
from llmvs.results.experiment import experiment
from llmvs.results.notes import Contender
from tests.results.toys import results

pytest.importorskip("matplotlib", reason="the plot needs matplotlib: pip install 'llmvs[plot]'")


def test_rows_intervals_published_values_and_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.axes import Axes

    from llmvs.results.plots import draw

    drawn: list[tuple[str, list[float]]] = []
    lines: list[float] = []
    original = Axes.plot
    monkeypatch.setattr(
        Axes,
        "plot",
        lambda self, x, y, *rest, **more: (
            drawn.append((rest[0] if rest else "-", x)) or original(self, x, y, *rest, **more)
        ),
    )
    monkeypatch.setattr(Axes, "axvline", lambda self, x, **more: lines.append(x))
    tables = comparison(
        [
            Contender(
                f"row {i}", experiment(f"summe-{i}", results(-0.02 * i)), "mlp" if i else "llmvs"
            )
            for i in range(2)
        ]
    )
    draw(tables[:1], "A title", tmp_path / "plot.svg")
    names = [column.name for column in tables[0].columns]
    for row in tables[0].rows[:2]:
        for measure in ("tau", "rho"):
            assert ("o", row[names.index(measure)]) in drawn
            assert ("-", list(row[names.index(f"{measure}: 95 %")])) in drawn
            assert ("D", row[names.index(f"published {measure}")]) in drawn
    assert lines == pytest.approx([0.1, 0.4, 0.12, 0.45])


def test_the_same_table_gives_the_same_file(tmp_path: Path) -> None:
    from llmvs.results.plots import draw

    tables = comparison(
        [Contender("undefined", experiment("demo", results(float("nan"), dataset="demo")))]
    )
    for name in ("a.svg", "b.svg"):
        draw(tables, "A title", tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
