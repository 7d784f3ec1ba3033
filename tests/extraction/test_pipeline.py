"""From video files to the cache: what is made, what is reused, what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from llmvs.cache.fingerprint import short_hash
from llmvs.config.load import load_config
from llmvs.config.schema import ExtractConfig, PromptConfig
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Video
from llmvs.errors import UserError, VideoError
from llmvs.extraction import examples, identity, models
from llmvs.extraction.pipeline import extract


def no_model(*args: object) -> None:
    raise AssertionError("a model is loaded although everything is there")


def supply(folder: Path, key: str, n: int, every: int = 10, word: str = "dog") -> Path:
    folder.mkdir(exist_ok=True)
    lines = [
        json.dumps({"step": t, "frame": every * t, "caption": f"{word} {t}"}) for t in range(n)
    ]
    (folder / f"{key}.jsonl").write_text("\n".join(lines))
    return folder


def source(key: str, n: int) -> Video:
    return Video(key, key, None, np.arange(n) * 10)


def test_a_video_file_becomes_embeddings(settings, film) -> None:
    path = film("clip.mp4", seconds=3)
    done = extract(settings, "mine", [Video.file(path)])
    embeddings = done.cache.read("clip")
    assert embeddings.q.shape == embeddings.a.shape == (6, 64)
    assert embeddings.steps.tolist() == [0, 5, 10, 15, 20, 25]
    assert len(embeddings.answers) == 6
    assert done.captions is not None
    captions = done.captions.read("clip")
    assert captions.frames == embeddings.steps.tolist()
    assert len(set(captions.texts)) > 1
    assert done.captions.features("clip").shape == (6, 64)
    assert (done.captioned, done.scored, done.reused, done.failed) == (["clip"], ["clip"], [], {})


def test_what_is_there_is_reused_without_loading_a_model(
    settings, film, monkeypatch, capsys
) -> None:
    path = film("clip.mp4")
    extract(settings, "mine", [Video.file(path)])
    monkeypatch.setattr(models, "load_captioner", no_model)
    monkeypatch.setattr(models, "load_scorer", no_model)
    capsys.readouterr()
    again = extract(settings, "mine", [Video.file(path)])
    assert (again.captioned, again.scored, again.reused) == ([], [], ["clip"])
    assert "1 reused" in capsys.readouterr().err


def test_an_interrupted_run_goes_on_behind_the_finished_videos(settings, film, monkeypatch) -> None:
    paths = [film(f"{name}.mp4", seed=i) for i, name in enumerate("abc")]
    sources = [Video.file(path) for path in paths]
    whole = extract(replace(settings, cache=settings.cache + "/whole"), "mine", sources)
    extract(settings, "mine", sources[:1])
    stamp = (Path(settings.cache) / "mine").rglob("a.*")
    before = {path: path.stat().st_mtime_ns for path in stamp}
    rest = extract(settings, "mine", sources)
    assert rest.scored == ["b", "c"]
    assert len(before) == 3
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    for key in "abc":
        assert rest.cache.path(key).read_bytes() == whole.cache.path(key).read_bytes()


def test_a_half_written_file_is_never_read(settings, film) -> None:
    path = film("clip.mp4")
    first = extract(settings, "mine", [Video.file(path)])
    written = first.cache.path("clip").read_bytes()
    first.cache.path("clip").rename(
        first.cache.folder / ".clip-x1.safetensors"
    )  # what a killed writer leaves behind
    assert first.cache.keys() == []
    again = extract(settings, "mine", [Video.file(path)])
    assert again.scored == ["clip"]
    assert again.cache.path("clip").read_bytes() == written


def test_a_replaced_video_is_captioned_again(settings, film, capsys) -> None:
    path = film("clip.mp4", seed=1)
    first = extract(settings, "mine", [Video.file(path)])
    before = first.cache.read("clip").q
    film("clip.mp4", seed=2)
    second = extract(settings, "mine", [Video.file(path)])
    assert (second.captioned, second.scored) == (["clip"], ["clip"])
    assert not torch.equal(second.cache.read("clip").q, before)
    assert "clip.mp4: the video changed since it was captioned" in capsys.readouterr().err


def test_a_broken_video_is_reported_and_the_others_are_done(settings, film) -> None:
    bad = film("bad.mp4")
    bad.write_bytes(b"no video")
    done = extract(settings, "mine", [Video.file(bad), Video.file(film("good.mp4"))])
    assert done.scored == ["good"]
    assert "bad.mp4: not a readable video" in done.failed["bad"]
    with pytest.raises(UserError, match=r"bad\.mp4"):
        done.check()


def test_steps_must_be_the_annotations_picks(settings, film) -> None:
    path = film("clip.mp4", seconds=3)
    settings = replace(settings, extract=ExtractConfig(fps=None, every_nth_frame=7))
    fits = Video("clip", "clip", path, np.array([0, 7, 14, 21, 28]))
    assert extract(settings, "mine", [fits]).cache.read("clip").steps.tolist() == [0, 7, 14, 21, 28]
    one_more = replace(fits, key="b", picks=np.array([0, 7, 14, 21]))
    assert len(extract(settings, "mine", [one_more]).cache.read("b").steps) == 4
    for picks, problem in [
        ([0, 7, 14, 21, 28, 35], "5 steps are sampled, but the annotations have 6"),
        ([0, 7], "5 steps are sampled, but the annotations have 2"),
        ([0, 7, 14, 22, 28], "step 3 is frame 21, but frame 22 in the annotations"),
    ]:
        failed = extract(settings, "mine", [replace(fits, key="c", picks=np.array(picks))]).failed
        assert problem in failed["c"]


def test_supplied_captions_replace_the_caption_stage(
    settings, tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(models, "load_captioner", no_model)
    folder = supply(tmp_path / "given", "v1", 5)
    supply(folder, "v2", 3)
    settings = replace(settings, extract=ExtractConfig(captions=str(folder)))
    done = extract(settings, "mine", [source("v1", 5), source("v2", 4)])
    assert done.captions is None
    assert len(done.cache.read("v1").steps) == 5
    assert len(done.cache.read("v2").steps) == 3
    assert (
        "v2: captions end at step 2 of 3: embeddings will cover 3 steps" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("n", "every", "problem"),
    [
        (6, 10, "6 captions are supplied, but the annotations have 5"),
        (5, 11, "the caption of step 1 is of frame 11, but of frame 10 in the annotations"),
    ],
)
def test_supplied_captions_of_other_frames_are_refused(
    settings, tmp_path, n: int, every: int, problem: str
) -> None:
    folder = supply(tmp_path / "given", "v1", n, every)
    settings = replace(settings, extract=ExtractConfig(captions=str(folder)))
    assert problem in extract(settings, "mine", [source("v1", 5)]).failed["v1"]


def test_changed_captions_are_embedded_again_in_the_same_folder(settings, tmp_path, capsys) -> None:
    folder = supply(tmp_path / "given", "v1", 3)
    supply(folder, "v2", 3)
    settings = replace(settings, extract=ExtractConfig(captions=str(folder)))
    first = extract(settings, "mine", [source("v1", 3)])
    supply(folder, "v1", 3, word="cat")
    second = extract(settings, "mine", [source("v1", 3), source("v2", 3)])
    assert second.cache.folder == first.cache.folder
    assert sorted(second.scored) == ["v1", "v2"]
    assert "v1: its captions or subtitles changed" in capsys.readouterr().err


def test_other_settings_make_a_new_folder_and_say_why(settings, tmp_path, capsys) -> None:
    folder = supply(tmp_path / "given", "v1", 3)
    settings = replace(settings, extract=ExtractConfig(captions=str(folder)))
    first = extract(settings, "mine", [source("v1", 3)])
    capsys.readouterr()
    second = extract(
        replace(settings, prompt=PromptConfig(window=1, max_tokens=2)), "mine", [source("v1", 3)]
    )
    assert second.cache.folder != first.cache.folder
    assert (
        f"because {first.cache.folder.name} was made with prompt.window=3 (now 1)"
        in capsys.readouterr().err
    )


def test_examples_of_the_fold_come_from_its_training_videos(settings, tmp_path) -> None:
    folder = tmp_path / "given"
    train = []
    for key in ("t1", "t2", "t3"):
        supply(folder, key, 6, word=key)
        train.append(
            Annotations(
                Video(key, key, picks=np.arange(6) * 10), 60, np.linspace(0, 1, 6, dtype=np.float32)
            )
        )
    supply(folder, "v1", 3)
    settings = replace(settings, extract=ExtractConfig(captions=str(folder)))
    settings.examples.source = "fold"
    settings.examples.count = 2
    done = extract(settings, "mine", [source("v1", 3)], train)
    assert done.cache.identity["fold"] == 0
    assert done.cache.keys() == ["v1"]
    settings.examples.seed = 1
    assert extract(settings, "mine", [source("v1", 3)], train).cache.folder != done.cache.folder
    settings.prompt.style = "summary"
    with pytest.raises(UserError, match="no summaries"):
        extract(settings, "mine", [source("v1", 3)], train)


def test_embeddings_that_are_not_finite_fail_by_name(settings, tmp_path, monkeypatch) -> None:
    from llmvs.extraction.engines import Reader

    values = Reader.values
    monkeypatch.setattr(Reader, "values", lambda self, states: values(self, states) * float("nan"))
    settings = replace(
        settings,
        extract=ExtractConfig(captions=str(supply(tmp_path / "given", "v1", 2)), engine="naive"),
    )
    failed = extract(settings, "mine", [source("v1", 2)]).failed
    assert (
        "v1: embeddings q hold NaN or infinite values, first at step 0 of 2: set"
        " backbone.dtype=bfloat16" in failed["v1"]
    )


def test_a_full_disk_stops_everything_in_one_line(settings, film, monkeypatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    sources = [Video.file(film("a.mp4")), Video.file(film("b.mp4"))]
    monkeypatch.setattr("llmvs.cache.store.save_file", full)
    with pytest.raises(UserError, match=r"cannot be written \(.*No space left on device") as caught:
        extract(settings, "mine", sources)
    assert "\n" not in str(caught.value)
    assert not list((Path(settings.cache) / "mine").rglob("*a*.safetensors"))


def test_no_file_and_no_captions_is_said_before_a_model_is_loaded(
    settings, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(models, "load_captioner", no_model)
    failed = extract(
        settings, "mine", [source("v1", 3), Video.file(tmp_path / "absent.mp4")]
    ).failed
    assert "v1: no video file" in failed["v1"]
    assert "absent.mp4: no such video file" in failed["absent"]


def test_two_files_of_one_name(settings, film) -> None:
    path = film("clip.mp4")
    with pytest.raises(UserError, match="would both be called clip"):
        extract(settings, "mine", [Video.file(path), Video.file(path.with_suffix(".mkv"))])


def test_errors_of_one_video_are_user_errors() -> None:
    assert issubclass(VideoError, UserError)


def test_every_tokens_vector_can_be_kept(settings, tmp_path) -> None:
    folder = supply(tmp_path / "given", "v1", 4)
    options = {"captions": str(folder), "keep": "tokens", "readout": "linear"}
    cache = extract(
        replace(settings, extract=ExtractConfig(**options)), "mine", [source("v1", 4)]
    ).cache
    assert cache.read("v1").tokens == []
    found = cache.read("v1", tokens=True)
    assert len(found.tokens) == 4
    assert found.q.shape[1] > 1000  # as many as there are words in the vocabulary
    for t, (q, a) in enumerate(found.tokens):
        assert torch.equal(q.amax(0), found.q[t])
        assert torch.equal(a.amax(0), found.a[t])


SAID = "1\n00:00:00,000 --> 00:00:00,400\n{}\n\n2\n00:00:00,500 --> 00:00:01,000\nlook at that\n"


def test_what_is_said_is_read_with_the_captions(settings, tmp_path, capsys) -> None:
    folder = supply(tmp_path / "given", "v1", 3)
    said = tmp_path / "v1.srt"
    said.write_text(SAID.format("hello"))
    video = replace(source("v1", 3), fps=20.0, transcript=said)
    silent = replace(settings, extract=ExtractConfig(captions=str(folder)))
    heard = replace(silent, prompt=replace(silent.prompt, window=1, spoken=True))
    without = extract(replace(heard, prompt=replace(heard.prompt, spoken=False)), "mine", [video])
    first = extract(heard, "mine", [video])
    assert first.cache.folder != without.cache.folder
    assert first.cache.identity["prompt.spoken"] is True
    before, after = (done.cache.read("v1") for done in (without, first))
    assert [bool((a != b).any()) for a, b in zip(before.q, after.q, strict=True)] == [
        True,  # step 0 at 0 s, the window of one step ends at 0.25 s: hello
        True,  # step 1 at 0.5 s: both
        True,  # step 2 at 1 s: look at that
    ]
    assert extract(heard, "mine", [video]).reused == ["v1"]
    said.write_text(SAID.format("good bye"))
    again = extract(heard, "mine", [video])
    assert again.scored == ["v1"]
    assert "v1: its captions or subtitles changed" in capsys.readouterr().err
    changed = again.cache.read("v1")
    assert [bool((a != b).any()) for a, b in zip(after.q, changed.q, strict=True)] == [
        True,
        True,
        False,
    ]


def test_subtitles_need_the_times_of_the_steps(settings, tmp_path) -> None:
    folder = supply(tmp_path / "given", "v1", 3)
    said = tmp_path / "v1.srt"
    said.write_text(SAID.format("hello"))
    heard = replace(
        settings,
        extract=ExtractConfig(captions=str(folder)),
        prompt=replace(settings.prompt, spoken=True),
    )
    failed = extract(heard, "mine", [replace(source("v1", 3), transcript=said)]).failed
    assert "v1: its subtitles need the times of its steps" in failed["v1"]


def test_what_was_made_before_the_users_own_words_stays_valid() -> None:
    plain = load_config(["demo"])
    shown = examples.fixed(plain.examples.count, plain.prompt.window)
    found = short_hash(identity.embeddings_identity(plain, shown))
    assert found == "1d0a553f", "an identity of version 0.1 changed: raise RECIPE, or leave it out"
    wish = replace(plain, prompt=replace(plain.prompt, about="only fireworks"))
    assert identity.embeddings_identity(wish, shown)["prompt.about"] == "only fireworks"


def test_a_text_may_stand_in_a_file(tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("Judge $this {frame}.\n", encoding="utf-8")
    config = load_config(["demo", f"prompt.instruction={tmp_path / 'mine.txt'}"])
    assert config.prompt.instruction == "Judge $this {frame}."
    with pytest.raises(UserError, match=r"prompt.question=no.txt: cannot be read \(No such file"):
        load_config(["demo", "prompt.question=no.txt"])
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(UserError, match="must hold a text"):
        load_config(["demo", f"prompt.question={tmp_path / 'empty.txt'}"])
    with pytest.raises(UserError, match=r"prompt.about= : must be a text, or null|prompt.about"):
        load_config(["demo", "prompt.about= "])
