from dataclasses import replace

import numpy as np
import pytest

from talkinghead.errors import MotionError, OutputError
from talkinghead.export.formats import read_motion, write_motion
from talkinghead.motion.io import load_motion, save_motion
from talkinghead.types import MOTION_ARRAYS, FaceMotion


def motion() -> FaceMotion:
    generator = np.random.default_rng(0)
    shapes = {"blendshapes": 52, "head_rotation": 3, "head_translation": 3, "gaze": 2}
    return FaceMotion(**{name: generator.uniform(0, 1, (7, width)).astype(np.float32) for name, width in shapes.items()})


def test_saved_then_loaded_is_equal(tmp_path) -> None:
    save_motion(tmp_path / "m.npz", motion())
    loaded = load_motion(tmp_path / "m.npz")
    assert all(np.array_equal(getattr(loaded, name), getattr(motion(), name)) for name in MOTION_ARRAYS)
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]


def no_rig():
    raise AssertionError("neither format holds a mesh")


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_whether_somebody_was_seen_is_kept(tmp_path, ending) -> None:
    for is_seen in (False, True):
        write_motion(tmp_path / f"m{ending}", replace(motion(), is_seen=is_seen), no_rig, 50)
        assert read_motion(tmp_path / f"m{ending}").is_seen is is_seen


def test_another_rate_is_kept_in_the_file_and_read_at_25(tmp_path) -> None:
    save_motion(tmp_path / "m.npz", motion(), fps=50)
    with np.load(tmp_path / "m.npz") as file:
        assert file["fps"] == 50 and len(file["gaze"]) == 7
    loaded = load_motion(tmp_path / "m.npz")
    assert np.allclose(loaded.blendshapes, motion().blendshapes[::2], atol=1e-6)
    assert np.allclose(loaded.head_rotation, motion().head_rotation[::2], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gaze": None}, "holds no gaze"),
        ({"names": np.array(["a"] * 52)}, "52 ARKit names"),
        ({"fps": np.int64(0)}, "runs at 0 frames a second; give one of 1 to 240"),
        ({"fps": np.float64(np.nan)}, "runs at nan frames"),
        ({"head_rotation": np.full((7, 3), np.nan)}, "head_rotation holds values that are not numbers"),
        ({"blendshapes": np.full((7, 52), 2.0)}, r"leave \[0, 1\]"),
        ({"gaze": np.zeros((3, 2))}, "gaze has shape"),
        ({"blendshapes": np.array([{}])}, "not a motion file"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, change: dict, message: str) -> None:
    save_motion(tmp_path / "m.npz", motion())
    with np.load(tmp_path / "m.npz") as file:
        content = {name: file[name] for name in file.files} | change
    np.savez(tmp_path / "m.npz", **{k: v for k, v in content.items() if v is not None}, allow_pickle=True)
    with pytest.raises(MotionError, match=message):
        load_motion(tmp_path / "m.npz")


def test_other_files_are_refused(tmp_path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    for path, message in (("none.npz", "no such file"), (".", "is a folder"), ("text.npz", "not a motion file")):
        with pytest.raises(MotionError, match=message):
            load_motion(tmp_path / path)
    with pytest.raises(OutputError, match=r"written as .npz"):
        save_motion(tmp_path / "m.txt", motion())
    with pytest.raises(OutputError, match="cannot be written"):
        save_motion(tmp_path / "none" / "m.npz", motion())
