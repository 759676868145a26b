import numpy as np
import pytest

from talkinghead.errors import CheckpointError
from talkinghead.motion.gesture import GestureStatistics, blink_shape, blinks, gaze_motion, move_head
from talkinghead.motion.gesture_fitting import find_blinks, fit_gestures, half_time
from talkinghead.motion.smoothing import slow_noise
from talkinghead.types import FaceMotion

STATISTICS = GestureStatistics()


def starts(lids: np.ndarray) -> np.ndarray:
    shut = lids[:, 0] > 0.5
    return np.flatnonzero(shut & ~np.r_[False, shut[:-1]])


@pytest.mark.parametrize("seed", range(8))
def test_the_first_blink_comes_within_two_seconds(seed: int) -> None:
    assert starts(blinks(50, STATISTICS, None, seed)).size >= 1


def test_blinks_keep_their_rate_and_their_length() -> None:
    lids = blinks(25 * 600, STATISTICS, 17.0, seed=3)
    assert 13 < len(starts(lids)) / 10 < 21
    lengths = [np.sum(lids[max(0, s - 5) : s + 12, 0] > 0.05) / 25 for s in starts(lids)]
    assert 0.1 <= np.median(lengths) <= 0.4
    assert lids.min() >= 0 and lids.max() <= 1 and lids.max() > 0.9


def test_no_blinks_at_rate_zero() -> None:
    assert not blinks(200, STATISTICS, 0.0, seed=0).any()


def test_lids_shut_faster_than_they_open() -> None:
    times = np.arange(-0.05, 0.5, 0.001)
    shape = blink_shape(times, 1.0, STATISTICS)
    peak = times[shape > 0.99]
    assert shape[0] == 0 and shape[-1] == 0
    assert peak[0] - times[shape > 0.05][0] < times[shape > 0.05][-1] - peak[-1]


def test_the_head_starts_at_the_portrait_stays_near_and_does_not_drift() -> None:
    loudness = np.where(np.arange(25 * 300) % 50 < 35, -20.0, -60.0).astype(np.float32)
    rotation, translation = move_head(loudness, STATISTICS, 1.0, seed=2)
    assert not rotation[0].any() and not translation[0].any()
    assert np.degrees(np.abs(rotation)).max() < 9
    halves = np.abs(rotation[:3750].mean(0) - rotation[3750:].mean(0))
    assert halves.max() < np.radians(1.5)
    assert np.degrees(np.abs(np.diff(rotation, axis=0))).max() < 2
    assert not move_head(loudness, STATISTICS, 0.0, seed=2)[0].any()


def test_a_silent_head_idles() -> None:
    silent = move_head(np.full(1000, -100.0, np.float32), STATISTICS, 1.0, seed=0)[0]
    spoken = move_head(np.tile(np.float32([-20] * 20 + [-45] * 10), 34)[:1000], STATISTICS, 1.0, seed=0)[0]
    assert 0 < silent.std() < spoken.std()


def test_eyes_are_mostly_on_the_camera_and_hold_it_while_the_head_turns() -> None:
    still = np.zeros((2000, 3), np.float32)
    gaze = gaze_motion(2000, STATISTICS, still, seed=1)
    assert np.abs(gaze[:3]).max() < 0.01 and np.median(np.abs(gaze)) < 0.03 and gaze.std() > 0.003
    turned = gaze_motion(2000, STATISTICS, still + np.float32([0.0, 0.1, 0.0]), seed=1)
    assert np.allclose((turned - gaze).mean(0), [-0.1, 0], atol=0.01)


def test_slow_noise_is_stationary_from_its_first_frame() -> None:
    noise = slow_noise(200, 4000, 1.0, np.random.default_rng(0))
    assert np.allclose(noise.std(1), 1, atol=0.06) and np.abs(noise.mean(1)).max() < 0.08
    assert abs(half_time(slow_noise(20000, 1, 2.0, np.random.default_rng(1))[:, 0]) - 1.678 / (2 * np.pi) * 50) < 3


def test_statistics_are_found_again_in_sampled_motion() -> None:
    lids = blinks(1500, STATISTICS, 17.0, seed=0)
    blendshapes = np.zeros((1500, 52), np.float32)
    blendshapes[:, [0, 7]] = lids
    loud = np.full(1500, -20.0, np.float32)
    rotation, translation = move_head(loud, STATISTICS, 1.0, seed=0)
    motion = FaceMotion(blendshapes, rotation, translation, np.zeros((1500, 2), np.float32))
    fitted = fit_gestures([("a", motion)])
    assert np.allclose(fitted.head_deviation_rad, rotation.std(0), atol=1e-3)
    assert abs(len(find_blinks(lids.mean(1))) - len(starts(lids))) <= 1


def test_statistics_round_trip_and_a_missing_folder_is_named(tmp_path) -> None:
    STATISTICS.save_pretrained(tmp_path)
    assert GestureStatistics.from_pretrained(tmp_path) == STATISTICS
    with pytest.raises(CheckpointError, match="gesture statistics"):
        GestureStatistics.from_pretrained(tmp_path / "none")
