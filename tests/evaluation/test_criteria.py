"""By what epochs are compared: names, what they mean on a dataset, and one line for a wrong one."""

from dataclasses import replace

import numpy as np
import pytest

from llmvs.errors import UserError
from llmvs.evaluation.criteria import check_criteria, criteria, figure
from llmvs.evaluation.evaluate import Evaluation
from llmvs.evaluation.metric import ScoredPart
from tests.toys import make_dataset

RATINGS = make_dataset()
REPLAYS = replace(RATINGS, annotation="replays")


def test_a_protocol_alone_means_its_first_measure() -> None:
    assert criteria(["paper"], RATINGS) == ("paper/tau",)
    assert criteria(["loss", "paper/rho", "per_annotator"], RATINGS) == (
        "loss",
        "paper/rho",
        "per_annotator/tau",
    )


def test_without_shots_paper_is_the_first_protocol_that_there_is() -> None:
    votes = {
        key: replace(video, user_scores=None, user_summary=(video.user_scores > 3).astype(np.uint8))
        for key, video in RATINGS.annotations.items()
        if video.user_scores is not None
    }
    dataset = replace(RATINGS, annotation="votes", annotations=votes)
    assert criteria(["paper"], dataset) == ("per_annotator/tau",)
    assert criteria(["paper/rho", "loss"], dataset) == ("per_annotator/rho", "loss")


def test_a_protocol_that_the_annotations_do_not_allow_is_one_line() -> None:
    with pytest.raises(UserError, match="selection_by=per_annotator: toy has no such protocol"):
        criteria(["per_annotator"], REPLAYS)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["paper/tua"], "selection_by=paper/tua: nothing to choose by: did you mean paper/tau"),
        (["f1"], "selection_by=f1: nothing to choose by"),
        ([], "expected different names"),
        (["paper", "paper/tau"], "expected different names"),
    ],
)
def test_a_name_that_nobody_knows_is_one_line(names: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        check_criteria(names)


def test_larger_is_better_for_every_criterion() -> None:
    part = ScoredPart({}, 0.25, {"paper": Evaluation({"tau": 0.1, "rho": 0.2}, {})})
    assert [figure(part, one) for one in ("loss", "paper/tau", "paper/rho")] == [-0.25, 0.1, 0.2]
