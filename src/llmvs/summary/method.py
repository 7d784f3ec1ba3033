"""Which method scores the steps of one's own video, and what is refused before anything is read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from llmvs.errors import UserError, require_package

if TYPE_CHECKING:
    from llmvs.summary.language import Language

Name = Literal["auto", "visual", "language"]
HINT = (
    "scored by what is seen and heard, without a language model; for captions and a language model"
    " name a trained head (--model RUN), or a pair of models behind the video: `small` fits a"
    " laptop and is downloaded once"
)
"""What is said behind a summary of the method `auto` that came out as `visual`."""


def language_for(
    method: Name,
    model: str | None = None,
    about: str | None = None,
    captions: str | None = None,
    settings: Sequence[str] = (),
    spoken: bool = False,
    fps: float = 2.0,
) -> "Language | None":
    """Choose the method.

    Args:
        method: `visual`: what is seen and heard; `language`: language models; `auto`: `language`
            where a model, a wish, captions or settings are given or the paper's models lie on this
            machine, else `visual`.
        model: a run's folder, an export's, a hub id, or `demo`; None: the scorer's own numbers.
        about: what the summary shall show.
        captions: a file of captions, or a folder of files.
        settings: layers and `key=value`, as on the command line.
        spoken: whether there are subtitles.
        fps: steps per second of video.

    Returns:
        What scores by language; None: the method is `visual`.

    Raises:
        UserError: things that do not go together; no such model.
    """
    given = {
        "--model": model,
        "--about": about,
        "--captions": captions,
        "settings": " ".join(settings),
    }
    asked = [f"{name} {value}" for name, value in given.items() if value]
    if method == "visual":
        if asked:
            raise UserError(
                f"{asked[0]}: needs language models, which --method visual does not ask: leave one"
                " of the two out"
            )
        return None
    if method == "auto" and not asked and not models_at_hand():
        return None
    require_package("transformers", "extract", "--method language")
    from llmvs.summary.language import Language

    wishes = [
        *([f"prompt.about={about}"] if about else []),
        *([f"extract.captions={captions}"] if captions else []),
        *(["prompt.spoken=true"] if spoken else []),
    ]
    return Language.of(model, [*wishes, *settings], fps)


def models_at_hand() -> bool:
    """Whether the paper's pair of models lies on this machine."""
    from llmvs.config.inputs import BackboneConfig
    from llmvs.extraction.hub import at_hand

    pair = BackboneConfig()
    return at_hand(pair.captioner, pair.captioner_revision) and at_hand(
        pair.scorer, pair.scorer_revision
    )
