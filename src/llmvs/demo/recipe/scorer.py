"""Teach the scorer: a Llama of about 3 M parameters, from nothing, with prompts of exactly the
project's form.

A batch shares one prefix (instruction and examples), which is computed once and learnt through; its
windows differ. Most batches have the default prompt; the others go through what the project can be
configured to ask: other windows, other numbers of examples, examples from videos, the summary
style, captions by region.

A helper that is thrown away asks more. Of every word of a caption: how many of the captions before
it have that word too? At the end of every caption: how much does this frame matter, and each thing
that is weighed for it; where is it, what happens, what does the liveliest figure do?
And the same of the centre while the answer is given, because a large model's states hold more than
the next word, and those of the answer are what the head is given. So many small questions teach
much faster than the one about the centre.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, TokenizersBackend

from llmvs.demo import annotators
from llmvs.demo.dataset import EVERY
from llmvs.demo.models.vocabulary import EOS, PAD
from llmvs.demo.recipe.judgment import claims, judgment, weighed
from llmvs.demo.recipe.material import SCORER_SEEDS
from llmvs.demo.recipe.optim import Teacher
from llmvs.demo.world import words
from llmvs.demo.world.catalogue import ACTIONS, COLOURS_OF, EVENTS, FIGURES, PEOPLE, PLACES
from llmvs.demo.world.script import Moment, Script, script
from llmvs.extraction.examples import fixed
from llmvs.extraction.prompts import Example, Style, Template, Window, windows

BATCH = 16
_CLIPS = 32
"""Clips that a batch takes its windows from; they are replaced one by one."""
_MISTAKES = 0.2
"""How often a caption is made wrong in one word, as captions are."""
_READING = 0.2
"""Weight of predicting the captions' own words: it keeps what was read in the vectors that the head
will be given.
"""


_ASKED = (11, 11, 11, 11, len(PLACES), 1 + len(EVENTS), 1 + len(ACTIONS))
"""How many answers each of the helper's questions about a caption has: how much it matters; each
thing that is weighed for it,
in tenths; place, event, doing."""


def helper(model: LlamaForCausalLM) -> nn.Linear:
    """Reads the answers to what is asked beside the prompt from the model's states: `_ASKED`, and
    how familiar a word is.
    """
    return nn.Linear(model.config.hidden_size, sum(_ASKED) + 1)


def build(text: TokenizersBackend) -> LlamaForCausalLM:
    """The untaught model."""
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(text),
            hidden_size=256,
            intermediate_size=640,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=4096,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=2,
            tie_word_embeddings=False,
            dtype=torch.float32,
        )
    )
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=1, pad_token_id=2)
    return model


@dataclass
class _Clip:
    moments: list[Moment]
    ratings: list[int]
    """The mean rating of every step on the scale of a dataset's examples, 0 to 10."""
    uses: int = 0


class Windows(IterableDataset):
    """Endless batches of prompts: prefix [P]; queries with their answers `ids` [B, L]; weights of
    the answers' and of the
    queries' tokens `answer`, `read` [B, L]. For the helper, -100 wherever it does not ask: `asides`
    [B, L, 7], answers to `_ASKED` where a caption ends (of that caption) and while the answer is
    given (of the centre); `familiar` [B, L], the share of the captions before a caption that have a
    word of it, too.
    """

    def __init__(self, text: TokenizersBackend, first_seed: int = SCORER_SEEDS) -> None:
        self.text, self.first_seed = text, first_seed

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        rng = np.random.default_rng(self.first_seed)
        seeds = itertools.count(self.first_seed)
        clips = [self._clip(script(next(seeds), 0)) for _ in range(_CLIPS)]
        while True:
            style: Style = "summary" if rng.random() < 0.15 else "numeric"
            plain = rng.random() < 0.6
            size = 7 if plain else int(rng.choice([1, 1, 3, 3, 5, 7, 9, 11]))
            regions = not plain and rng.random() < 0.3
            template = Template(
                self.text, style, self._examples(rng, clips, plain, size, style, regions)
            )
            asked, answers, around = [], [], []
            for place in rng.integers(len(clips), size=BATCH).tolist():
                window, seen, summary = self._window(rng, clips[place], size, regions)
                asked.append(window)
                answers.append(
                    summary if style == "summary" else str(judgment(seen, window.centre))
                )
                around.append([aside(seen, place) for place in range(len(seen))])
                clips[place].uses += 1
                if clips[place].uses > 24:
                    clips[place] = self._clip(script(next(seeds), 0))
            yield self._encoded(template, asked, answers, around)

    def _clip(self, clip: Script) -> _Clip:
        frames = range(0, clip.n_frames, EVERY)
        means = annotators.spread(annotators.ratings(clip), clip.n_frames).mean(axis=0)
        return _Clip(
            [clip.moment(frame) for frame in frames],
            [round(2.5 * (means[frame] - 1)) for frame in frames],
        )

    def _window(
        self, rng: np.random.Generator, clip: _Clip, size: int, regions: bool
    ) -> tuple[Window, list[Moment], str]:
        step = int(rng.integers(len(clip.moments)))
        first = max(0, step - size // 2)
        near = clip.moments[first : step + size // 2 + 1]
        seen = [mistaken(moment, rng) if rng.random() < _MISTAKES else moment for moment in near]
        say = by_region if regions else words.sentence
        window = Window(tuple(say(moment) for moment in seen), step - first)
        return window, seen, words.sentence(clip.moments[step])

    def _examples(
        self,
        rng: np.random.Generator,
        clips: list[_Clip],
        plain: bool,
        size: int,
        style: Style,
        regions: bool,
    ) -> list[Example]:
        if plain:
            return fixed(3, size)
        count = int(rng.integers(0, 9)) if rng.random() < 0.5 else 3
        if style == "summary" or rng.random() < 0.6:
            return fixed(count, size)
        say = by_region if regions else words.sentence
        drawn = []
        for place in rng.integers(len(clips), size=min(count, 4)).tolist():
            step = int(rng.integers(len(clips[place].moments)))
            drawn.append(
                Example(
                    windows([say(m) for m in clips[place].moments], size)[step],
                    clips[place].ratings[step],
                )
            )
        return drawn

    def _encoded(
        self,
        template: Template,
        asked: list[Window],
        answers: list[str],
        around: list[list[tuple[int, ...]]],
    ) -> dict[str, Tensor]:
        start = len(template.prefix)
        queries = [ids[start:] for ids in template.encode(asked)]
        end, pad = (int(self.text.get_vocab()[token]) for token in (EOS, PAD))
        replies = [
            [*self.text(f" {answer}", add_special_tokens=False).input_ids, end]
            for answer in answers
        ]
        longest = max(len(q) + len(r) for q, r in zip(queries, replies, strict=True))
        ids, read = torch.full((len(asked), longest), pad), torch.zeros(len(asked), longest)
        answer, known = torch.zeros_like(read), torch.full_like(read, -100)
        asides = torch.full((*ids.shape, len(_ASKED)), -100)
        line_end = self.text.convert_tokens_to_ids("\u010a")  # how the tokenizer writes a line feed
        for row, (query, reply) in enumerate(zip(queries, replies, strict=True)):
            ids[row, : len(query) + len(reply)] = torch.tensor(query + reply)
            read[row, 1 : len(query)] = 1 / len(query)
            answer[row, len(query) : len(query) + len(reply)] = 1 / len(reply)
            ends = [place for place, token in enumerate(query) if token == line_end][
                -len(around[row]) :
            ]
            asides[row, ends] = torch.tensor(around[row])
            asides[row, len(query) - 1 : len(query) + len(reply)] = torch.tensor(
                around[row][asked[row].centre]
            )
            for line, (first, last) in enumerate(itertools.pairwise(ends), 1):
                known[row, first + 1 : last] = torch.tensor(familiar(query, ends, line))
        return {
            "prefix": torch.tensor(template.prefix),
            "ids": ids,
            "answer": answer,
            "read": read,
            "asides": asides,
            "familiar": known,
        }


def aside(moments: Sequence[Moment], place: int) -> tuple[int, ...]:
    """What the helper asks of a caption, answers as in `_ASKED`; the numbers of things count from
    1, 0 is none. -100: not asked.
    """
    moment = moments[place]
    told = (
        moment.actors[1:] if moment.event and EVENTS[moment.event].actor else moment.actors
    )  # the sentence tells no more
    doing = max(
        (action for _, _, action in told),
        key=lambda action: ACTIONS[action].liveliness,
        default=None,
    )
    tenths = [
        round(10 * value)
        for value in weighed([claims(each) for each in moments[: place + 1]], place)
    ]
    return (
        judgment(moments, place),
        *tenths,
        *[-100] * (3 - len(tenths)),
        list(PLACES).index(moment.place),
        1 + list(EVENTS).index(moment.event) if moment.event else 0,
        1 + list(ACTIONS).index(doing) if doing else 0,
    )


def familiar(query: Sequence[int], ends: Sequence[int], line: int) -> list[float]:
    """For every token of caption number `line` (from 0): the share of the captions before it that
    have the token, too.

    `ends`: where in the query the captions end.

    >>> familiar([5, 6, 0, 5, 7, 0, 5, 6, 7, 8, 0], [2, 5, 10], 2)
    [1.0, 0.5, 0.5, 0.0]
    """
    starts = [0, *(end + 1 for end in ends)]
    before = [set(query[starts[i] : ends[i]]) for i in range(line)]
    return [
        sum(token in other for other in before) / line for token in query[starts[line] : ends[line]]
    ]


def by_region(moment: Moment) -> str:
    """A caption as `caption.kind=regions` writes it."""
    return f"Centre: {words.centre(moment)} Background: {words.background(moment)}"


def mistaken(moment: Moment, rng: np.random.Generator) -> Moment:
    """The moment with one thing wrong, as a captioner might see it: an event missed, or one
    figure's colour or action.
    """
    if moment.event and not EVENTS[moment.event].actor and moment.actors and rng.random() < 0.3:
        return replace(moment, event=None)
    if not moment.actors:
        return moment
    place = int(rng.integers(len(moment.actors)))
    kind, colour, action = moment.actors[place]
    if rng.random() < 0.5:
        colour = str(rng.choice(COLOURS_OF[kind]))
    else:
        action = str(rng.choice(list(ACTIONS) if kind in PEOPLE else FIGURES[kind][1]))
    return replace(
        moment, actors=(*moment.actors[:place], (kind, colour, action), *moment.actors[place + 1 :])
    )


def teach(
    model: LlamaForCausalLM, text: TokenizersBackend, steps: int, device: torch.device
) -> None:
    """Teach the model for `steps` batches."""
    source = iter(DataLoader(Windows(text), batch_size=None, num_workers=1, prefetch_factor=4))
    asks = helper(model).to(device)
    model.to(device).train()  # type: ignore[arg-type]
    teacher = Teacher("scorer", nn.ModuleList([model, asks]), steps)
    for batch in itertools.islice(source, steps):
        answers, others = losses(
            model, asks, {name: value.to(device) for name, value in batch.items()}
        )
        teacher.step(answers + others, float(answers.detach()))
    model.eval()


def losses(model: Any, asks: nn.Linear, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the answers, and of everything else; the prefix is computed once and learnt
    through.
    """
    ids, prefix = batch["ids"], batch["prefix"]
    past = model.model(input_ids=prefix[None], use_cache=True).past_key_values
    past.batch_repeat_interleave(len(ids))
    known = torch.ones(
        len(ids), len(prefix) + ids.shape[1], dtype=torch.long, device=ids.device
    )  # padding comes last, unasked
    states = model.model(
        input_ids=ids, past_key_values=past, attention_mask=known, use_cache=True
    ).last_hidden_state
    each = nn.functional.cross_entropy(
        model.lm_head(states[:, :-1]).transpose(1, 2), ids[:, 1:], reduction="none"
    )
    *parts, word = asks(states).transpose(1, 2).split((*_ASKED, 1), dim=1)
    asides = sum(
        nn.functional.cross_entropy(logits, truth, reduction="sum")
        / (truth >= 0).sum().clamp(min=1)
        for logits, truth in zip(parts, batch["asides"].unbind(2), strict=True)
    )
    seen = batch["familiar"] >= 0
    if seen.any():
        asides = asides + nn.functional.binary_cross_entropy_with_logits(
            word[:, 0][seen], batch["familiar"][seen]
        )
    answers, read = ((each * batch[name][:, 1:]).sum() / len(ids) for name in ("answer", "read"))
    return answers, asides + _READING * read
