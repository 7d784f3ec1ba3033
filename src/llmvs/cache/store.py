"""A folder on disk with one record per video, all made alike: captions and embeddings are two kinds
of it.

    FOLDER/fingerprint.json      what made every file of the folder (see `fingerprint`)
    FOLDER/<video><suffix>       the files of a video's record

Every file is written atomically, the one that completes a record last: a record is whole or absent,
whatever is killed.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from llmvs.cache.fingerprint import (
    MANIFEST,
    TENSORS,
    Identity,
    check_identity,
    read_identity,
    write_fingerprint,
)
from llmvs.errors import UserError
from llmvs.files import atomic, check_name, regular


class Store:
    """One record per video in one folder. A kind of record sets the names below, and adds how it is
    read and written.
    """

    FORMAT: ClassVar[str]
    """Stands in the fingerprint and in the header of every file of arrays."""
    WHAT: ClassVar[str]
    """What the folder is, in error lines."""
    RECORD: ClassVar[str]
    """What a record is, in error lines."""
    SUFFIXES: ClassVar[tuple[str, ...]]
    """The files of one record, in the order in which they are written."""

    def __init__(self, folder: Path, identity: Identity | None = None) -> None:
        """Open `folder`, which need not exist yet.

        Args:
            folder: of the records.
            identity: what they must have been made with; None: whatever the folder says.

        Raises:
            UserError: the folder was made otherwise (says what differs), or holds no fingerprint
                and `identity` is None.
        """
        self.folder = Path(folder)
        self.manifest = self.folder / MANIFEST
        if identity is None:
            identity = read_identity(self.manifest, self.FORMAT, self.WHAT)
        elif self.manifest.exists():
            found = read_identity(self.manifest, self.FORMAT, self.WHAT)
            check_identity(self.manifest, found, identity)
        self.identity: Identity = identity
        self._said: str | None = None
        """The identity of the last record that was made alike, as its file says it."""

    def path(self, key: str) -> Path:
        """Where the file is that completes the record of video `key`.

        Raises:
            UserError: the key cannot be a file's name.
        """
        return self._file(key, self.SUFFIXES[-1])

    def keys(self) -> list[str]:
        """The videos whose records are there, sorted."""
        names = set(os.listdir(self.folder)) if self.folder.is_dir() else set[str]()  # noqa: PTH208
        *others, last = self.SUFFIXES
        stems = (name.removesuffix(last) for name in names if name.endswith(last))
        return sorted(
            stem
            for stem in stems
            if not stem.startswith(".") and all(f"{stem}{suffix}" in names for suffix in others)
        )

    def __contains__(self, key: str) -> bool:
        return all(self._file(key, suffix).exists() for suffix in self.SUFFIXES)

    def header(self, key: str) -> dict[str, str]:
        """What the file of arrays of video `key` says of itself.

        Raises:
            UserError: missing, damaged, or not a file of this kind.
        """
        with self._opened(key) as (_, header):
            return header

    @contextmanager
    def _opened(
        self, key: str, framework: Literal["pt", "np"] = "pt"
    ) -> Iterator[tuple[Any, dict[str, str]]]:
        """The file of arrays of video `key`, and what it says of itself.

        Raises:
            UserError: as `header`; what is asked of the file in the block is not there.
        """
        path = self._file(key, TENSORS)
        if not path.exists():
            raise UserError(
                f"{path}: no {self.RECORD} of {key} here: run `llmvs extract` with the same"
                " settings"
            )
        try:
            with safe_open(regular(path), framework=framework) as file:
                header = file.metadata() or {}
                if header.get("format") != self.FORMAT:
                    raise UserError(
                        f"{path}: not a file of {self.RECORD} of format {self.FORMAT}: delete it"
                        " and extract again"
                    )
                yield file, header
        except (SafetensorError, OSError, KeyError) as error:
            raise UserError(f"{path}: damaged ({error}): delete it and extract again") from error

    def _check_made_alike(self, key: str, header: Mapping[str, str]) -> None:
        """Refuse a record that was made otherwise than the folder says.

        Raises:
            UserError: names what differs.
        """
        said = header.get("identity", "{}")
        if said != self._said:  # thousands of files say the same
            check_identity(self.path(key), json.loads(said), self.identity)
            self._said = said

    def _save(
        self,
        key: str,
        tensors: Mapping[str, Tensor],
        header: Mapping[str, str],
        provenance: Mapping[str, str] | None,
    ) -> None:
        """Write the arrays of one video; the first write of a folder writes its fingerprint, too."""  # noqa: E501
        made_with = dict(provenance or {})
        if not self.manifest.exists():
            write_fingerprint(self.manifest, self.FORMAT, self.identity, made_with)
        about = {"format": self.FORMAT, "provenance": json.dumps(made_with, sort_keys=True)}
        save_tensors(self._file(key, TENSORS), tensors, {**about, **header})

    def _file(self, key: str, suffix: str) -> Path:
        check_name(key, str(self.folder), "rename the video")
        return self.folder / f"{key}{suffix}"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file atomically, the same bytes for the same content.

    The library writes `metadata` in an order that changes from run to run; here it is sorted.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    with atomic(path) as temporary:
        save_file(dict(tensors), temporary, metadata=dict(metadata))
        with temporary.open("r+b") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
            header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
            text = (
                json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(size)
            )
            # always, unless the library escapes otherwise; then the order stays as it is
            if len(text) == size:
                file.seek(8)
                file.write(text)
