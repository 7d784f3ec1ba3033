"""Training curves and the picture of a video: what is drawn is what was measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmvs.errors import UserError
from llmvs.results.schema import Result
from tests.results.toys import result

pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'llmvs[plot]'")

LOGGED = """epoch,lr,test/loss,test/paper/tau,train/loss,val/paper/tau
0.0,0.1,0.5,0.11,,0.21
0.0,,,,0.9,
1.0,0.1,0.4,0.12,0.8,nan
"""


def run_of(folder: Path, text: str = LOGGED) -> Path:
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "metrics.csv").write_text(text)
    return folder


def test_curves_are_read_epoch_by_epoch(tmp_path: Path) -> None:
    from llmvs.results.curves import read_curves

    found = read_curves(run_of(tmp_path))
    assert set(found) == {"test/loss", "test/paper/tau", "train/loss", "val/paper/tau"}
    assert found["train/loss"].values.tolist() == [0.9, 0.8]
    assert found["train/loss"].at.tolist() == [1, 2]
    np.testing.assert_array_equal(found["val/paper/tau"].values, [0.21, np.nan])


LOOKS = """epoch,look,step,test/paper/tau,train/loss
0.0,1.0,1,0.1,
0.0,,4,0.2,0.9
1.0,1.0,6,nan,
1.0,,9,0.4,0.8
"""


def test_looks_in_the_middle_of_an_epoch_stand_where_they_were_taken(tmp_path: Path) -> None:
    from llmvs.results.curves import read_curves

    found = read_curves(run_of(tmp_path, LOOKS))
    tau, loss = found["test/paper/tau"], found["train/loss"]
    assert tau.at.tolist() == pytest.approx([0.4, 1, 1.4, 2])  # steps 1 of 0 to 4, 6 of 5 to 9
    np.testing.assert_array_equal(tau.values, [0.1, 0.2, np.nan, 0.4])
    assert (loss.at.tolist(), loss.values.tolist()) == ([1, 2], [0.9, 0.8])  # no gaps
    assert tau.value(1, 1) == (pytest.approx(0.4), 0.1)
    assert tau.value(2, 0) == (2, 0.4)
    assert tau.value(3, 0) is tau.value(2, 2) is None


@pytest.mark.parametrize("text", ["", "epoch,lr\n0.0,1\n", "epoch,test/loss\nx,1\n", "a,b\n1,2\n"])
def test_curves_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    from llmvs.results.curves import read_curves

    with pytest.raises(UserError, match=r"metrics\.csv: no "):
        read_curves(run_of(tmp_path, text))
    with pytest.raises(UserError, match=r"metrics\.csv: no readable curves"):
        read_curves(tmp_path / "nothing")


def test_the_chosen_epoch_is_marked_on_each_runs_own_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.axes import Axes

    from llmvs.results.curves import Curve, draw_training

    marked: list[tuple[Any, Any]] = []
    thick: list[list[float]] = []
    scatter, plot = Axes.scatter, Axes.plot
    monkeypatch.setattr(
        Axes,
        "scatter",
        lambda self, x, y, **more: marked.append((x, y)) or scatter(self, x, y, **more),
    )
    monkeypatch.setattr(
        Axes,
        "plot",
        lambda self, x, y, **more: (
            (thick.append(list(y)) if "label" in more else None) or plot(self, x, y, **more)
        ),
    )
    runs = []
    for seed, tau in ((0, [0.1, 0.3, 0.2]), (1, [0.2, 0.1, 0.4])):
        document = result(0, seed)
        document["rules"]["val"]["epoch"] = 2 + seed
        curve = Curve(np.arange(1.0, 4.0), np.zeros(3, np.int64), np.array(tau))
        runs.append(({"test/paper/tau": curve}, Result.of(document)))
    draw_training(runs, "title", None, tmp_path / "a.png", tmp_path / "b.pdf")
    assert marked == [((2, 3), (0.3, 0.4))]
    np.testing.assert_allclose(thick, [[0.15, 0.2, 0.3]])
    marked.clear()
    document |= {"selection_looks": 2}
    document["rules"]["val"] |= {"epoch": 2, "look": 1}
    curve = Curve(np.array([1, 1.5, 2]), np.array([0, 1, 0]), np.array([0.1, 0.3, 0.2]))
    for look, place in ((1, (1.5, 0.3)), (2, (2.0, 0.2))):
        document["rules"]["val"]["look"] = look
        draw_training(
            [({"test/paper/tau": curve}, Result.of(document))], "t", None, tmp_path / "c.png"
        )
        assert marked.pop() == ((place[0],), (place[1],))
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "b.pdf").read_bytes()[:4] == b"%PDF"


def test_a_picture_of_a_video_without_people_or_pictures(tmp_path: Path) -> None:
    from llmvs.results.score_curves import Scored, draw_scores

    flat = np.zeros(4)
    bare = Scored("x", np.arange(4.0), 4.0, flat, flat, np.zeros((0, 4)), [(0.0, 4.0, True)])
    draw_scores(bare, tmp_path / "a.svg")
    image = np.zeros((4, 6, 3), np.uint8)
    whole = Scored(
        "x",
        *(np.arange(4.0), 4.0, flat, flat),
        np.ones((3, 4)),
        [(0.0, 2.0, True), (2.0, 4.0, False)],
        [(1.0, image), (3.0, image)],
    )
    draw_scores(whole, tmp_path / "b.svg")
    assert "3 annotators" not in (tmp_path / "a.svg").read_text()
    draw_scores(whole, tmp_path / "c.svg")
    assert (tmp_path / "b.svg").read_bytes() == (tmp_path / "c.svg").read_bytes()
