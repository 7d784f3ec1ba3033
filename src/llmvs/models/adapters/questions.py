"""The questions: about a window of captions to the scorer, exactly as in extraction, or about a
frame to the captioner.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from llmvs.cache.captions import Captions
from llmvs.config.schema import Config
from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError
from llmvs.extraction import models
from llmvs.extraction.captioner import Captioner, plain_prompt
from llmvs.extraction.numbers import Numbers
from llmvs.extraction.prompts import (
    FRAME_QUESTION,
    Example,
    Template,
    Window,
    windows,
    wording_of,
)
from llmvs.extraction.steps import steps_of
from llmvs.models.adapters.answering import Asked

PROBE = Window(("a",), 0)


class Questions(Protocol):
    """Asks about the steps of a video."""

    def about(self, video: Annotations, steps: Collection[int] | None = None) -> Iterator[Asked]:
        """One question per step, or per step in `steps`, in order."""


class Windows:
    """Asks the scorer about windows of captions."""

    def __init__(self, template: Template, captions: Mapping[str, Captions], size: int) -> None:
        """Take the prompts' template, the captions of every video by its key, and the captions in a
        window.
        """
        self.template, self.captions, self.size = template, captions, size

    def about(self, video: Annotations, steps: Collection[int] | None = None) -> Iterator[Asked]:
        """One question per step, or per step in `steps`, in order."""
        captions = self.captions[video.key]
        every = windows(captions.texts[: video.n_steps], self.size, captions.words)
        for ids in self.template.encode(
            [window for t, window in enumerate(every) if steps is None or t in steps]
        ):
            yield Asked(ids, {})


class Frames:
    """Asks the captioner about frames; the video is decoded as it is read."""

    def __init__(
        self, captioner: Captioner, fps: float | None, every_nth_frame: int | None
    ) -> None:
        """Take a captioner that asks `FRAME_QUESTION`, and how videos are sampled."""
        self.captioner, self.fps, self.every_nth_frame = captioner, fps, every_nth_frame

    def about(self, video: Annotations, steps: Collection[int] | None = None) -> Iterator[Asked]:
        """One question per step, or per step in `steps`, in order.

        Raises:
            UserError: no such video file, or another video than the annotated one.
        """
        if video.video.path is None or not video.video.path.is_file():
            raise UserError(
                f"{video.video.path or video.key}: no such video file: put it where the dataset"
                " expects it"
            )
        sampled = steps_of(video.video, video.video.path, self.fps, self.every_nth_frame)
        for t, step in enumerate(sampled):
            if steps is None or t in steps:
                inputs = dict(self.captioner.prepare([step.image])[0])
                ids = inputs.pop("input_ids")[0].tolist()
                inputs.pop("attention_mask", None)
                yield Asked(ids, inputs)


def load_scorer(
    config: Config, shown: Sequence[Example], captions: Mapping[str, Captions]
) -> tuple[Any, Numbers, Questions]:
    """The scorer, how it spells numbers, and its questions.

    Raises:
        UserError: as `models.load_scorer`.
    """
    model, tokenizer = models.load_scorer(
        config.backbone, Path(config.cache), models.pick_device(config.accelerator)
    )
    template = Template(
        tokenizer, "numeric", shown, config.prompt.template, wording_of(config.prompt)
    )
    numbers = Numbers.of(tokenizer, partial(template.render, PROBE))
    return model, numbers, Windows(template, captions, config.prompt.window)


def load_captioner(config: Config) -> tuple[Any, Numbers, Questions]:
    """The captioner, how it spells numbers, and its questions.

    Raises:
        UserError: as `models.load_captioner`.
    """
    model, processor = models.load_captioner(
        config.backbone, Path(config.cache), models.pick_device(config.accelerator)
    )
    numbers = Numbers.of(processor.tokenizer, partial(_about_a_frame, processor))
    asker = Captioner(model, processor, [FRAME_QUESTION], config.prompt.max_tokens)
    return model, numbers, Frames(asker, config.extract.fps, config.extract.every_nth_frame)


def _about_a_frame(processor: Any, reply: str | None) -> str:
    """The conversation about a frame as the captioner reads it; with `reply`, answered."""
    if not getattr(processor, "chat_template", None):
        asked = plain_prompt(processor, FRAME_QUESTION)
        return asked if reply is None else f"{asked} {reply}{processor.tokenizer.eos_token}"
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": FRAME_QUESTION}]}
    ]
    if reply is not None:
        messages.append({"role": "assistant", "content": [{"type": "text", "text": reply}]})
    text = processor.apply_chat_template(messages, add_generation_prompt=reply is None)
    return str(text)
