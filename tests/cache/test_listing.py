"""What `llmvs cache` says of a cache that holds every kind of folder, sound and damaged."""

import contextlib
import json
import os
import re
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from llmvs.cache.captions import CaptionCache, Captions
from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.cache.listing import folders, prune
from llmvs.cli import main
from llmvs.config.schema import Config, DataConfig
from llmvs.demo.models.shipped import BUILT
from llmvs.demo.models.tiny import BUILDERS
from llmvs.errors import UserError
from llmvs.extraction import identity
from llmvs.extraction.examples import fixed
from llmvs.files import atomic, temporary_prefix

KEYS = ("v1", "v2", "v3")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Captions and embeddings of three videos, and a built model."""
    place = tmp_path / "cache"
    config = Config(experiment="test", data=DataConfig(dataset="mine"), cache=str(place))
    config.backbone.captioner, config.backbone.scorer = "builtin:tiny-llava", "builtin:tiny-llama"
    made = identity.captions_identity(config)
    captions = CaptionCache(identity.folder(config, "mine", "captions", made), made)
    made = identity.embeddings_identity(config, fixed(3, 7))
    embeddings = EmbeddingCache(identity.folder(config, "mine", "embeddings", made), made)
    for n, key in enumerate(KEYS, start=4):
        given = Captions(list(range(0, 15 * n, 15)), [f"caption {t}" for t in range(n)])
        captions.write(key, given, torch.ones(n, 5), "hash of the video")
        value = Embeddings(
            torch.ones(n, 8), torch.zeros(n, 8), torch.tensor(given.frames), [[1]] * n, ["5"] * n
        )
        embeddings.write(key, value, given.sha256())
    (place / "backbones" / "tiny-llama-1").mkdir(parents=True)
    (place / "backbones" / "tiny-llama-1" / "model.safetensors").write_bytes(b"x" * 1500)
    return place


def folder(cache: Path, kind: str) -> Path:
    return next(cache.glob(f"mine/{kind}-*"))


def temporary(path: Path) -> Path:
    """What a writer of `path` leaves when it is killed."""
    writing = atomic(path)
    left = Path(str(writing.__enter__()))
    kept = left.with_name("kept")
    left.rename(kept)
    with contextlib.suppress(RuntimeError):
        writing.__exit__(RuntimeError, RuntimeError(), None)
    return kept.rename(left)


def age(path: Path, days: float) -> None:
    for one in [path, *path.rglob("*")] if path.is_dir() else [path]:
        os.utime(one, (time.time() - days * 86400,) * 2)


def test_list_says_what_is_there_and_what_made_it(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "list", f"cache={cache}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["FOLDER", "VIDEOS", "SIZE", "USED", "MADE", "FROM"]
    assert lines[1].startswith("backbones/tiny-llama-1 ")
    assert "1.5 kB" in lines[1]
    assert re.match(
        r"mine/captions-\w{8} +3 .* builtin:tiny-llava \(\d+, auto\); \"Provide a .*image.\";"
        r" 2.0 fps",
        lines[2],
    )
    name = folder(cache, "captions").name.split("-")[1]
    assert re.match(
        r"mine/embeddings-\w{8} +3 .* builtin:tiny-llama .*window 7, numeric, 3 fixed examples;"
        rf" captions {name}",
        lines[3],
    )
    assert lines[-1].startswith("3 folders, ")
    assert main(["cache", "list", "--json", f"cache={cache}"]) == 0
    documents = json.loads(capsys.readouterr().out)["folders"]
    assert [(one["dataset"], one["kind"], one["videos"]) for one in documents] == [
        ("", "backbone", 0),
        ("mine", "captions", 3),
        ("mine", "embeddings", 3),
    ]
    assert documents[2]["bytes"] == sum(
        path.stat().st_size for path in folder(cache, "embeddings").iterdir()
    )


def test_a_sound_cache_passes(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "verify", f"cache={cache}"]) == 0
    assert capsys.readouterr().out == "6 videos in 2 folders checked, 0 damaged\n"


def truncated(cache: Path) -> Path:
    path = folder(cache, "embeddings") / "v2.safetensors"
    path.write_bytes(path.read_bytes()[:-20])
    return path


def of_another_identity(cache: Path) -> Path:
    path = folder(cache, "embeddings") / "v2.safetensors"
    other = EmbeddingCache(cache / "other", {"scorer": "another"})
    other.write("v2", Embeddings(torch.ones(2, 8), torch.ones(2, 8), torch.arange(2)))
    other.path("v2").replace(path)
    (other.folder / "fingerprint.json").unlink()
    return path


def with_nan(cache: Path) -> Path:
    path = folder(cache, "captions") / "v2.safetensors"
    v = load_file(path)["v"]
    v[1, 1] = float("nan")
    save_file(
        {"v": v, "frames": load_file(path)["frames"]}, path, metadata={"format": "llmvs-captions-1"}
    )
    return path


def with_a_hole(cache: Path) -> Path:
    path = folder(cache, "captions") / "v2.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:1], *lines[2:]]))
    return path


def of_other_captions(cache: Path) -> Path:
    path = folder(cache, "captions") / "v2.jsonl"
    path.write_text(path.read_text().replace("caption 1", "another caption"))
    return folder(cache, "embeddings") / "v2.safetensors"


def of_another_width(cache: Path) -> Path:
    embeddings = EmbeddingCache(folder(cache, "embeddings"))
    value = embeddings.read("v2")
    embeddings.write(
        "v2",
        Embeddings(value.q[:, :4], value.a[:, :4], value.steps),
        embeddings.captions_hash("v2"),
    )
    return embeddings.path("v2")


@pytest.mark.parametrize(
    "damage",
    [truncated, of_another_identity, with_nan, with_a_hole, of_other_captions, of_another_width],
)
def test_a_damaged_file_is_named_and_only_it_goes(
    cache: Path, damage, capsys: pytest.CaptureFixture[str]
) -> None:
    path = damage(cache)
    before = {one for one in cache.rglob("*") if one.is_file()}
    assert main(["cache", "verify", f"cache={cache}"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(str(path))
    assert lines[1:] == ["6 videos in 2 folders checked, 1 damaged"]
    assert main(["cache", "verify", "--delete", f"cache={cache}"]) == 2
    gone = before - {one for one in cache.rglob("*") if one.is_file()}
    assert path in gone
    assert gone <= {path.with_suffix(".jsonl"), path.with_suffix(".safetensors")}
    capsys.readouterr()
    assert main(["cache", "verify", f"cache={cache}"]) == 0


def test_a_folder_without_a_fingerprint_is_damaged_and_pruned(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = folder(cache, "embeddings")
    (broken / "fingerprint.json").write_text("{")
    assert main(["cache", "verify", f"cache={cache}"]) == 2
    assert f"{broken}: its fingerprint.json is missing or unreadable" in capsys.readouterr().out
    assert f"would remove {broken.relative_to(cache)}" in prune(cache)
    assert broken.exists()
    assert f"removed {broken.relative_to(cache)}" in prune(cache, sure=True)
    assert not broken.exists()
    assert [one.kind for one in folders(cache)] == ["backbone", "captions"]


def test_folders_of_an_older_recipe_are_pruned(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "RECIPE", identity.RECIPE + 1)
    assert prune(cache).count("made by another version's recipe") == 2


def test_prune_takes_what_killed_runs_left_and_nothing_that_is_being_written(cache: Path) -> None:
    names = (temporary(folder(cache, "embeddings") / f"v{n}.safetensors") for n in (1, 2))
    old, new = names
    aside = cache / "backbones" / f"{temporary_prefix('tiny-llava')}abcd1234"
    aside.mkdir()
    for path in (old, new, aside / "model.safetensors"):
        path.write_bytes(b"x" * 1000)
    (cache / "mine" / ".lock").touch()
    age(cache / "mine" / ".lock", 1)
    age(old, 1)
    age(aside, 1)
    said = prune(cache)
    assert said.splitlines()[-1] == "2.0 kB would be freed; repeat with --yes to remove them"
    assert old.exists()
    assert prune(cache, sure=True).endswith("2.0 kB freed")
    assert (old.exists(), aside.exists(), new.exists()) == (False, False, True)
    assert (cache / "mine" / ".lock").exists()
    assert len(folders(cache)) == 3
    assert main(["cache", "verify", f"cache={cache}"]) == 0


def snapshot(place: Path) -> list[Path]:
    return sorted(place.rglob("*"))


Capsys = pytest.CaptureFixture[str]


def test_prune_of_a_home_folder_touches_nothing(tmp_path: Path, capsys: Capsys) -> None:
    home = tmp_path / "home"
    (home / "work" / ".ssh").mkdir(parents=True)
    (home / "runs" / "one").mkdir(parents=True)
    (home / "work" / "embeddings-0123abcd").mkdir()
    (home / "work" / "captions-0123abcd").mkdir()
    (home / "work" / "imported").mkdir()
    (home / "work" / "captions-mine").mkdir()
    (home / "backbones" / "guitar-1").mkdir(parents=True)
    (home / "backbones" / ".guitar-llmvs-abcd1234").mkdir()
    for name in (
        "work/.profile",
        "work/.ssh/id",
        "work/.ssh/.v-llmvs-abcd1234.json",
        "runs/one/.lock",
        "work/embeddings-0123abcd/notes.txt",
        "work/imported/v.safetensors",
        "work/captions-mine/v.jsonl",
        "backbones/.x",
        "backbones/guitar-1/song",
        "backbones/.guitar-llmvs-abcd1234/song",
    ):
        (home / name).write_text("mine")
    foreign = home / "work" / "captions-0123abcd" / "fingerprint.json"
    foreign.write_text('{"format": "another program of that name"}')
    age(home, 100)
    before = snapshot(home)
    assert main(["cache", "prune", "--yes", "--older-than", "1", f"cache={home}"]) == 0
    assert capsys.readouterr().out == "0 B freed\n"
    for name in ("embeddings-0123abcd", "captions-0123abcd", "imported", "captions-mine"):
        assert main(["cache", "prune", "--yes", f"work/{name}", f"cache={home}"]) == 2
    assert main(["cache", "prune", "--yes", "backbones/guitar-1", f"cache={home}"]) == 2
    assert snapshot(home) == before


def test_prune_and_verify_go_through_no_link(cache: Path, tmp_path: Path, capsys: Capsys) -> None:
    outside = tmp_path / "outside"
    (cache / "mine").rename(outside)
    (cache / "mine").symlink_to(outside)
    (cache / "backbones" / f"{temporary_prefix('tiny-llama')}abcd1234").symlink_to(outside)
    (outside / "deep").mkdir()
    captions, embeddings = folder(cache, "captions"), folder(cache, "embeddings")
    temporary(embeddings / "v1.safetensors")
    (captions / "v2.jsonl").write_text("{")
    age(outside, 100)
    before = snapshot(outside)
    assert main(["cache", "prune", "--yes", "--older-than", "1", f"cache={cache}"]) == 0
    assert capsys.readouterr().out == "0 B freed\n"
    assert main(["cache", "prune", "--yes", f"mine/{captions.name}", f"cache={cache}"]) == 2
    assert f"{captions}: reached through a symbolic link: not removed" in capsys.readouterr().err
    assert main(["cache", "verify", "--delete", f"cache={cache}"]) == 2
    assert (
        capsys.readouterr().out.splitlines()[-1] == "6 videos in 2 folders checked, 1 damaged; "
        "2 left, reached through symbolic links: remove them by hand"
    )
    assert snapshot(outside) == before


def test_a_linked_file_is_left_with_what_it_leads_to(cache: Path, tmp_path: Path) -> None:
    path, outside = folder(cache, "embeddings") / "v2.safetensors", tmp_path / "v2.safetensors"
    outside.write_bytes(path.read_bytes()[:-20])
    path.unlink()
    path.symlink_to(outside)
    assert main(["cache", "verify", "--delete", f"cache={cache}"]) == 2
    assert path.is_symlink()
    assert outside.exists()
    assert main(["cache", "prune", "--yes", f"mine/{path.parent.name}", f"cache={cache}"]) == 2
    assert path.is_symlink()


def test_a_folder_with_files_of_others_is_left_alone(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "RECIPE", identity.RECIPE + 1)
    captions, embeddings = folder(cache, "captions"), folder(cache, "embeddings")
    (embeddings / "thesis.tex").write_text("mine")
    prune(cache, sure=True)
    assert (captions.exists(), len(snapshot(embeddings))) == (False, 5)
    message = r"holds 'thesis\.tex', which llmvs did not write: not removed"
    with pytest.raises(UserError, match=message):
        prune(cache, [f"mine/{embeddings.name}"], sure=True)


@pytest.mark.parametrize(
    "content",
    ["[]", "3", '{"format": 3, "identity": []}', '{"format": "llmvs-captions-0"}', "[" * 100_000],
)
def test_any_damage_of_a_fingerprint_is_named(cache: Path, content: str, capsys: Capsys) -> None:
    broken = folder(cache, "captions")
    (broken / "fingerprint.json").write_text(content)
    assert main(["cache", "verify", f"cache={cache}"]) == 2
    assert f"{broken}: its fingerprint.json is missing or unreadable" in capsys.readouterr().out


def test_the_models_built_in_the_cache_are_known_by_name() -> None:
    assert set(BUILT) == set(BUILDERS)


def test_prune_takes_what_is_named_or_old(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    captions, embeddings = folder(cache, "captions"), folder(cache, "embeddings")
    age(captions, 20)
    age(cache / "backbones", 20)
    assert main(["cache", "prune", "--older-than", "30", f"cache={cache}"]) == 0
    assert capsys.readouterr().out == "0 B would be freed: nothing to remove\n"
    assert main(["cache", "prune", "--older-than", "10", "--yes", f"cache={cache}"]) == 0
    assert "not used for 20 days" in capsys.readouterr().out
    assert (captions.exists(), embeddings.exists()) == (False, True)
    assert main(["cache", "prune", "--yes", f"mine/{embeddings.name}", f"cache={cache}"]) == 0
    assert not embeddings.exists()
    assert main(["cache", "prune", "mine/embeddings-0", f"cache={cache}"]) == 2
    assert "mine/embeddings-0: no such folder in the cache" in capsys.readouterr().err


def test_a_cache_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "list", f"cache={tmp_path / 'none'}"]) == 2
    assert "no such folder: name the cache with cache=DIR" in capsys.readouterr().err
