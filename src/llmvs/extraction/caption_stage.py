"""Stage 1 over many videos: the captions of every video, made by a frozen model or given by the
user.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmvs.cache.captions import CaptionCache, Captions, supplied
from llmvs.cache.fingerprint import why_new
from llmvs.config.schema import CaptionConfig, Config
from llmvs.datasets.video import Video
from llmvs.errors import UserError, VideoError
from llmvs.extraction import identity
from llmvs.extraction.caption_steps import caption_steps
from llmvs.extraction.prompts import FRAME_QUESTION
from llmvs.extraction.stage import Count, Stage, and_more
from llmvs.extraction.steps import check_supplied, steps_of
from llmvs.video.container import probe

if TYPE_CHECKING:
    from llmvs.extraction.captioner import Captioner

logger = logging.getLogger(__name__)


class SuppliedCaptions:
    """Captions that the user gave (`extract.captions=DIR`): they are read, and none are made."""

    cache = None

    def __init__(self, config: Config, dataset: str) -> None:
        """Take the settings; in the folder's name `{dataset}` stands for `dataset`."""
        self.folder = Path((config.extract.captions or "").replace("{dataset}", dataset))
        self.made: list[str] = []
        self.reused: list[str] = []

    def read(self, video: Video) -> Captions:
        """Read the captions of a video.

        Raises:
            VideoError: missing, unreadable, or of other frames than the video's steps.
        """
        captions = supplied(self.folder, video.key, video.name)
        if video.picks is not None and (
            notice := check_supplied(video.key, captions.frames, video.picks)
        ):
            logger.warning("%s", notice)
        return captions

    def has(self, video: Video) -> bool:
        """Tell whether the captions of a video are there, and of its steps."""
        try:
            captions = supplied(self.folder, video.key, video.name)
            if video.picks is not None:
                check_supplied(video.key, captions.frames, video.picks)
        except UserError:
            return False
        return True

    def there(self) -> frozenset[str]:
        """Name no video: a look at the folder costs as much as reading it."""
        return frozenset()

    def run(self, videos: Sequence[Video], n_videos: int | None = None) -> dict[str, str]:
        """Make nothing."""
        return {}


class CaptionStage(Stage[Path | None, "Captioner"]):
    """Captions, or other answers, of a frozen image-text-to-text model about every step."""

    cache: CaptionCache

    def __init__(
        self, config: Config, dataset: str, kind: Literal["captions", "answers"] = "captions"
    ) -> None:
        """Open the cache of captions; `answers` are no captions and have folders of their own."""
        self.config = config
        made_with = identity.captions_identity(config, kind)
        place = identity.folder(config, dataset, kind, made_with)
        if reason := why_new(place, made_with):
            logger.info("%s", reason)
        again = config.extract.refresh == "always"
        super().__init__(kind, CaptionCache(place, made_with), again)
        self.smaller = f"reduce caption.batch={config.caption.batch}, or set backbone.quantize"

    def read(self, video: Video) -> Captions:
        """Read the captions of a video, which are there."""
        return self.cache.read(video.key)

    def load(self) -> "Captioner":
        """Load the captioner."""
        from llmvs.extraction import models
        from llmvs.extraction.captioner import Captioner

        device = models.pick_device(self.config.accelerator)
        pair = models.load_captioner(self.config.backbone, Path(self.config.cache), device)
        return Captioner(
            *pair, identity.questions(self.config.caption), self.config.caption.max_tokens
        )

    def prepare(self, video: Video) -> Path | None:
        """Give the video's file."""
        return video.path

    def stale(self, video: Video, given: Path | None) -> bool:
        """Tell whether the file is another one than that of the cached captions; without a file
        they stand.
        """
        if (
            given is None
            or not given.exists()
            or identity.file_hash(given) == self.cache.source(video.key)
        ):
            return False
        logger.warning("%s: the video changed since it was captioned: captioned again", given)
        return True

    def make(self, video: Video, given: Path | None, count: Count) -> None:
        """Caption the steps of one video.

        Raises:
            VideoError: no file, an unreadable one, or one whose steps are not the annotations'.
        """
        extract, batch, path = self.config.extract, self.config.caption.batch, given
        if path is None:
            raise VideoError(
                f"{video.key}: no video file: put it where the dataset expects it, or give"
                " extract.captions=DIR"
            )
        if not path.is_file():
            probe(path)  # says what is there in its place, before a model is loaded
        captioner = self.model
        steps = steps_of(video, path, extract.fps, extract.every_nth_frame)
        frames, texts, features = caption_steps(steps, captioner, batch, count)
        made_with = identity.provenance(captioner.model.device)
        source = identity.file_hash(path)
        self.cache.write(video.key, Captions(frames, texts), features, source, made_with)


AnyCaptions = CaptionStage | SuppliedCaptions


def open_captions(config: Config, dataset: str) -> AnyCaptions:
    """Open the captions that the settings ask for: supplied ones, or the cache of those to make."""
    if config.extract.captions is None:
        return CaptionStage(config, dataset)
    return SuppliedCaptions(config, dataset)


def frame_question(config: Config) -> CaptionConfig:
    """Settings under which the captioner answers `FRAME_QUESTION` in place of captions."""
    return replace(
        config.caption, kind="general", prompt=FRAME_QUESTION, max_tokens=config.prompt.max_tokens
    )


def ask_frames(config: Config, dataset: str, sources: Sequence[Video]) -> CaptionCache:
    """Ask the captioner `FRAME_QUESTION` about every frame of `sources`; what is there already is
    not asked again.

    Returns:
        The cache whose "captions" are these answers.

    Raises:
        UserError: a video cannot be read, or (with `extract.refresh=never`) was not asked about
            before.
    """
    stage = CaptionStage(replace(config, caption=frame_question(config)), dataset, "answers")
    if config.extract.refresh == "never":
        stage.refuse_missing(
            sources,
            f"extract.refresh=never: {stage.cache.folder} has no answers about {{video}}: "
            "run the same command with extract.refresh=missing where the models are",
        )
    if failed := list(stage.run(sources).values()):
        raise UserError(and_more(failed))
    logger.info(
        "answers about frames: %s videos asked about, %s reused (%s)",
        len(stage.made),
        len(stage.reused),
        stage.cache.folder,
    )
    return stage.cache
