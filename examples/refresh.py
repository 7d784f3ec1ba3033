"""Caption and embed the videos inside a Lightning fit, in the trainer's own ranks, then train.

    python examples/refresh.py [FOLDER] [DEVICES]

The captioner and the scorer here are the small built-in ones with random weights, on the CPU. For
LLaVA and Llama on five GPUs, leave out the two `backbone` lines (and `caption`, `prompt`), and say
accelerator=gpu and DEVICES=5. From the command line the same is

    llmvs train configs/dataset/demo.yaml devices=5 trainer.callbacks=[refresh_embeddings]
"""

import sys

import lightning as L
from made_up import place_of

from llmvs import EmbeddingDataModule, LLMVSModule
from llmvs.config.load import load_config
from llmvs.datasets.splits import fold as make_fold
from llmvs.demo.dataset import load as draw
from llmvs.training.refresh import RefreshEmbeddings


def main() -> None:
    """Train on fold 0 of five drawn clips whose embeddings are made by the callback."""
    place, devices = place_of(sys.argv), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    dataset = draw(place / "data", clips=5, seconds=(6, 8))
    config = load_config(
        [
            "data.dataset=demo",
            f"cache={place / 'cache'}",
            "accelerator=cpu",
            "backbone.captioner=builtin:tiny-llava",
            "backbone.scorer=builtin:tiny-llama",
            "caption.max_tokens=12",
            "prompt.max_tokens=1",
            "extract.refresh=missing",  # `always` makes them anew before every fit
        ]
    )
    fold = make_fold(dataset, "paper", 0, val_fraction=0.2)
    trainer = L.Trainer(
        max_epochs=3,
        accelerator=config.accelerator,
        devices=devices,
        strategy="ddp_spawn" if devices > 1 else "auto",
        callbacks=[RefreshEmbeddings(config, dataset, fold)],
        default_root_dir=place,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
    )
    module = LLMVSModule(head={"dim": 64, "layers": 1, "feedforward": 64}, optim={"lr": 1e-3})
    # None: the callback says where the embeddings are, and then the head learns how wide they are.
    trainer.fit(module, datamodule=EmbeddingDataModule(dataset, fold, None, batch_videos=2))
    print(f"test tau: {float(trainer.callback_metrics['test/paper/tau']):.3f}")


if __name__ == "__main__":
    main()
