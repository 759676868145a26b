from dataclasses import replace

import numpy as np
import pytest

from talkinghead.errors import MotionError, OutputError
from talkinghead.export.formats import read_motion, write_motion
from talkinghead.motion.io import load_motion, save_motion
from talkinghead.motion.resampling import at_times
from talkinghead.rig.face_rig import FaceRig
from talkinghead.streaming import joined
from talkinghead.types import MOTION_ARRAYS, MOTION_WIDTHS, FaceMotion


def motion() -> FaceMotion:
    generator = np.random.default_rng(0)
    shapes = MOTION_WIDTHS.items()
    return FaceMotion(**{name: generator.uniform(0, 1, (7, width)).astype(np.float32) for name, width in shapes})


def test_saved_then_loaded_is_equal(tmp_path) -> None:
    save_motion(tmp_path / "m.npz", motion())
    loaded = load_motion(tmp_path / "m.npz")
    assert all(np.array_equal(getattr(loaded, name), getattr(motion(), name)) for name in MOTION_ARRAYS)
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]


@pytest.fixture(scope="module")
def rig(root):
    return FaceRig.from_pretrained(root / "checkpoints/default/rig")


def no_rig():
    raise AssertionError("neither format holds a mesh")


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_whether_somebody_was_seen_is_kept(tmp_path, ending) -> None:
    for is_seen in (False, True):
        write_motion(tmp_path / f"m{ending}", replace(motion(), is_seen=is_seen), no_rig, 50)
        assert read_motion(tmp_path / f"m{ending}").is_seen is is_seen


@pytest.mark.parametrize("ending", [".npz", ".json", ".csv", ".flame.npz"])
def test_of_a_file_that_does_not_say_who_begins_with_a_straight_head_was_made(tmp_path, rig, ending) -> None:
    """As `animate` begins, and no camera sees."""
    tracked = replace(motion(), is_seen=True)
    made = replace(tracked, head_rotation=tracked.head_rotation - tracked.head_rotation[:1], is_seen=False)
    for one in (tracked, made):
        file = tmp_path / f"m{ending}"
        write_motion(file, one, lambda: rig, 25)
        if ending == ".npz":
            with np.load(file) as content:
                arrays = {name: content[name] for name in content.files if name != "is_seen"}
            np.savez(file, **arrays)
        elif ending == ".json":
            file.write_text(file.read_text().replace('"is_seen"', '"other"'))
        assert read_motion(file).is_seen is one.is_seen


def test_what_is_cut_joined_and_resampled_stays_of_somebody() -> None:
    seen = replace(motion(), is_seen=True)
    times = np.arange(7) / 25
    assert all(
        one.is_seen for one in (seen[2:4], joined([seen, seen]), at_times(seen, times, times[:3]), seen[:1].each(np.copy))
    )
    assert not any(one.is_seen for one in (motion()[2:4], joined([motion()]), at_times(motion(), times, times[:3])))


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


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_how_far_a_face_was_at_ease_is_kept_at_another_rate_too(tmp_path, ending) -> None:
    came = motion()
    write_motion(tmp_path / f"m{ending}", came, no_rig, 50)
    np.testing.assert_allclose(read_motion(tmp_path / f"m{ending}").at_ease, came.at_ease, atol=1e-4)


def test_a_file_of_before_it_was_kept_is_at_no_ease(tmp_path) -> None:
    save_motion(tmp_path / "m.npz", motion())
    with np.load(tmp_path / "m.npz") as file:
        np.savez(tmp_path / "old.npz", **{name: file[name] for name in file.files if name != "at_ease"})
    read = load_motion(tmp_path / "old.npz")
    assert read.at_ease.shape == (7, 1) and not read.at_ease.any()


def test_other_files_are_refused(tmp_path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    for path, message in (("none.npz", "no such file"), (".", "is a folder"), ("text.npz", "not a motion file")):
        with pytest.raises(MotionError, match=message):
            load_motion(tmp_path / path)
    with pytest.raises(OutputError, match=r"written as .npz"):
        save_motion(tmp_path / "m.txt", motion())
    with pytest.raises(OutputError, match="cannot be written"):
        save_motion(tmp_path / "none" / "m.npz", motion())
