"""Files in the eccv16 layout: every wrong field is one line that names file, video and field."""

import warnings

import h5py
import numpy as np
import pytest

from llmvs.datasets.eccv16_file import read_eccv16
from llmvs.errors import UserError
from tests.datasets.made import FRAMES, STEPS, write_h5

NEEDED = ("n_frames", "picks", "gtscore", "user_summary", "change_points")
VOTES = np.zeros((15, FRAMES), np.float32)


def read(path, **keywords):
    """As `read_eccv16`; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_eccv16(path, NEEDED, **keywords)


def test_every_field_is_read_as_it_is_stored(tmp_path):
    rng = np.random.default_rng(4)
    votes, gtscore = rng.integers(0, 4, (3, FRAMES)), rng.random(STEPS)
    path = write_h5(
        tmp_path / "a.h5",
        n_frames=[FRAMES],  # an array of one
        user_summary=votes,
        user_scores=rng.integers(1, 6, (3, FRAMES)),
        user_score_raw=votes.astype(float),
        gtscore=gtscore,
        picks=np.arange(0, FRAMES, 15).astype(float),
        change_points=[[0, 50], [50, FRAMES]],  # the end is the next one's beginning
        fps=[[29.97]],
        length_s=11,
        video_name=np.array([b"Na\xc3\xafve"]),
    )
    found = read(path)["video_2"]
    assert (found.key, found.name, found.n_frames) == ("video_2", "Na\u00efve", FRAMES)
    assert (found.fps, found.seconds) == (29.97, 11)
    assert (found.user_summary == (votes > 0)).all()
    assert (found.user_score_raw == votes).all()
    assert (found.gtscore == gtscore).all()
    assert found.gtscore.dtype == np.float64
    assert found.picks.tolist() == list(range(0, FRAMES, 15))
    assert found.shots.tolist() == [[0, 49], [50, 109]]


WRONG = {
    "text for numbers": ({"gtscore": "high"}, "gtscore: holds text"),
    "texts for numbers": ({"picks": np.array([b"0", b"15"])}, "picks: holds text"),
    "complex": ({"gtscore": np.ones(STEPS, complex)}, "gtscore: holds complex|holds records"),
    "a table of records": (
        {"gtscore": np.zeros(STEPS, [("a", "f4"), ("b", "i4")])},
        "gtscore: holds records",
    ),
    "references": ({"n_frames": np.array([None], object)}, None),
    "NaN votes": ({"user_summary": np.where(VOTES == 0, np.nan, 0)}, "user_summary: is nan at"),
    "a negative vote": ({"user_summary": VOTES - 1}, r"user_summary: is -1 at \[0, 0\]"),
    "half a vote": ({"user_summary": VOTES + 0.5}, "user_summary: is 0.5 at"),
    "votes turned": ({"user_summary": VOTES.T}, r"user_summary: has shape \[110, 15\]"),
    "votes of steps": ({"user_summary": VOTES[:, ::15]}, r"has shape \[15, 8\], expected"),
    "votes of one person": ({"user_summary": VOTES[0]}, r"has shape \[110\], expected \["),
    "a negative gtscore": ({"gtscore": np.full(STEPS, -0.1)}, "gtscore: is -0.1 at"),
    "gtscore of ratings": ({"gtscore": np.full(STEPS, 3.2)}, "gtscore: is 3.2 at .* 0 to 1"),
    "infinite gtscore": ({"gtscore": np.full(STEPS, np.inf)}, "gtscore: is inf at"),
    "gtscore of frames": ({"gtscore": np.zeros(FRAMES)}, r"gtscore: has shape \[110\]"),
    "a pick between frames": ({"picks": np.linspace(0, 15.7, STEPS)}, "picks: is .* whole"),
    "a pick twice": ({"picks": np.zeros(STEPS, int)}, r"picks: is 0 at \[1\], behind 0"),
    "picks in disorder": ({"picks": np.arange(STEPS)[::-1]}, r"picks: is 6 at \[1\], behind 7"),
    "a pick behind the end": ({"picks": np.arange(STEPS) * 40}, "picks: is 120 at .* 0 to 109"),
    "a pick before the beginning": ({"picks": np.arange(STEPS) - 1}, "picks: is -1 at"),
    "no picks": ({"picks": np.zeros(0, int)}, "picks: holds no steps"),
    "half a frame": ({"n_frames": 110.5}, "n_frames: is 110.5, expected a whole number"),
    "no frames": ({"n_frames": 0}, "n_frames: is 0 at"),
    "two numbers": ({"n_frames": [110, 110]}, r"n_frames: has shape \[2\], expected one number"),
    "frames as text": ({"n_frames": b"110"}, "n_frames: holds text"),
    "shots in seconds": ({"change_points": [[0, 2], [3, 6]]}, r"frame 6 of 110 \(in seconds\?\)"),
    "shots with a gap": ({"change_points": [[0, 49], [60, 109]]}, "shot 0 ends at frame 49 and"),
    "shots as beginnings": ({"change_points": [0, 50]}, r"change_points: has shape \[2\]"),
    "NaN shots": ({"change_points": [[0, np.nan], [50, 109]]}, "change_points: is nan"),
    "a null field": ({"gtscore": h5py.Empty("f4")}, "gtscore is empty"),
    "a soft link": ({"gtscore": h5py.SoftLink("/video_1/gtscore")}, "gtscore is a link elsewhere"),
    "a link to nothing": ({"picks": h5py.SoftLink("/nowhere")}, "picks is a link elsewhere"),
    "another file": ({"picks": h5py.ExternalLink("b.h5", "/x")}, "picks is a link elsewhere"),
    "a name that is a number": ({"video_name": 3}, "video_name: holds values of type"),
    "a name that is no UTF-8": ({"video_name": np.bytes_(b"\xff")}, "video_name: is not UTF-8"),
    "a negative rate": ({"fps": -1}, "fps: is -1 at"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_field_names_file_video_and_field(tmp_path, case):
    changes, reason = WRONG[case]
    if reason is None:
        path = write_h5(tmp_path / "a.h5", n_frames=FRAMES)
        with h5py.File(path, "a") as file:
            del file["video_2/n_frames"]
            data = np.array([file["video_1"].ref], object)
            file["video_2"].create_dataset("n_frames", data=data, dtype=h5py.ref_dtype)
        reason = "n_frames: holds objects"
    else:
        path = write_h5(tmp_path / "a.h5", **changes)
    with pytest.raises(UserError, match=reason) as caught:
        read(path)
    video = "video_1" if "n_frames" in changes and case != "references" else "video_2"
    assert str(caught.value).startswith(f"{path}: {video}: ")
    assert "\n" not in str(caught.value)


def test_a_group_for_a_field_and_a_field_for_a_group(tmp_path):
    path = write_h5(tmp_path / "a.h5", drop=("gtscore",))
    with h5py.File(path, "a") as file:
        for key in file:
            file[key].create_group("gtscore")
    with pytest.raises(UserError, match="video_1: gtscore is a group, not a data set"):
        read(path)
    with h5py.File(path, "w") as file:
        file["video_1"] = [1, 2]
    with pytest.raises(UserError, match=r"a\.h5: video_1 is a data set, not a group"):
        read(path)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        (h5py.SoftLink("/video_1"), "video_4 is a link elsewhere"),
        (h5py.ExternalLink("b.h5", "/video_1"), "video_4 is a link elsewhere"),
        ("hard", "video_1 and video_4 are two names of one video"),
        ("padded", "video_1 and video_01 are two names of one video|video_01 and video_1"),
    ],
)
def test_a_second_name_of_a_video_is_refused(tmp_path, link, reason):
    path = write_h5(tmp_path / "a.h5", videos=3)
    with h5py.File(path, "a") as file:
        if link == "padded":
            file.copy("video_2", "video_01")
        else:
            file["video_4"] = file["video_1"] if link == "hard" else link
    with pytest.raises(UserError, match=reason):
        read(path)


def test_two_videos_of_one_name_are_refused(tmp_path):
    path = write_h5(tmp_path / "a.h5", video_name="Clip 07")
    with pytest.raises(UserError, match="video_2 and video_7 are both called Clip 07"):
        read(path)


def test_padded_keys_are_read_and_other_things_in_the_file_named(tmp_path, capsys):
    path = write_h5(tmp_path / "a.h5", videos=10)
    with h5py.File(path, "a") as file:
        for i in range(1, 10):
            file.move(f"video_{i}", f"video_0{i}")
        file[b"\xff"] = 1
    assert list(read(path)) == [f"video_{i}" for i in range(1, 11)]
    assert r"note: " in (said := capsys.readouterr().err)
    assert r"holds '\udcff', which are not read" in said


def test_a_key_that_is_no_utf_8_is_shown_escaped(tmp_path):
    path = write_h5(tmp_path / "a.h5", videos=1, drop=("picks",))
    with h5py.File(path, "a") as file:
        file.move("video_1", b"caf\xe9")
    with pytest.raises(UserError, match=r"a\.h5: 'caf\\udce9' has no picks") as caught:
        read(path, numbered=False)
    str(caught.value).encode()


def test_data_kept_in_another_file_is_not_read(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(8 * STEPS))
    path = write_h5(tmp_path / "a.h5", drop=("gtscore",), videos=1)
    with h5py.File(path, "a") as file:
        kept = [(str(tmp_path / "secret"), 0, 8 * STEPS)]
        file["video_1"].create_dataset("gtscore", (STEPS,), "f8", external=kept)
    with pytest.raises(UserError, match="video_1: gtscore is kept in another file"):
        read(path)
    write_h5(tmp_path / "b.h5", videos=1)
    layout = h5py.VirtualLayout((STEPS,), "f8")
    layout[:] = h5py.VirtualSource(tmp_path / "b.h5", "video_1/gtscore", (STEPS,))
    with h5py.File(path, "a") as file:
        del file["video_1/gtscore"]
        file["video_1"].create_virtual_dataset("gtscore", layout)
    with pytest.raises(UserError, match="video_1: gtscore is kept in another file"):
        read(path)


def test_a_field_of_an_absurd_size_is_refused_before_it_is_read(tmp_path):
    path = write_h5(tmp_path / "a.h5", drop=("gtscore",), videos=1)
    with h5py.File(path, "a") as file:
        file["video_1"].create_dataset("gtscore", (2**40,), "f8", chunks=(1024,))
    with pytest.raises(UserError, match=r"gtscore has shape \[1099511627776\]: too large"):
        read(path)


def test_any_damage_is_one_line(tmp_path):
    """Bytes are overwritten all over the file: it is read, or refused in one line."""
    path = write_h5(tmp_path / "a.h5", videos=2, drop=("features",))
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), []
    for _ in range(150):
        at = int(rng.integers(len(whole) - 8))
        path.write_bytes(whole[:at] + rng.bytes(8) + whole[at + 8 :])
        try:
            read(path)
        except UserError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert all(str(path) in line and "\n" not in line for line in refused)
