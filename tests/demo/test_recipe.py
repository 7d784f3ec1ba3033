"""How the demo's models are taught: the truth they are told, what they must not see, and the loss
they are taught with.
"""

import itertools
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from llmvs.demo.recipe import captioner, measure, scorer
from llmvs.demo.recipe.judgment import judgment
from llmvs.demo.recipe.language import demo_tokenizer
from llmvs.demo.recipe.material import CAPTIONER_SEEDS, KINDS, SCORER_SEEDS, Frames, cast, picture
from llmvs.demo.recipe.optim import orthogonal
from llmvs.demo.recipe.teach import MODELS, _save, teach
from llmvs.demo.world import words
from llmvs.demo.world.catalogue import ACTIONS, COLOURS_OF, DOINGS_AT, EVENTS, PLACES
from llmvs.demo.world.draw import Painter
from llmvs.demo.world.pen import COLOURS
from llmvs.demo.world.script import TRAINING_SEEDS, Moment, script


def test_no_training_clip_is_one_that_the_demo_can_show() -> None:
    assert min(CAPTIONER_SEEDS, SCORER_SEEDS) >= TRAINING_SEEDS  # which load() refuses
    assert SCORER_SEEDS - CAPTIONER_SEEDS > 100_000  # nor do the two share any
    shown = {scene.layout for number in range(40) for scene in script(0, number).scenes}
    taught = {
        scene.layout
        for first in (CAPTIONER_SEEDS, SCORER_SEEDS)
        for i in range(50)
        for scene in script(first + i, 0).scenes
    }
    assert len(shown) > 50
    assert not shown & taught


def test_patches_lie_where_the_figures_and_the_event_are_drawn() -> None:
    """Oracle: the pixels that change when the figure, or the event with its figure, is taken away."""
    shares: dict[bool, list[float]] = {False: [], True: []}
    for scene in itertools.chain.from_iterable(
        script(TRAINING_SEEDS + i, 0).scenes for i in range(12)
    ):
        told = bool(scene.event and EVENTS[scene.event].actor)
        if len(scene.actors) != (told or not scene.event):
            continue
        number = scene.n_frames - 1
        image, found = picture(Painter(scene), number, 10)
        without = Painter(replace(scene, actors=(), event=None)).frame(number)
        changed = np.abs(image.astype(int) - without).sum(axis=2) > 60
        channel = 3 if scene.event else 0
        assert not found[[0, 1, 2] if scene.event else [3]].any()
        assert found[channel].max() == (
            1 + list(EVENTS).index(scene.event)
            if scene.event
            else 1 + KINDS.index(scene.actors[0].kind)
        )
        shares[bool(scene.event)].append(
            (changed & np.kron(found[channel] > 0, np.ones((18, 32), bool))).sum() / changed.sum()
        )
        assert (found > 0).any(axis=0).mean() < (0.7 if scene.event else 0.3)
    for each in shares.values():
        assert len(each) >= 10
        assert np.mean(each) > 0.75


def test_a_scene_is_cast_anew_with_whatever_its_place_has() -> None:
    rng = np.random.default_rng(0)
    seen: Counter[tuple[str, str, str]] = Counter()
    for scene in (scene for i in range(200) for scene in script(TRAINING_SEEDS + i, 0).scenes):
        new = cast(scene, rng)
        assert [actor.x for actor in new.actors] == [actor.x for actor in scene.actors]
        assert len({actor.kind for actor in new.actors}) == len(new.actors)
        assert all(actor.colour in COLOURS_OF[actor.kind] for actor in new.actors)
        seen.update((scene.place, actor.kind, actor.action) for actor in new.actors)
    assert all(action in DOINGS_AT[place][kind] for place, kind, action in seen)
    farm = [
        sum(seen["farm", kind, action] for action in actions)
        for kind, actions in DOINGS_AT["farm"].items()
    ]
    assert min(farm) > 0.5 * max(farm) > 10


def test_every_fact_of_a_sentence_is_read_back() -> None:
    for number in range(20):
        for scene in script(5, number).scenes:
            moment = scene.moment(scene.n_frames - 1)
            found = words.facts(words.sentence(moment))
            assert ("place", moment.place) in found
            assert (("event", moment.event) in found) == bool(moment.event)
            assert {("colour", kind, colour) for kind, colour, _ in moment.actors} <= found
            assert len([fact for fact in found if fact[0] == "when"]) == 1


def test_the_tokenizer_knows_the_worlds_words() -> None:
    text = demo_tokenizer()
    for scene in script(TRAINING_SEEDS + 3, 0).scenes:
        sentence = words.sentence(scene.moment(0))
        pieces = re.findall(r"[A-Za-z]+|[.,-]", sentence)
        assert len(text(" " + sentence, add_special_tokens=False).input_ids) == len(pieces)


@pytest.mark.parametrize(
    ("event", "action", "before", "expected"),
    [
        ("lightning", "waits", "", 10),  # 1: nothing came before
        ("lightning", "waits", "same same", 3),  # (1 + 0 + 0) / 3
        (
            "lightning",
            "waits",
            "elsewhere",
            7,
        ),  # (1 + 1 + 1 / 6) / 3: the place is one of six facts
        ("lightning", "waits", "elsewhere same", 4),  # (1 + 0 + 1 / 12) / 3
        (None, "jumps", "elsewhere elsewhere", 7),  # (.8 + 1 + 1 / 5) / 3: no event to tell of
        (None, "jumps", "waiting same waiting", 3),  # (.8 + 0 + 2 / 3 * 1 / 5) / 3
    ],
)
def test_the_right_number_by_hand(
    event: str | None, action: str, before: str, expected: int
) -> None:
    moment = Moment("harbour", "day", "rain", (("man", "red", action),), event)
    others = {
        "same": moment,
        "elsewhere": replace(moment, place="beach"),
        "waiting": replace(moment, actors=(("man", "red", "waits"),)),
    }
    past = [others[name] for name in before.split()]
    assert (
        judgment([*past, moment], len(past))
        == judgment([*past, moment, *others.values()], len(past))
        == expected
    )


def test_what_is_asked_at_the_end_of_a_caption() -> None:
    calm, lively = (
        Moment("farm", "day", "clear", (("woman", "blue", action),), None)
        for action in ("waits", "dances")
    )
    scored = Moment(
        "stadium",
        "day",
        "clear",
        (("man", "red", "plays with a ball"), ("child", "white", "waves")),
        "goal",
    )
    row = [lively, calm, scored]
    farm, stadium = list(PLACES).index("farm"), list(PLACES).index("stadium")
    doing = {name: 1 + number for number, name in enumerate(ACTIONS)}
    assert [scorer.aside(row, place) for place in range(3)] == [
        (9, 9, -100, -100, farm, 0, doing["dances"]),
        (1, 0, 0, 2, farm, 0, doing["waits"]),  # of five facts one is new
        (10, 10, 10, 9, stadium, 1 + list(EVENTS).index("goal"), doing["waves"]),
    ]


def test_a_batch_asks_one_question_and_answers_it() -> None:
    text = demo_tokenizer()
    samples = list(itertools.islice(_few(), 3))
    collate = captioner.Collate(text)
    for _ in range(12):
        batch = collate(samples)
        said = [
            text.decode([t for t in row.tolist() if t >= 0], skip_special_tokens=True).strip()
            for row in batch["labels"]
        ]
        assert said in [
            [captioner.answer(sample, question) for sample in samples]
            for question in collate.prompts
        ]
        assert batch["pixel_values"].shape == (3, 3, captioner.PIXELS, captioner.PIXELS)
        assert (batch["input_ids"] == text.convert_tokens_to_ids("<image>")).sum(1).tolist() == [
            captioner.GRID**2
        ] * 3


def _few():
    source = Frames(TRAINING_SEEDS + 77, captioner.PIXELS, captioner.GRID)
    return source._clip(script(TRAINING_SEEDS + 77, 0), np.random.default_rng(0))


def test_accuracy_by_hand() -> None:
    """A perfect sentence; one with the wrong colour and no event; one that names a place alone."""
    clip = next(
        clip
        for clip in (script(3, i) for i in range(50))
        if len(clip.scenes[0].actors) == 2 and not clip.scenes[0].event
    )
    moment = clip.moment(0)
    (kind, colour, action), other = moment.actors
    wrong = replace(moment, actors=((kind, next(c for c in COLOURS if c != colour), action), other))
    said = [
        words.sentence(moment),
        words.sentence(wrong),
        words.background(moment).split(" at ")[0].split(" on a ")[0] + ".",
    ]
    found = measure.counts({"clip": clip}, {"clip": ([0, 0, 0], said)})
    assert [found["colour"][name] for name in ("right", "missed", "wrong")] == [2 + 1, 1 + 2, 1]
    assert [found["action"][name] for name in ("right", "missed", "wrong")] == [2 + 2, 2, 0]
    assert found["place"] == {"right": 3}
    line = next(line for line in measure.table(found).splitlines() if line.startswith("| colour"))
    assert line == "| colour | 3 | 3 | 1 | 50.0 % | 42.9 % |"


def test_how_well_the_formula_is_followed_by_hand() -> None:
    calm, lively = (
        Moment("farm", "day", "clear", (("woman", "blue", action),), None)
        for action in ("waits", "dances")
    )
    said = {"clip": [words.sentence(moment) for moment in (lively, calm, calm)]}
    assert [
        judgment([lively], 0),
        judgment([lively, calm], 1),
        judgment([lively, calm, calm], 2),
    ] == [9, 1, 0]
    line = measure.followed(said, {"clip": ["9", "3", "0"]}, before=3)
    assert (
        line
        == "answers: 2 of 3 are what the formula makes of the same captions (67 %), 0.67 beside it"
        " on average"
    )
    assert "33 %" in measure.followed(said, {"clip": ["9", "3", "none"]}, before=3)


@pytest.mark.parametrize("shape", [(3, 20, 50), (2, 50, 20)])
def test_a_step_is_made_orthogonal_and_keeps_its_directions(shape: tuple[int, int, int]) -> None:
    """Oracle: the singular value decomposition."""
    given = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = orthogonal(given)
    left, _, right = torch.linalg.svd(given, full_matrices=False)
    turned = left.mT @ found @ right.mT
    values = turned.diagonal(dim1=1, dim2=2)
    assert ((values > 0.5) & (values < 1.3)).all()
    torch.testing.assert_close(turned, torch.diag_embed(values), atol=1e-3, rtol=0)


def test_the_shared_prefix_changes_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the whole prompts, one by one, without a cache."""
    monkeypatch.setattr(scorer, "BATCH", 3)
    torch.manual_seed(0)
    text = demo_tokenizer()
    model = scorer.build(text)
    batch = next(iter(scorer.Windows(text)))
    with torch.no_grad():
        answers, _ = scorer.losses(model, scorer.helper(model), batch)
        expected = []
        for ids, weight in zip(batch["ids"], batch["answer"], strict=True):
            logits = model(input_ids=torch.cat([batch["prefix"], ids])[None]).logits[
                0, len(batch["prefix"]) - 1 : -1
            ]
            expected.append(
                (torch.nn.functional.cross_entropy(logits, ids, reduction="none") * weight).sum()
            )
    assert torch.stack(expected).mean() == pytest.approx(float(answers), rel=1e-4)
    assert batch["answer"].sum(1).tolist() == pytest.approx([1] * 3)
    for ids, asides, weight, known in zip(
        batch["ids"], batch["asides"], batch["answer"], batch["familiar"], strict=True
    ):
        asked = (asides[:, 0] >= 0).nonzero().flatten().tolist()
        reply = (weight > 0).nonzero().flatten().tolist()
        ends, last = asked[: -len(reply) - 1], asked[-len(reply) - 1 :]
        assert last == [reply[0] - 1, *reply]  # where the answer is made, and all of it
        assert 1 <= len(ends) <= 11
        assert {text.decode(ids[end]) for end in ends} == {"\n"}
        assert asides[last].unique(dim=0).shape[0] == 1
        assert (asides[asked][:, [0, 1, 4, 5, 6]] >= 0).all()
        assert (asides[asked[0], 2:4] == -100).all()  # the first caption has none before it
        assert ((known == -100) | ((known >= 0) & (known <= 1))).all()
        assert (known >= 0).any() == (len(ends) > 1)


def test_a_taught_model_takes_the_place_of_another_only_when_it_is_whole(tmp_path: Path) -> None:
    text = demo_tokenizer()
    folder = tmp_path / "demo-llama"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(AttributeError, match="save_pretrained"):
        _save(folder, scorer.build(text), None)
    assert [path.name for path in tmp_path.iterdir()] == ["demo-llama"]
    assert (folder / "old").exists()
    _save(folder, scorer.build(text), text)
    assert [path.name for path in tmp_path.iterdir()] == ["demo-llama"]
    assert not (folder / "old").exists()
    assert (folder / "model.safetensors").exists()


@pytest.mark.slow
def test_a_model_is_taught_saved_and_loaded(tmp_path) -> None:
    from transformers import (
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
        AutoProcessor,
        AutoTokenizer,
    )

    assert sorted(teach(tmp_path, list(MODELS), 0.002)) == sorted(MODELS)
    assert (
        AutoModelForCausalLM.from_pretrained(tmp_path / "demo-llama", dtype="auto").dtype
        == torch.float32
    )
    assert (
        AutoModelForImageTextToText.from_pretrained(tmp_path / "demo-llava", dtype="auto").dtype
        == torch.float32
    )
    known = AutoProcessor.from_pretrained(tmp_path / "demo-llava").tokenizer
    assert len(AutoTokenizer.from_pretrained(tmp_path / "demo-llama")) == len(known)
