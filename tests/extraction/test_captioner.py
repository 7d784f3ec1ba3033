"""The captioner against the model's own `generate`, one picture at a time."""

import numpy as np
import pytest
import torch
from PIL import Image

from llmvs.extraction.captions import one_line

PICTURES = [np.kron(np.random.default_rng(i).integers(0, 255, (4, 6, 3)), np.ones((16, 16, 1))).astype(np.uint8) for i in range(7)]


def alone(captioner, picture: np.ndarray) -> tuple[str, torch.Tensor]:
    text = f"USER: <image>\n{captioner.config.prompt} ASSISTANT:"
    inputs = captioner.processor(text=text, images=Image.fromarray(picture), return_tensors="pt")
    with torch.inference_mode():
        output = captioner.model.generate(**inputs, do_sample=False, max_new_tokens=captioner.config.max_tokens)
        tower = captioner.model.model.vision_tower(inputs["pixel_values"])
    answer = captioner.processor.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True)
    return one_line(answer), tower.pooler_output[0]


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_a_batch_changes_nothing(captioner, batch: int) -> None:
    expected = [alone(captioner, picture) for picture in PICTURES]
    assert len({text for text, _ in expected}) > 3
    for start in range(0, len(PICTURES), batch):
        texts, features = captioner(PICTURES[start:start + batch])
        assert texts == [text for text, _ in expected[start:start + batch]]
        torch.testing.assert_close(features, torch.stack([v for _, v in expected[start:start + batch]]), atol=1e-5, rtol=1e-4)


def test_the_processors_own_chat_template_is_used(captioner) -> None:
    plain = captioner._inputs(PICTURES[:2])
    try:
        captioner.processor.chat_template = (
            "{% for m in messages %}{% for c in m['content'] %}{{ '<image>' if c['type'] == 'image' else ' ' + c['text'] }}{% endfor %}"
            "{% endfor %} ANSWER:"
        )
        chat = captioner._inputs(PICTURES[:2])
    finally:
        captioner.processor.chat_template = None
    decode = captioner.processor.tokenizer.decode
    assert decode(chat["input_ids"][0]).replace("<image>", "") == f"<s> {captioner.config.prompt} ANSWER:"
    assert torch.equal(chat["pixel_values"], plain["pixel_values"])
