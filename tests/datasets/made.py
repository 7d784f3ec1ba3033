"""Files in the layouts in which this field's datasets are passed around, made up."""

import h5py
import numpy as np
from scipy.io import savemat

STEPS = 8
FRAMES = 110


def write_h5(path, drop=(), n_frames=FRAMES, videos=25, last=None, **changes):
    """The eccv16 layout, with features; `changes`: other fields of video_2."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for i in range(1, videos + 1):
            group = file.create_group(f"video_{i}")
            fields = {
                "features": rng.random((STEPS, 1024), dtype=np.float32),
                "gtsummary": np.zeros(STEPS),
                "gtscore": rng.random(STEPS),
                "picks": np.arange(0, FRAMES, 15),
                "n_frames": np.array(n_frames),
                "n_steps": np.array(STEPS),
                "user_summary": rng.integers(0, 2, (15, FRAMES)).astype(np.float32),
                "n_frame_per_seg": np.array([50, 60]),
                "change_points": np.array([[0, 49], [50, last or FRAMES - 1]], dtype=np.int32),
                "video_name": f"Clip {i:02}",
            }
            for name, value in (fields | (changes if i == 2 else {})).items():
                if name not in drop and value is not None:
                    group[name] = value
    return path


def write_mat(folder, name, n_frames=FRAMES):
    """One of SumMe's files, by the authors' format."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    savemat(
        folder / f"{name}.mat",
        {"user_score": rng.integers(0, 3, (n_frames, 15)), "FPS": np.array([[25]])},
    )


def write_tsv(
    path, videos=50, people=20, rating=lambda rng: rng.integers(1, 6, FRAMES), names=None
):
    """TVSum's table, of videos id1, id2, ... or `names`."""
    rng = np.random.default_rng(0)
    rows = [
        f"{name}\tVT\t{','.join(map(str, rating(rng)))}"
        for name in names or [f"id{i}" for i in range(1, videos + 1)]
        for _ in range(people)
    ]
    path.write_text("\n".join(rows) + "\n")
