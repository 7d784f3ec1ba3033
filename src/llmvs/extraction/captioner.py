"""Stage 1: one sentence per frame from a frozen image-text-to-text model (paper, section 3.1)."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import BatchFeature, PreTrainedModel

from llmvs.cache.captions import one_line
from llmvs.memory import exhausted
from llmvs.video.decoders import Frame

logger = logging.getLogger(__name__)


class Captioner:
    """Captions batches of frames of one size, greedily. Their prompts have one length, so nothing
    is padded and a batch changes nothing.

    `prepare` may run in another thread while the model is busy; calling the captioner with what it
    returns runs the model.
    """

    def __init__(
        self, model: PreTrainedModel, processor: Any, questions: Sequence[str], max_tokens: int
    ) -> None:
        """Take a loaded model and its processor.

        Args:
            model: in evaluation mode.
            processor: that belongs to it.
            questions: one about the frame, or two: about its centre and its background.
            max_tokens: most tokens of an answer.
        """
        self.model: Any = model
        self.processor, self.questions, self.max_tokens = processor, list(questions), max_tokens
        self.vision = _VisionFeature(model)
        ends = model.generation_config.eos_token_id
        self.stop = frozenset(ends if isinstance(ends, list) else [ends])
        self.own_loop: bool | None = None
        self.most: int | None = None
        """Most frames that the memory was found to hold at once; None: it held all so far."""

    def prepare(self, frames: Sequence[Frame]) -> list[Any]:
        """What the model reads about frames [H, W, 3] of one size: one batch per question, on the
        CPU.
        """
        images = [Image.fromarray(frame) for frame in frames]
        return [self._inputs(images, question) for question in self.questions]

    @torch.inference_mode()
    def __call__(self, prepared: list[Any]) -> tuple[list[str], Tensor]:
        """Caption B prepared frames; where the memory does not hold them at once, half as many at a
        time, from then on.

        Returns:
            B captions of one line each, and v [B, D_v]: the vision tower's pooled feature ([B, 0]
            where none is known).
        """
        answers, features = [], torch.empty(0)
        for inputs in prepared:
            texts, features = self._asked(inputs)
            answers.append(texts)
        return [_joined(parts) for parts in zip(*answers, strict=True)], features

    def _asked(self, inputs: Any) -> tuple[list[str], Tensor]:
        """One question's answers about all frames, and v."""
        texts: list[str] = []
        features: list[Tensor] = []
        count = len(inputs["input_ids"])
        while len(texts) < count:
            part = _frames(inputs, len(texts), min(self.most or count, count - len(texts)))
            found = self._attempt(part)
            if found is None:  # here nothing holds on to the failed attempt any more
                self.most = len(part["input_ids"]) // 2
                torch.cuda.empty_cache()
                logger.warning("out of memory: going on with caption.batch=%s", self.most)
                continue
            texts += found
            features.append(self.vision.take(len(found)))
        return texts, torch.cat(features)

    def _attempt(self, part: Any) -> list[str] | None:
        """Answers about some frames; None where the memory does not hold them."""
        try:
            return self._answers(part.to(self.model.device))
        except Exception as error:
            if not exhausted(error) or len(part["input_ids"]) == 1:
                raise
            return None

    def _inputs(self, images: list[Image.Image], question: str) -> Any:
        """The processor's own chat template where it has one, else LLaVA's plain format."""
        if getattr(self.processor, "chat_template", None):
            chat, text = self.processor.apply_chat_template, {"type": "text", "text": question}
            chats = [
                [{"role": "user", "content": [{"type": "image", "image": image}, text]}]
                for image in images
            ]
            return chat(
                chats,
                tokenize=True,
                add_generation_prompt=True,
                return_dict=True,
                return_tensors="pt",
            )
        return self.processor(
            text=[plain_prompt(self.processor, question)] * len(images),
            images=images,
            return_tensors="pt",
        )

    def _answers(self, inputs: Any) -> list[str]:
        """Greedy answers; the first batch decides whether the faster loop of our own suits this
        model.
        """
        for name, value in inputs.items():
            if torch.is_floating_point(value):
                inputs[name] = value.to(self.model.dtype)
        if self.own_loop:
            return self._decode(self._greedy(inputs))
        length = inputs["input_ids"].shape[1]
        output = self.model.generate(**inputs, max_new_tokens=self.max_tokens)
        reference = self._decode(output[:, length:].tolist())
        if self.own_loop is None:
            try:
                self.own_loop = self._decode(self._greedy(inputs)) == reference
            except (
                TypeError,
                ValueError,
                AttributeError,
                IndexError,
                NotImplementedError,
                RuntimeError,
            ) as error:
                if exhausted(error):
                    raise
                # A model whose forward pass wants more than tokens and a cache.
                self.own_loop = False
        return reference

    def _greedy(self, inputs: Any) -> list[list[int]]:
        """Token by token for all rows, dropping those that are finished."""
        output = self.model(**inputs, use_cache=True, logits_to_keep=1)
        answers: list[list[int]] = [[] for _ in inputs["input_ids"]]
        rows = list(range(len(answers)))
        while True:
            tokens = output.logits[:, -1].argmax(-1)
            chosen = tokens.tolist()
            for row, token in zip(rows, chosen, strict=True):
                answers[row].append(token)
            going = [i for i, token in enumerate(chosen) if token not in self.stop]
            if not going or len(answers[rows[going[0]]]) == self.max_tokens:
                return answers
            if len(going) < len(rows):
                rows, tokens = [rows[i] for i in going], tokens[going]
                for layer in output.past_key_values.layers:
                    layer.batch_select_indices(torch.tensor(going, device=layer.device))
            output = self.model(
                input_ids=tokens[:, None], past_key_values=output.past_key_values, use_cache=True
            )

    def _decode(self, answers: list[list[int]]) -> list[str]:
        return [
            one_line(text)
            for text in self.processor.batch_decode(answers, skip_special_tokens=True)
        ]


def _frames(inputs: Any, first: int, size: int) -> Any:
    """What the model reads about `size` of the frames; frames of one size have as many rows each in
    every tensor (a model that cuts pictures into patches has several).
    """
    count = len(inputs["input_ids"])
    if size == count:
        return inputs
    rows = {name: len(value) // count for name, value in inputs.items()}
    return BatchFeature(
        {
            name: value[first * rows[name] : (first + size) * rows[name]]
            for name, value in inputs.items()
        }
    )


def plain_prompt(processor: Any, question: str) -> str:
    """LLaVA's own format, for processors without a chat template."""
    return f"USER: {getattr(processor, 'image_token', '<image>')}\n{question} ASSISTANT:"


def _joined(parts: tuple[str, ...]) -> str:
    """One caption from the answers about a frame."""
    return parts[0] if len(parts) == 1 else f"Centre: {parts[0]} Background: {parts[1]}"


class _VisionFeature:
    """Listens to the vision tower while captions are made, so that its feature costs nothing."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.states: Tensor | None = None
        encoder = model.get_encoder(modality="image")
        if isinstance(encoder, nn.Module) and encoder is not model:
            encoder.register_forward_hook(self._listen)

    def _listen(self, module: nn.Module, inputs: Any, output: Any) -> None:
        pooled = getattr(
            output, "pooler_output", None
        )  # read at once: LLaVA overwrites it with its projection
        self.states = pooled if isinstance(pooled, Tensor) else output[0]

    def take(self, batch: int) -> Tensor:
        """[batch, D_v]: the tower's own pooled output, else the mean over its tokens."""
        states, self.states = self.states, None
        if states is None or states.shape[0] % batch:
            return torch.empty(batch, 0)
        return states.reshape(batch, -1, states.shape[-1]).mean(1).cpu()
