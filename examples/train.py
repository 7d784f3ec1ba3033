"""Train a head with a Lightning trainer of one's own: fit, test, predict, load a checkpoint.

    python examples/train.py [FOLDER]

It draws five clips and makes up their embeddings in FOLDER. With a benchmark and a cache made by
`llmvs extract`, the first lines would read

    dataset = load_dataset("tvsum", Path("data/tvsum"))
    cache = "cache/..."  # the folder of embeddings that `llmvs extract` names
"""

import sys

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from made_up import made_up, place_of

from llmvs import EmbeddingDataModule, LLMVSModule


def main() -> None:
    """Train on fold 0, keep the best epoch on the held-out videos, score the test videos."""
    place = place_of(sys.argv)
    dataset, cache = made_up(place)
    data = EmbeddingDataModule(dataset, 0, cache, batch_videos=2)
    module = LLMVSModule(head={"dim": 64, "layers": 1, "feedforward": 64}, optim={"lr": 1e-3})

    best = ModelCheckpoint(place / "checkpoints", monitor="val/paper/tau", mode="max")
    trainer = L.Trainer(
        max_epochs=20,
        accelerator="cpu",
        gradient_clip_val=0.01,
        callbacks=[
            best,
            EarlyStopping("val/paper/tau", mode="max", patience=10),
            LearningRateMonitor(),
        ],
        logger=CSVLogger(place),
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
    )
    trainer.fit(module, data)

    loaded = LLMVSModule.load_from_checkpoint(best.best_model_path)
    trainer.test(loaded, data)
    for batch in trainer.predict(loaded, data) or []:
        for key, scores in batch.items():
            print(f"{key}: {len(scores)} steps, the highest score {scores.max():.3f}")


if __name__ == "__main__":
    main()
