"""Read videos of one's own with the frozen pair, as a trained head needs it, and nothing else.

    settings_for(...)      the settings that make a head's input, of a head or of one's own choice
    read_videos(...)       captions and embeddings of some files, made or found in the cache
    Readings.of(video)     those of one file

What is made lies in CACHE/own, by the names of the files.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from llmvs.cache.captions import Captions, visual_features
from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.cache.fingerprint import differences
from llmvs.config.load import load_config
from llmvs.config.schema import Config
from llmvs.config.settings import nested
from llmvs.datasets.video import Video
from llmvs.errors import UserError, VideoError
from llmvs.extraction import builtin, examples
from llmvs.extraction.caption_stage import open_captions
from llmvs.extraction.identity import LATER, embeddings_identity
from llmvs.extraction.pipeline import extract
from llmvs.extraction.spoken import with_words

logger = logging.getLogger(__name__)

OWN = "own"
"""The folder in the cache, and the name of the dataset that is none."""


@dataclass(frozen=True)
class Reading:
    """What the frozen pair makes of one video."""

    captions: Captions
    """T captions, and what is said around every step where that was asked for."""
    embeddings: Embeddings
    """[T, D] each, and T answers."""
    features: Tensor | None = None
    """[T, D_v] visual features, where they were asked for."""


@dataclass(frozen=True)
class Readings:
    """Captions and embeddings of some videos."""

    config: Config
    cache: EmbeddingCache
    failed: Mapping[str, str]
    """Key -> why there are none."""

    def of(self, video: Video, with_features: bool = False) -> Reading:
        """Give those of one video.

        Args:
            video: one that was read.
            with_features: whether the head reads visual features too.

        Raises:
            VideoError: it failed.
            UserError: there are no visual features.
        """
        if video.key in self.failed:
            raise VideoError(self.failed[video.key])
        captions = open_captions(self.config, OWN).read(video)
        if self.config.prompt.spoken:
            captions = with_words(captions, video, self.config.prompt.window)
        features = visual_features(self.cache, video.key) if with_features else None
        return Reading(captions, self.cache.read(video.key), features)


def settings_for(
    arguments: Sequence[str],
    fps: float,
    extraction: Mapping[str, Any] | None = None,
    identity: Mapping[str, Any] | None = None,
    name: str = "",
) -> Config:
    """The settings under which videos of one's own are read.

    Args:
        arguments: layers and `key=value`, as on the command line.
        fps: steps per second of video.
        extraction: the settings, by dotted key, that made the embeddings of a trained head.
        identity: what stands in the fingerprint of those embeddings.
        name: of the head, for errors.

    Raises:
        UserError: settings that are wrong, or other than those that the head was trained with.
    """
    if identity and "features" in identity:
        raise UserError(
            f"{name}: reads the features of {identity['features']} (head.inputs=features), which"
            " nothing here makes of a video: use a head that was trained on embeddings"
        )
    made_with = dict(extraction or {})
    sampling = [f"extract.fps={fps}", "extract.every_nth_frame=null"]
    config = load_config(
        [f"data.dataset={OWN}", *sampling, *arguments], nested(made_with), origin=name
    )
    if config.examples.source == "fold":
        raise UserError(
            f"{name or 'examples.source=fold'}: its prompts show examples from the training videos"
            " of a fold, which are not at hand here: use a head that was trained with"
            " examples.source=fixed"
        )
    if identity:
        _check_same(config, identity, name)
    return config


def read_videos(config: Config, videos: Sequence[Video]) -> Readings:
    """Caption the steps of some videos and embed them; what is in the cache is not made again.

    Raises:
        UserError: what concerns all videos: a model that cannot be loaded, two files of one name.
    """
    pair = (config.backbone.captioner, config.backbone.scorer)
    if any(builtin.is_builtin(one) for one in pair):
        logger.warning(
            "note: %s and %s know the demo's drawn world and nothing else: of real footage their"
            " captions and numbers mean nothing",
            *pair,
        )
    done = extract(config, OWN, videos)
    return Readings(config, done.cache, done.failed)


def _check_same(config: Config, identity: Mapping[str, Any], name: str) -> None:
    """Refuse other embeddings than those that a head was trained on.

    Raises:
        UserError: names every setting that differs.
    """
    shown = examples.fixed(config.examples.count, config.prompt.window)
    here = embeddings_identity(config, shown)
    asked = [key for key in LATER if here.get(key) != identity.get(key)]
    # Captions may be of other steps, and what the user asks for changes the wording.
    free = {"captions", *asked, *(["wording"] if asked else [])}
    known = {key: value for key, value in identity.items() if key in here and key not in free}
    if changes := differences({key: here[key] for key in known}, known):
        raise UserError(
            f"{name}: was trained on other embeddings than these settings make:"
            f" {'; '.join(changes)}: use the settings that it was trained with"
        )
    if asked:
        logger.warning("note: %s was trained with another %s", name, ", ".join(asked))
