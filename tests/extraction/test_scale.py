"""Many videos and long ones: a list of any length is at work at once, a video of any length fits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmvs.datasets.video import Video
from llmvs.extraction import identity, steps
from llmvs.extraction.caption_stage import CaptionStage
from llmvs.extraction.pipeline import extract
from tests.films import film, tiny_config


class Begun(Exception):
    """The first video is read."""


def test_a_list_of_ten_thousand_videos_is_at_work_before_anything_else_is_touched(
    settings, monkeypatch, tmp_path
) -> None:
    touched: list[str] = []
    sources = [Video.file(tmp_path / f"video_{i}.mp4") for i in range(10_000)]
    film(sources[0].path, 1)
    stat = os.stat

    def counted(path, *args, **options):
        touched.append(str(path))
        return stat(path, *args, **options)

    def begin(path, **options):
        raise Begun

    monkeypatch.setattr(CaptionStage, "load", lambda self: None)
    monkeypatch.setattr(identity, "file_hash", lambda path: pytest.fail("a video is hashed"))
    monkeypatch.setattr(steps, "sample", begin)
    monkeypatch.setattr(os, "stat", counted)
    with pytest.raises(Begun):
        extract(settings, "mine", sources)
    assert {path for path in touched if "video_" in path} <= {str(sources[0].path)}
    assert len(touched) < 50


MEASURED = (
    "import resource, sys; from llmvs.cli import main; main(sys.argv[1:]);"
    " print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)


@pytest.mark.slow
def test_memory_hardly_grows_with_the_length_of_a_video(tmp_path) -> None:
    cache = Path(tiny_config(tmp_path / "cache", tmp_path / "models").cache)

    def peak(name: str, minutes: float) -> float:
        command = [
            "extract",
            str(film(tmp_path / name, 60 * minutes)),
            "backbone.captioner=builtin:tiny-llava",
            "accelerator=cpu",
            "backbone.scorer=builtin:tiny-llama",
            "caption.max_tokens=6",
            f"cache={cache}",
        ]
        return (
            int(
                subprocess.run(
                    [sys.executable, "-c", MEASURED, *command],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            )
            / 1024
        )

    assert (
        peak("long.mp4", 10) - peak("short.mp4", 0.5) < 60
    )  # MB; its frames alone would take 1,200 x 48 x 32 x 3 bytes and more
