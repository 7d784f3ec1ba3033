"""Teach the captioner: a LLaVA of about 4 M parameters, from nothing.

In some rounds the vision tower alone learns what every patch of a frame shows (which figure, its
colour, what it does) and what the whole frame shows; so many small questions per frame teach it far
more per second than captions do. In the others the whole model learns to answer the project's
questions, while the tower keeps answering its own.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    TokenizersBackend,
)

from llmvs.config.schema import CaptionConfig
from llmvs.demo.models.vocabulary import EOS, IMAGE, PAD
from llmvs.demo.recipe.judgment import judgment
from llmvs.demo.recipe.material import CAPTIONER_SEEDS, KINDS, Frames, Sample, numbers
from llmvs.demo.recipe.optim import Teacher
from llmvs.demo.world import words
from llmvs.demo.world.catalogue import ACTIONS, EVENTS, PLACES, TIMES, WEATHERS
from llmvs.demo.world.pen import COLOURS
from llmvs.demo.world.script import Moment
from llmvs.extraction.prompts import FRAME_QUESTION

PIXELS, PATCH, WIDTH = 160, 16, 192
GRID = PIXELS // PATCH
BATCH = 32
_PATCHES = (len(KINDS), len(COLOURS), len(ACTIONS), len(EVENTS))
_WHOLE = (
    len(PLACES),
    len(TIMES),
    1 + len(WEATHERS),
    1 + len(EVENTS),
    1 + len(KINDS),
    1 + len(COLOURS),
)
_QUESTIONS = (
    "caption",
    "caption",
    "caption",
    "caption",
    "caption",
    "caption",
    "centre",
    "background",
    "score",
)


def build(text: TokenizersBackend) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """The untaught model and its processor."""
    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=5,
        num_attention_heads=6,
        image_size=PIXELS,
        patch_size=PATCH,
        projection_dim=WIDTH,
        hidden_act="relu",
    )
    language = LlamaConfig(
        vocab_size=len(text),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=3,
        num_attention_heads=6,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision,
            text_config=language,
            image_token_index=text.get_vocab()[IMAGE],
            vision_feature_layer=-1,
            vision_feature_select_strategy="default",
            tie_word_embeddings=True,
            dtype=torch.float32,
        )
    )
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=1, pad_token_id=2)
    size = {"height": PIXELS, "width": PIXELS}
    images = CLIPImageProcessorPil(size=size, do_center_crop=False, resample=3)
    processor = LlavaProcessor(
        image_processor=images,
        tokenizer=text,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    return model, processor


class Eyes(nn.Module):
    """What the vision tower is asked while it learns; thrown away afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.ModuleList(nn.Linear(WIDTH, 1 + n) for n in _PATCHES)
        self.whole = nn.ModuleList(nn.Linear(WIDTH, n) for n in _WHOLE)

    def forward(self, states: Tensor, pooled: Tensor, patches: Tensor, whole: Tensor) -> Tensor:
        """The loss of the tower's states [B, 1 + P, D] and pooled output [B, D] against patches [B,
        4, grid, grid] and whole [B, 6].
        """
        tokens, truth = states[:, 1:], patches.flatten(2)
        weight = torch.where((truth > 0).any(1), 1.0, 0.15)
        loss = pooled.new_zeros(())
        for i, ask in enumerate(self.patch):
            each = nn.functional.cross_entropy(
                ask(tokens).transpose(1, 2), truth[:, i], reduction="none"
            )
            loss = loss + (each * weight).sum() / weight.sum()
        for i, ask in enumerate(self.whole):
            loss = loss + nn.functional.cross_entropy(ask(pooled), whole[:, i]) / 2
        return loss


def whole(moment: Moment) -> list[int]:
    """What is true of the whole frame, by number: place, time, weather, event, and kind and colour
    of whom it happens to.
    """
    weather = 1 + WEATHERS.index(moment.weather) if moment.weather else 0
    event = 1 + list(EVENTS).index(moment.event) if moment.event else 0
    named = moment.event and EVENTS[moment.event].actor
    actor = numbers(*moment.actors[0])[:2].tolist() if named else [0, 0]
    return [list(PLACES).index(moment.place), TIMES.index(moment.time), weather, event, *actor]


def answer(sample: Sample, question: str) -> str:
    """The right answer about a frame."""
    if question == "score":
        return str(judgment([sample.moment], 0))
    return {"caption": words.sentence, "centre": words.centre, "background": words.background}[
        question
    ](sample.moment)


class Collate:
    """Makes a batch of samples, all asked one question."""

    def __init__(self, text: TokenizersBackend) -> None:
        caption = CaptionConfig()
        asked = {
            "caption": caption.prompt,
            "centre": caption.centre_prompt,
            "background": caption.background_prompt,
            "score": FRAME_QUESTION,
        }
        self.text, self.rng = text, np.random.default_rng(3)
        self.prompts = {
            name: text(f"USER: {IMAGE * GRID**2}\n{question} ASSISTANT:").input_ids
            for name, question in asked.items()
        }

    def __call__(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """pixel_values [B, 3, size, size], input_ids and labels [B, L], patches [B, 4, grid, grid],
        whole [B, 6].
        """
        pixels = torch.from_numpy(np.stack([s.pixels for s in samples])).permute(0, 3, 1, 2)
        patches = torch.from_numpy(np.stack([s.patches for s in samples]))
        flip = torch.from_numpy(self.rng.random(len(samples)) < 0.5)
        pixels = torch.where(flip[:, None, None, None], pixels.flip(3), pixels)
        patches = torch.where(flip[:, None, None, None], patches.flip(3), patches)
        question = str(self.rng.choice(_QUESTIONS))
        prompt, end = self.prompts[question], self.text.convert_tokens_to_ids(EOS)
        answers = [
            [*self.text(f" {answer(s, question)}", add_special_tokens=False).input_ids, end]
            for s in samples
        ]
        longest = max(map(len, answers))
        pad = self.text.convert_tokens_to_ids(PAD)
        ids = torch.tensor([prompt + a + [pad] * (longest - len(a)) for a in answers])
        labels = torch.tensor(
            [[-100] * len(prompt) + a + [-100] * (longest - len(a)) for a in answers]
        )
        return {
            "pixel_values": pixels,
            "input_ids": ids,
            "labels": labels,
            "patches": patches,
            "whole": torch.tensor([whole(s.moment) for s in samples]),
        }


def batches(text: TokenizersBackend, first_seed: int, crowded: bool) -> Iterator[dict[str, Tensor]]:
    """Endless batches, drawn by another process while the model learns from the one before."""
    frames = Frames(first_seed, PIXELS, GRID, crowded)
    return iter(
        DataLoader(frames, BATCH, collate_fn=Collate(text), num_workers=1, prefetch_factor=4)
    )


def teach(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    rounds: Sequence[tuple[str, int]],
    device: torch.device,
    first_seed: int = CAPTIONER_SEEDS,
) -> None:
    """Teach the model in rounds of so many batches: `crowds` teaches the tower alone, on scenes
    with more figures than
    the world has, `captions` the whole model.
    """
    images = processor.image_processor
    mean, deviation = (
        torch.tensor(values, device=device)[:, None, None]
        for values in (images.image_mean, images.image_std)
    )
    model.to(device).train()  # type: ignore[arg-type]
    tower, eyes = model.model.vision_tower, Eyes().to(device)
    seen: list[tuple[Tensor, Tensor]] = []
    hook = tower.register_forward_hook(
        lambda module, given, output: seen.append((output.last_hidden_state, output.pooler_output))
    )
    for number, (what, count) in enumerate(rounds):
        taught = nn.ModuleList([model if what == "captions" else tower, eyes])
        name = f"captioner, round {number + 1} of {len(rounds)} ({what})"
        teacher = Teacher(name, taught, count, lr=3e-3 if what == "captions" else 5e-3)
        source = batches(processor.tokenizer, first_seed + 100_000 * number, what == "crowds")
        for batch in itertools.islice(source, count):
            batch = {name: value.to(device) for name, value in batch.items()}
            pixels = (batch.pop("pixel_values") / 255 - mean) / deviation
            patches, truth = batch.pop("patches"), batch.pop("whole")
            if what == "captions":
                said = model(pixel_values=pixels, **batch).loss
                teacher.step(said + 0.2 * eyes(*seen.pop(), patches, truth), float(said.detach()))
            else:
                tower(pixels)
                teacher.step(eyes(*seen.pop(), patches, truth))
    hook.remove()
    model.eval()
