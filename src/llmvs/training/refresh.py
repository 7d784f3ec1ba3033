"""Extraction inside a Lightning fit, for a trainer of one's own; `llmvs train` extracts before it
builds a trainer.
"""

import logging

import lightning as L
from lightning.pytorch.callbacks import Callback

from llmvs.config.schema import Config
from llmvs.datasets.base import Dataset, Fold
from llmvs.extraction.distributed import extract_together
from llmvs.extraction.pipeline import Extraction, extract
from llmvs.models.datamodule import EmbeddingDataModule

logger = logging.getLogger(__name__)


class RefreshEmbeddings(Callback):
    """Makes the embeddings of a fold before its fit: those that are missing, or all
    (`extract.refresh`).

    The trainer's ranks share the videos. When they are done the models are gone, their memory is
    free again, and the trainer's `EmbeddingDataModule` holds the embeddings. Lightning sets the
    datamodule up before its callbacks, so give it no cache: `EmbeddingDataModule(dataset, fold,
    None)`.
    """

    def __init__(self, config: Config, dataset: Dataset, fold: Fold) -> None:
        """Nothing is read before `setup`.

        Args:
            config: backbone, prompts, cache and `extract.refresh`.
            dataset: gives the videos.
            fold: whose videos are extracted, and from whose training videos examples are drawn.
        """
        self.config, self.dataset, self.fold = config, dataset, fold

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Extract, and hand the embeddings to the datamodule.

        Raises:
            UserError: as `llmvs.extraction.pipeline.extract`; a video that failed; a rank died.
        """
        if stage != "fit":
            return
        extraction = self._extract(trainer.global_rank, trainer.world_size)
        extraction.check()
        data = getattr(trainer, "datamodule", None)
        if isinstance(data, EmbeddingDataModule):
            data.use(extraction.cache)
            data.setup(stage)

    def _extract(self, rank: int, world_size: int) -> Extraction:
        keys = (*self.fold.train, *self.fold.val, *self.fold.test)
        sources = [self.dataset.video(key) for key in keys]
        job = (
            self.config,
            self.dataset.name,
            sources,
            [self.dataset.annotations_of(key) for key in self.fold.train],
        )
        if world_size == 1:
            return extract(*job)
        extraction = extract_together(job, rank, world_size)
        logger.info("%s", extraction.summary())
        return extraction
