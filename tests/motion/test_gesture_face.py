import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.motion.gesture_blinks import BlinkHabits, blink_shape, blink_times, blinks, find_blinks
from talkinghead.motion.gesture_dataset import CHANNELS, camera_gaze, gesture_curves, head_gaze, vocal_effort
from talkinghead.motion.gesture_face import brow_columns, fixations, gaze_motion, head_pose
from talkinghead.motion.knobs import MAX_BLINKS_PER_MINUTE, BlinkRate
from talkinghead.types import FaceMotion

HABITS = BlinkHabits()
SCALE = np.float32([0.045, 0.045, 0.03, 0.0035, 0.0022, 0.008, 0.07, 0.075, 0.07, 0.05, 0.07, 0.13])


def curves(num_frames: int, seed: int = 0) -> np.ndarray:
    """What a model might make: slow random walks that return, and lids that blink each four seconds or so."""
    random = np.random.default_rng(seed)
    steps = random.standard_normal((num_frames, len(CHANNELS)))
    result = np.zeros_like(steps)
    for frame in range(1, num_frames):
        result[frame] = 0.96 * result[frame - 1] + 0.28 * steps[frame]
    result = (result * SCALE).astype(np.float32)
    result[:, -1] = blinks(num_frames, np.cumsum(random.uniform(2, 6, num_frames // 50)), HABITS, seed)[:, 0]
    return result


def starts(lids: np.ndarray) -> np.ndarray:
    shut = lids[:, 0] > 0.5
    return np.flatnonzero(shut & ~np.r_[False, shut[:-1]])


def made(num_frames: int, rate: BlinkRate, seed: int = 0) -> np.ndarray:
    return blinks(num_frames, blink_times(curves(num_frames, seed)[:, -1], HABITS, rate, seed), HABITS, seed)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rate", [BlinkRate(), BlinkRate(per_minute=10), BlinkRate(factor=0.5)])
def test_the_first_blink_comes_within_two_seconds(seed: int, rate: BlinkRate) -> None:
    assert starts(made(50, rate, seed)).size >= 1 and starts(made(1000, rate, seed))[0] < 50


def test_blinks_come_where_the_lids_of_the_model_blink() -> None:
    own = curves(1500)[:, -1]
    times = blink_times(own, HABITS, BlinkRate(), 0)
    peaks = np.array([frame / 25 for frame, _, _ in find_blinks(own)])
    near = [np.abs(peaks - time - HABITS.closing_s).min() < 0.2 for time in times]
    assert np.mean(near) > 0.7


@pytest.mark.parametrize("rate", [5, 17, 30, MAX_BLINKS_PER_MINUTE])
def test_the_rate_that_is_asked_is_the_rate_that_comes(rate: float) -> None:
    counts = [len(starts(made(25 * 600, BlinkRate(per_minute=rate), seed))) for seed in range(3)]
    assert np.mean(counts) / 10 == pytest.approx(rate, rel=0.1)


def test_blinks_keep_what_people_do_and_a_factor_multiplies_it() -> None:
    usual, twice, none = (len(starts(made(25 * 600, BlinkRate(factor=f)))) / 10 for f in (1, 2, 0))
    assert 10 <= usual <= 25 and twice == pytest.approx(2 * usual, rel=0.1) and none == 0
    assert not made(200, BlinkRate(per_minute=0)).any()
    lids = made(25 * 600, BlinkRate())
    assert np.array_equal(lids, made(25 * 600, BlinkRate(factor=1)))
    lengths = [np.sum(lids[max(0, s - 5) : s + 12, 0] > 0.05) / 25 for s in starts(lids)]
    assert min(lengths) >= 0.1 and max(lengths) <= 0.4
    still = np.zeros(25 * 600, np.float32)  # lids that never shut
    assert 10 <= len(blink_times(still, HABITS, BlinkRate(), 0)) / 10 <= 25


def test_added_blinks_keep_no_beat() -> None:
    pauses = np.diff(blink_times(np.zeros(25 * 600, np.float32), HABITS, BlinkRate(per_minute=20), 0))
    assert pauses.min() > 0.5 and pauses.std() > 0.4 * pauses.mean()


def test_blinks_at_given_times() -> None:
    lids = made(100, BlinkRate(times_s=(0.8, 2.4, 9.0)))
    assert [abs(start / 25 - time) < 0.12 for start, time in zip(starts(lids), (0.8, 2.4), strict=True)] == [True, True]


def test_every_blink_of_sampled_lids_is_found() -> None:
    lids = made(1500, BlinkRate(per_minute=17))
    assert abs(len(find_blinks(lids.mean(1))) - len(starts(lids))) <= 1


def test_lids_shut_faster_than_they_open() -> None:
    times = np.arange(-0.05, 0.5, 0.001)
    shape = blink_shape(times, 1.0, HABITS)
    peak = times[shape > 0.99]
    assert shape[0] == 0 and shape[-1] == 0
    assert peak[0] - times[shape > 0.05][0] < times[shape > 0.05][-1] - peak[-1]


def test_lids_open_fast_at_first_and_then_slowly() -> None:
    """As those of tracked people do: two frames after the deepest they are half open, five frames after it not yet wholly."""
    after = blink_shape(np.arange(0, 12) / 25 + HABITS.closing_s, 1.0, HABITS)
    assert after[0] == 1 and 0.7 < after[1] < 0.9 and 0.3 < after[2] < 0.5 and 0.05 < after[5] < 0.15 and after[11] == 0


def test_the_head_starts_at_the_portrait_and_is_held_back_softly() -> None:
    wild = 6 * curves(1000)
    rotation, translation = head_pose(wild, 1.0)
    assert not rotation[0].any() and not translation[0].any()
    assert np.degrees(np.abs(rotation)).max() < 10.4 and np.abs(translation).max() <= 0.03
    twice, _ = head_pose(wild, 2.0)
    assert np.allclose(twice, 2 * rotation) and not head_pose(wild, 0.0)[0].any()


def test_brows_are_the_same_on_both_sides_and_in_range() -> None:
    columns = brow_columns(4 * curves(300))
    assert not any(value[0] for value in columns.values())
    left, right = (columns[arkit.INDEX[f"browOuterUp{side}"]] for side in ("Left", "Right"))
    assert np.array_equal(left, right) and all(value.min() >= 0 and value.max() <= 1 for value in columns.values())


def test_eyes_hold_the_camera_and_leave_it_in_jumps() -> None:
    still = np.zeros((3000, 3), np.float32)
    gaze = gaze_motion(curves(3000), SCALE, still, None, seed=1)
    away = np.hypot(*gaze.T) > 0.03
    assert 0.05 < away.mean() < 0.7 and np.abs(gaze[:3]).max() < 0.01
    held = fixations(curves(3000)[:, 9:11], SCALE[9:11])
    jumps = np.flatnonzero(np.abs(np.diff(held, axis=0)).any(1))
    assert 0.2 < len(jumps) / 120 < 4 and np.diff(jumps).min() >= 8


def test_where_the_eyes_look_is_free_of_the_head() -> None:
    own, turned = curves(500), np.tile(np.float32([0.05, 0.1, 0.0]), (500, 1))
    for look in (None, (0.0, 0.0), (8.0, -4.0)):
        still = gaze_motion(own, SCALE, 0 * turned, look, 0)
        against = gaze_motion(own, SCALE, turned, look, 0)
        assert np.allclose(camera_gaze(against, turned), still, atol=1e-5)
    assert np.allclose(still[50:].mean(0), np.radians([8, -4]), atol=0.003)
    assert np.abs(gaze_motion(own, SCALE, 0 * turned, (0.0, 0.0), 0)).max() < 0.012
    assert np.allclose(head_gaze(camera_gaze(still, turned), turned), still, atol=1e-6)


def test_a_tracked_motion_becomes_curves_about_its_rest() -> None:
    motion = FaceMotion.neutral(100)
    motion.head_rotation[:] = [0.2, 0.1, 0.0]
    motion.blendshapes[:, arkit.INDEX["browInnerUp"]] = 0.3
    motion.blendshapes[50:60, arkit.INDEX["browInnerUp"]] = 0.8
    found = gesture_curves(motion)
    assert np.allclose(found[:, :6], 0, atol=1e-6) and np.allclose(found[:, 9:], 0, atol=1e-6)
    assert found[55, 7] == pytest.approx(0.5) and found[0, 7] == pytest.approx(0)


def test_effort_is_of_this_recording() -> None:
    loud = np.float32([-20] * 30 + [-35] * 30 + [-80] * 30)
    effort, quieter = vocal_effort(loud), vocal_effort(loud - 15)
    assert effort[0] > effort[40] > effort[80] == 0
    assert quieter[0] == pytest.approx(effort[0], abs=0.05)
