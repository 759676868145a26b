import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.motion.resampling import at_times, resample
from talkinghead.types import FaceMotion

JAW = arkit.INDEX["jawOpen"]


def waving(num_frames: int, fps: float) -> FaceMotion:
    """A jaw at 2 Hz, a head at 1 Hz, eyes at 1.5 Hz: the same course at any rate."""
    time = np.arange(num_frames) / fps
    motion = FaceMotion.neutral(num_frames)
    motion.blendshapes[:, JAW] = 0.5 - 0.5 * np.cos(2 * np.pi * 2 * time)
    motion.head_rotation[:, 1] = 0.4 * np.sin(2 * np.pi * time)
    motion.head_translation[:, 2] = 0.01 * np.sin(2 * np.pi * time)
    motion.gaze[:, 0] = 0.3 * np.sin(2 * np.pi * 1.5 * time)
    return motion


@pytest.mark.parametrize("fps", [24, 30, 60, 29.97])
def test_another_rate_is_the_same_course(fps) -> None:
    there = resample(waving(100, 25), 25, fps)
    assert len(there) == round(4 * fps)
    wanted = waving(len(there), fps)
    inside = slice(2, round(3.9 * fps))
    for name, tolerance in (("blendshapes", 0.03), ("head_rotation", 0.01), ("head_translation", 3e-4), ("gaze", 0.02)):
        assert np.abs(getattr(there, name) - getattr(wanted, name))[inside].max() < tolerance, name
    assert there.blendshapes.min() >= 0 and there.blendshapes.max() <= 1


def test_to_a_multiple_and_back_is_the_same() -> None:
    motion = waving(50, 25)
    back = resample(resample(motion, 25, 100), 100, 25)
    assert np.allclose(back.blendshapes, motion.blendshapes, atol=1e-6)
    assert np.allclose(back.head_rotation, motion.head_rotation, atol=1e-6)
    assert resample(motion, 25, 25) is motion


def test_a_closed_mouth_stays_closed_between_frames() -> None:
    motion = FaceMotion.neutral(5)
    motion.blendshapes[:, JAW] = [1, 0, 0, 0, 1]
    jaw = resample(motion, 25, 240).blendshapes[:, JAW]
    assert jaw[10:29].max() == 0 and jaw.min() == 0


def test_the_head_turns_the_short_way_and_one_frame_is_held() -> None:
    motion = FaceMotion.neutral(2)
    motion.head_rotation[:] = [[0, 3.0, 0], [0, -3.0, 0]]
    between = at_times(motion, np.array([0.0, 1.0]), np.array([0.5])).head_rotation[0]
    assert abs(np.linalg.norm(between) - np.pi) < 1e-4
    assert len(resample(waving(1, 25), 25, 60)) == 2


def test_a_rate_out_of_range_is_refused() -> None:
    for fps in (0.5, 241, float("nan")):
        with pytest.raises(MotionError, match=r"fps .*: out of range; give 1 to 240"):
            resample(waving(5, 25), 25, fps)
