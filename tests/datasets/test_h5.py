"""HDF5 files: what is not a plain field of the file itself is one line."""

import h5py
import numpy as np
import pytest

from llmvs.datasets import h5
from llmvs.errors import UserError


def test_an_h5_field_is_a_data_set_of_the_file_itself(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("video_1")
        group["good"] = [1, 2]
        group["soft"] = h5py.SoftLink("/video_1/good")
        group["out"] = h5py.ExternalLink("b.h5", "/x")
        group["null"] = h5py.Empty("f4")
        group.create_group("inner")
        assert h5.value_of(group, "good", "here").tolist() == [1, 2]
        for name, reason in {
            "soft": "a link elsewhere",
            "out": "a link elsewhere",
            "null": "is empty",
            "inner": "is a group",
            "gone": "has no gone",
        }.items():
            with pytest.raises(UserError, match=f"here: .*{reason}|here: {reason}"):
                h5.value_of(group, name, "here")


def test_a_damaged_chunk_is_named(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.arange(1000), chunks=(1000,), compression="gzip")
    whole = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        at = file["x"].id.get_chunk_info(0).byte_offset
    whole[at : at + 40] = b"\0" * 40
    path.write_bytes(whole)
    with h5py.File(path) as file, pytest.raises(UserError, match="x is damaged"):
        h5.value_of(file, "x", str(path))
