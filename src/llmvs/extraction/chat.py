"""The chat format of a model: a conversation as one text, up to where the model's answer begins,
and how an answer stands in it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from llmvs.errors import UserError
from llmvs.extraction.answer_text import thinks

Turn = tuple[str, str]
"""What the user says, and what the model answers."""
OFF = {"enable_thinking": False}
"""Switches that chat templates know, and where they stand unless the settings say otherwise: with
five tokens for an answer there is no room for reasoning.
"""


class Form(NamedTuple):
    """How an answer stands in a conversation, around its own words."""

    lead: str
    """What comes between the prompt and the answer, such as a space."""
    tail: str
    """What follows the answer: often a space, then the mark that ends a turn."""


class Chat:
    """Writes conversations as a tokenizer's own template has them; as Llama-2 was trained where it
    has none.
    """

    def __init__(self, tokenizer: Any, options: Mapping[str, Any] | None = None) -> None:
        """Take the tokenizer, and what its template is told beside the messages.

        Raises:
            UserError: the template cannot be rendered, or leaves out what is asked.
        """
        self.tokenizer = tokenizer
        template = str(getattr(tokenizer, "chat_template", None) or "")
        known = {name: value for name, value in OFF.items() if name in template}
        self.options = known | dict(options or {})
        self._has_template = bool(template)
        probe = self.render("instruction 1", [], "question 2")
        if "instruction 1" not in probe or "question 2" not in probe:
            raise UserError(
                f"{self._name}: its chat template leaves out what is asked: choose another model,"
                " or mend chat_template in its tokenizer_config.json (or chat_template.jinja)"
            )
        self.thinks = thinks(probe)
        """Whether the model is left inside a block of reasoning that no switch turns off."""

    def render(
        self, instruction: str, turns: Sequence[Turn], query: str, answer: str | None = None
    ) -> str:
        """The conversation as one text with special tokens, up to where the model's answer begins;
        with `answer`, up to its end.
        """
        if not self._has_template:
            bos, eos = self.tokenizer.bos_token or "", self.tokenizer.eos_token or ""
            return _llama2(bos, eos, instruction, turns, query, answer)
        texts = [text for turn in turns for text in turn] + [query]
        texts += [] if answer is None else [answer]
        messages = [
            {"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)
        ]
        try:
            return self._apply([{"role": "system", "content": instruction}, *messages], answer)
        except Exception:  # noqa: BLE001 - no system role: an error of the template's own choice
            messages[0] = {"role": "user", "content": f"{instruction}\n\n{messages[0]['content']}"}
        try:
            return self._apply(messages, answer)
        except Exception as error:
            raise UserError(
                f"{self._name}: its chat template cannot be rendered"
                f" ({type(error).__name__}: {' '.join(str(error).split())[:120]}): choose another"
                " model, or mend its template"
            ) from error

    def _apply(self, messages: list[dict[str, str]], answer: str | None) -> str:
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=answer is None, **self.options
        )
        return str(text)

    @property
    def _name(self) -> str:
        return getattr(self.tokenizer, "name_or_path", "") or "this model"


def form_of_answers(render: Callable[[str | None], str]) -> Form | None:
    """Read off a rendered conversation how answers are written in it; None where a conversation
    that goes on does not begin as the prompt does.

    Args:
        render: gives the conversation up to the answer (None), or with that answer.
    """
    prompt, whole = render(None), render("7")
    if not whole.startswith(prompt) or "7" not in whole[len(prompt) :]:
        return None
    lead, _, tail = whole[len(prompt) :].partition("7")
    return Form(lead, tail)


def _llama2(
    bos: str, eos: str, instruction: str, turns: Sequence[Turn], query: str, answer: str | None
) -> str:
    """The chat format that Llama-2 was trained with."""
    users = [user for user, _ in turns] + [query]
    users[0] = f"<<SYS>>\n{instruction}\n<</SYS>>\n\n{users[0]}"
    replies = [f" {reply} {eos}" for _, reply in turns]
    replies += [""] if answer is None else [f" {answer} {eos}"]
    return "".join(
        f"{bos}[INST] {user} [/INST]{reply}" for user, reply in zip(users, replies, strict=True)
    )
