"""Which engine was found to be right for a model, remembered in the cache: the check of a fast
engine against the naive one takes seconds, and only another model or library changes its outcome.
"""

import hashlib
from pathlib import Path
from typing import Any

from llmvs.errors import UserError
from llmvs.files import read_json, write_json

FILE = "engines.json"


class CheckedEngines:
    """The outcomes of earlier checks; a damaged file, or one that cannot be written, is none."""

    def __init__(self, cache: Path, made_with: dict[str, str]) -> None:
        """Look for one model's.

        Args:
            cache: the folder of all caches.
            made_with: what the outcome depends on: the model, its number format, the device, and
                versions of libraries.
        """
        self.path, self.made_with = cache / FILE, made_with
        text = "\0".join(f"{key}={value}" for key, value in sorted(made_with.items()))
        self.key = hashlib.sha256(text.encode()).hexdigest()[:16]

    def chosen(self) -> str | None:
        """The engine that was chosen before; None: this model was not checked yet."""
        found = self._all().get(self.key)
        name = found.get("engine") if isinstance(found, dict) else None
        return name if isinstance(name, str) else None

    def remember(self, engine: str) -> None:
        """Write down which engine was chosen."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self.path, {**self._all(), self.key: {"engine": engine, **self.made_with}})
        except (OSError, UserError):
            return  # the next run checks again

    def _all(self) -> dict[str, Any]:
        try:
            found = read_json(self.path, "the engines that were checked")
        except UserError:
            return {}
        return found if isinstance(found, dict) else {}
