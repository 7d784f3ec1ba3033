"""Stage 1: one sentence per frame from a frozen image-text-to-text model (paper, section 3.1)."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import PreTrainedModel

from llmvs.config import CaptionConfig
from llmvs.extraction.captions import one_line
from llmvs.video.reader import Frame


class Captioner:
    """Captions batches of frames, greedily. All prompts have one length, so nothing is padded and a batch changes nothing."""

    def __init__(self, model: PreTrainedModel, processor: Any, config: CaptionConfig) -> None:
        """Take a loaded model and its processor."""
        self.model: Any = model
        self.processor, self.config = processor, config
        self.vision = _VisionFeature(model)

    @torch.inference_mode()
    def __call__(self, frames: Sequence[Frame]) -> tuple[list[str], Tensor]:
        """Caption frames of one size.

        Args:
            frames: B pictures, uint8 [H, W, 3].

        Returns:
            B captions of one line each, and v [B, D_v]: the vision tower's pooled feature ([B, 0] where none is known).
        """
        inputs = self._inputs(frames).to(self.model.device)
        if torch.is_floating_point(inputs["pixel_values"]):
            inputs["pixel_values"] = inputs["pixel_values"].to(self.model.dtype)
        output = self.model.generate(**inputs, max_new_tokens=self.config.max_tokens)
        answers = output[:, inputs["input_ids"].shape[1]:]
        texts = self.processor.batch_decode(answers, skip_special_tokens=True)
        return [one_line(text) for text in texts], self.vision.take(len(frames))

    def _inputs(self, frames: Sequence[Frame]) -> Any:
        """What the model reads: the processor's own chat template where it has one, else LLaVA's plain format."""
        images = [Image.fromarray(frame) for frame in frames]
        if getattr(self.processor, "chat_template", None):
            question = {"type": "text", "text": self.config.prompt}
            chat = self.processor.apply_chat_template
            chats = [[{"role": "user", "content": [{"type": "image", "image": image}, question]}] for image in images]
            return chat(chats, tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt")
        token = getattr(self.processor, "image_token", "<image>")
        text = f"USER: {token}\n{self.config.prompt} ASSISTANT:"
        return self.processor(text=[text] * len(images), images=images, return_tensors="pt")


class _VisionFeature:
    """Listens to the vision tower while captions are made, so that its feature costs nothing."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.states: Tensor | None = None
        encoder = model.get_encoder(modality="image")
        if isinstance(encoder, nn.Module) and encoder is not model:
            encoder.register_forward_hook(self._listen)

    def _listen(self, module: nn.Module, inputs: Any, output: Any) -> None:
        pooled = getattr(output, "pooler_output", None)  # read at once: LLaVA overwrites it with its projection
        self.states = pooled if isinstance(pooled, Tensor) else output[0]

    def take(self, batch: int) -> Tensor:
        """[batch, D_v]: the tower's own pooled output, else the mean over its tokens."""
        states, self.states = self.states, None
        if states is None or states.shape[0] % batch:
            return torch.empty(batch, 0)
        return states.reshape(batch, -1, states.shape[-1]).mean(1).cpu()
