"""Ask before the demo becomes a matter of days: models of billions of parameters read it on a GPU,
hardly on a CPU.
"""

from pathlib import Path

from llmvs.config.schema import Config
from llmvs.errors import UserError

SMALL = 1_000_000_000
"""Bytes of weights up to which a local model is nobody's worry."""
SECONDS_PER_STEP = 260
"""Of the paper's pair on two CPU cores at 60 GFLOP/s: 650 tokens through 7 B parameters, 250
through 13 B.
"""
STEPS = 4000


def ask_first(config: Config, yes: bool) -> None:
    """Refuse the demo with large models on a CPU unless the user has said yes.

    Raises:
        UserError: what it would cost, and what to do instead.
    """
    large = [
        name for name in (config.backbone.captioner, config.backbone.scorer) if _is_large(name)
    ]
    if (
        yes
        or config.data.dataset != "demo"
        or not large
        or config.extract.embeddings
        or config.extract.refresh == "never"
    ):
        return
    from llmvs.extraction.models import pick_device

    if pick_device(config.accelerator).type == "cpu":
        days = STEPS * SECONDS_PER_STEP / 86400
        raise UserError(
            f"the demo with {' and '.join(large)} on a CPU: a download of gigabytes, and days of"
            f" computing (the paper's pair: 40 GB, {days:.0f} days on two cores): use"
            " configs/backbone/demo.yaml, or add --yes to go on all the same"
        )


def _is_large(name: str) -> bool:
    if name.startswith("builtin:"):
        return False
    folder = Path(name)
    return (
        not folder.is_dir()
        or sum(path.stat().st_size for path in folder.glob("*.safetensors")) > SMALL
    )
