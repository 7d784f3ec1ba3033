"""How true the captioner's sentences are, and how well the scorer follows its formula, over every
step of the demo's own clips.

`python -m llmvs.demo.recipe.measure [PAIRS.png] [SETTING...]` reads the captions and answers that
extraction cached, prints a table and a line, and draws 32 steps, chosen by chance, with what was
said of them.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.load import is_layer, is_override, load_config
from llmvs.datasets import load
from llmvs.demo.dataset import read_scripts
from llmvs.demo.recipe.judgment import level
from llmvs.demo.world import words
from llmvs.demo.world.draw import frame
from llmvs.demo.world.script import Script
from llmvs.demo.world.sheet import mosaic, save, tile
from llmvs.errors import UserError
from llmvs.extraction import identity
from llmvs.extraction.answer_text import parse_number
from llmvs.extraction.caption_stage import open_captions
from llmvs.extraction.scoring_stage import worked_examples

KINDS = ("place", "when", "event", "figure", "colour", "action")
_PAIRS = 32
_INK, _RED = (40, 40, 40), (190, 30, 30)
Said = Mapping[str, tuple[list[int], list[str]]]
"""Clip -> the frame numbers of its steps, and what was said of each."""


def counts(scripts: Mapping[str, Script], said: Said) -> dict[str, Counter[str]]:
    """Kind of fact -> how often it was `right`, `missed` (true but not said) and `wrong` (said but
    not true).
    """
    found = {kind: Counter[str]() for kind in KINDS}
    for key, (frames, texts) in said.items():
        for number, text in zip(frames, texts, strict=True):
            true, claimed = (
                words.facts(words.sentence(scripts[key].moment(number))),
                words.facts(text),
            )
            for name, facts in (
                ("right", true & claimed),
                ("missed", true - claimed),
                ("wrong", claimed - true),
            ):
                for fact in facts:
                    found[fact[0]][name] += 1
    return found


def table(found: Mapping[str, Counter[str]]) -> str:
    """Markdown, per kind of fact: how many of the true ones are said, and of all that are true or
    said, how many are both.
    """
    rows = {**found, "all": sum(found.values(), Counter[str]())}
    lines = [
        "| fact | right | missed | wrong | of the true | of all |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for kind, n in rows.items():
        true, all_ = (
            100 * n["right"] / max(1, count) for count in (n["right"] + n["missed"], n.total())
        )
        lines.append(
            f"| {kind} | {n['right']} | {n['missed']} | {n['wrong']} | {true:.1f} % |"
            f" {all_:.1f} % |"
        )
    return "\n".join(lines)


def followed(
    said: Mapping[str, Sequence[str]], answers: Mapping[str, Sequence[str]], before: int
) -> str:
    """One line: how many of the scorer's answers are what its formula makes of the same captions,
    `before` of them ahead of the centre.
    """
    apart = []
    for key, texts in said.items():
        facts = [frozenset(words.facts(text)) for text in texts]
        for step, answer in enumerate(answers[key]):
            window = facts[max(0, step - before) : step + 1]
            number = parse_number(answer)
            apart.append(10.0 if number is None else abs(number - level(window, len(window) - 1)))
    n, same = len(apart), sum(distance == 0 for distance in apart)
    return (
        f"answers: {same} of {n} are what the formula makes of the same captions"
        f" ({100 * same / n:.0f} %), {sum(apart) / n:.2f} beside it on average"
    )


def main(arguments: list[str]) -> int:
    """Print the table; draw the picture where a PNG file is named. Returns the exit status."""
    settings = [argument for argument in arguments if is_layer(argument) or is_override(argument)]
    config = load_config(settings or ["demo"])
    root = Path(config.data.root)
    dataset, stage = load("demo", root), open_captions(config, "demo")
    captions = {key: stage.read(video) for key, video in dataset.videos.items()}
    said = {key: (found.frames, found.texts) for key, found in captions.items()}
    scripts = read_scripts(root)
    print(table(counts(scripts, said)))
    made_with = identity.embeddings_identity(config, worked_examples(config, (), stage))
    cache = EmbeddingCache(identity.folder(config, "demo", "embeddings", made_with), made_with)
    if config.prompt.style == "numeric" and set(said) <= set(cache.keys()):
        answers = {key: cache.read(key).answers for key in said}
        print(
            followed(
                {key: texts for key, (_, texts) in said.items()}, answers, config.prompt.window // 2
            )
        )
    for path in (Path(argument) for argument in arguments if argument not in settings):
        steps = [(key, i) for key, (frames, _) in said.items() for i in range(len(frames))]
        chosen = np.random.default_rng(0).choice(len(steps), _PAIRS, replace=False)
        save(
            mosaic(
                [
                    _pair(scripts[key], said[key][0][i], said[key][1][i])
                    for key, i in (steps[c] for c in chosen)
                ]
            ),
            path,
        )
    return 0


def _pair(script: Script, number: int, text: str) -> np.ndarray:
    """A frame with what was said of it, and in red what is true where that differs."""
    truth = words.sentence(script.moment(number))
    wrong = words.facts(truth) != words.facts(text)
    return tile(frame(script, number), [(text, _INK), *([(truth, _RED)] if wrong else [])], band=73)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        sys.exit(f"llmvs: {error}")
