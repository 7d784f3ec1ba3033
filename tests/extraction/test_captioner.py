"""The captioner against the model's own `generate`, one picture at a time."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

from llmvs.cache.captions import one_line
from llmvs.extraction.captioner import Captioner, _frames

PICTURES = [
    np.kron(np.random.default_rng(i).integers(0, 255, (4, 6, 3)), np.ones((16, 16, 1))).astype(
        np.uint8
    )
    for i in range(16)
]


def alone(captioner: Captioner, picture: np.ndarray) -> tuple[str, torch.Tensor, int]:
    """Caption, vision feature and number of tokens by the model's own `generate`."""
    text = f"USER: <image>\n{captioner.questions[0]} ASSISTANT:"
    inputs = captioner.processor(text=text, images=Image.fromarray(picture), return_tensors="pt")
    with torch.inference_mode():
        output = captioner.model.generate(
            **inputs, do_sample=False, max_new_tokens=captioner.max_tokens
        )
        tower = captioner.model.model.vision_tower(inputs["pixel_values"])
    answer = output[0, inputs["input_ids"].shape[1] :]
    return (
        one_line(captioner.processor.decode(answer, skip_special_tokens=True)),
        tower.pooler_output[0],
        len(answer),
    )


def caption(captioner: Captioner, pictures: list[np.ndarray]) -> tuple[list[str], torch.Tensor]:
    return captioner(captioner.prepare(pictures))


@pytest.fixture
def early(captioner: Captioner) -> Captioner:
    """The same captioner, where more words end a caption: some rows of a batch are finished long
    before others.
    """
    ids = captioner.processor.tokenizer(
        " ".join(alone(captioner, picture)[0] for picture in PICTURES[:3])
    ).input_ids
    ends = [1, ids[3], ids[7]]
    model = copy.deepcopy(captioner.model)
    model.generation_config.eos_token_id = ends
    return Captioner(model, captioner.processor, captioner.questions, 9)


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_a_batch_changes_nothing(early: Captioner, batch: int) -> None:
    expected = [alone(early, picture) for picture in PICTURES]
    assert len({text for text, _, _ in expected}) > 3
    assert len({length for _, _, length in expected}) > 1
    for start in range(0, len(PICTURES), batch):
        texts, features = caption(early, PICTURES[start : start + batch])
        assert texts == [text for text, _, _ in expected[start : start + batch]]
        torch.testing.assert_close(
            features,
            torch.stack([v for _, v, _ in expected[start : start + batch]]),
            atol=1e-5,
            rtol=1e-4,
        )
    assert early.own_loop


def test_a_model_that_needs_more_than_tokens_falls_back_to_generate(
    early: Captioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, _ = caption(early, PICTURES[:4])

    def wrong(inputs: object) -> list[list[int]]:
        raise TypeError("pixel_values are missing")

    other = Captioner(early.model, early.processor, early.questions, 9)
    monkeypatch.setattr(other, "_greedy", wrong)
    assert caption(other, PICTURES[:4])[0] == expected
    assert other.own_loop is False
    assert caption(other, PICTURES[:4])[0] == expected


def test_regions_ask_twice_and_join(captioner: Captioner) -> None:
    both = Captioner(
        captioner.model, captioner.processor, ["What is this?", "What is behind it?"], 6
    )
    texts, features = caption(both, PICTURES[:2])
    single = [
        caption(Captioner(captioner.model, captioner.processor, [question], 6), PICTURES[:2])[0]
        for question in both.questions
    ]
    assert texts == [
        f"Centre: {centre} Background: {background}"
        for centre, background in zip(*single, strict=True)
    ]
    assert features.shape == (2, 64)


def test_the_processors_own_chat_template_is_used(captioner: Captioner) -> None:
    plain = captioner.prepare(PICTURES[:2])[0]
    try:
        captioner.processor.chat_template = (
            "{% for m in messages %}{% for c in m['content'] %}{{ '<image>' if c['type'] == 'image'"
            " else ' ' + c['text'] }}{% endfor %}{% endfor %} ANSWER:"
        )
        chat = captioner.prepare(PICTURES[:2])[0]
    finally:
        captioner.processor.chat_template = None
    decode = captioner.processor.tokenizer.decode
    assert (
        decode(chat["input_ids"][0]).replace("<image>", "")
        == f"<s> {captioner.questions[0]} ANSWER:"
    )
    assert torch.equal(chat["pixel_values"], plain["pixel_values"])


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
@pytest.mark.parametrize("where", ["_greedy", "_answers"])
def test_a_batch_beyond_the_memory_is_halved_and_remembered(
    error: Exception, where: str, early: Captioner, monkeypatch, capsys
) -> None:
    expected, features = caption(early, PICTURES)
    whole, asked = getattr(early, where), []
    early.own_loop = None  # as at the beginning: want of memory does not speak against the loop

    def short_of_memory(inputs: dict) -> object:
        asked.append(len(inputs["input_ids"]))
        if asked[-1] > 5:
            raise error
        return whole(inputs)

    monkeypatch.setattr(early, where, short_of_memory)
    found, found_features = caption(early, PICTURES)
    assert found == expected
    torch.testing.assert_close(found_features, features, atol=1e-5, rtol=1e-4)
    assert early.own_loop
    assert asked == [16, 8, 4, 4, 4, 4]
    assert caption(early, PICTURES[:7])[0] == expected[:7]
    assert asked[6:] == [4, 3]
    said = capsys.readouterr().err
    assert said.count("out of memory: going on with caption.batch=8") == 1
    assert said.count("out of memory: going on with caption.batch=4") == 1


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_a_single_frame_beyond_the_memory_is_an_error(
    error: Exception, captioner: Captioner, monkeypatch
) -> None:
    def short_of_memory(inputs: dict) -> list[str]:
        raise error

    monkeypatch.setattr(captioner, "_answers", short_of_memory)
    with pytest.raises(type(error), match="memory"):
        caption(captioner, PICTURES[:3])


def test_pictures_cut_into_patches_are_halved_too() -> None:
    """Three patches a picture, one after the other in one tensor."""
    inputs = {"input_ids": torch.arange(4)[:, None], "pixel_values": torch.arange(12)}
    half = _frames(inputs, 2, 2)
    assert half["input_ids"][:, 0].tolist() == [2, 3]
    assert half["pixel_values"].tolist() == [6, 7, 8, 9, 10, 11]
