from dataclasses import replace

import numpy as np
import pytest

from talkinghead.errors import CheckpointError
from talkinghead.motion.gesture import (
    MAX_BLINKS_PER_MINUTE,
    GestureStatistics,
    blink_shape,
    blinks,
    gaze_motion,
    move_head,
)
from talkinghead.motion.gesture_fitting import find_blinks, fit_gestures
from talkinghead.motion.smoothing import slow_noise, slow_noise_correlation
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


@pytest.mark.parametrize("rate", [5, 17, 30, MAX_BLINKS_PER_MINUTE])
def test_the_rate_that_is_asked_is_the_rate_that_comes(rate: float) -> None:
    counts = [len(starts(blinks(25 * 600, STATISTICS, rate, seed))) for seed in range(6)]
    assert np.mean(counts) / 10 == pytest.approx(rate, rel=0.1)


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
    for lag in (5, 20, 60):
        correlation = (noise[100 + lag] * noise[100]).mean()
        assert slow_noise_correlation(np.array([lag]), 1.0)[0] == pytest.approx(correlation, abs=0.05)


def performance(statistics: GestureStatistics, num_frames: int, seed: int) -> FaceMotion:
    blendshapes = np.zeros((num_frames, 52), np.float32)
    blendshapes[:, [0, 7]] = blinks(num_frames, statistics, None, seed)
    rotation, translation = move_head(np.full(num_frames, -20.0, np.float32), statistics, 1.0, seed)
    return FaceMotion(blendshapes, rotation, translation, np.zeros((num_frames, 2), np.float32))


@pytest.mark.parametrize("clip_s", [600, 4])
def test_what_was_asked_is_found_again_in_ten_minutes_whole_or_in_clips(clip_s: int) -> None:
    asked = replace(
        STATISTICS, head_deviation_rad=(0.0453, 0.0422, 0.0267), head_period_s=(1.05, 1.12, 1.35), blinks_per_minute=16.0
    )
    clips = []
    for seed in range(3):
        motion = performance(asked, 25 * 600, seed)
        clips += [(f"talker {seed}", motion[start : start + 25 * clip_s]) for start in range(0, len(motion), 25 * clip_s)]
    fitted = fit_gestures(clips)
    assert fitted.head_deviation_rad == pytest.approx(asked.head_deviation_rad, rel=0.1)
    assert fitted.head_period_s == pytest.approx(asked.head_period_s, rel=0.12)
    assert fitted.sway_m == pytest.approx(asked.sway_m, rel=0.1)
    assert fitted.blinks_per_minute == pytest.approx(asked.blinks_per_minute, rel=0.1)


def test_every_blink_of_sampled_lids_is_found() -> None:
    lids = blinks(1500, STATISTICS, 17.0, seed=0)
    assert abs(len(find_blinks(lids.mean(1))) - len(starts(lids))) <= 1


def test_a_head_moves_as_much_in_speech_as_was_asked_however_the_voice_varies() -> None:
    steady = np.full(25 * 300, -20.0, np.float32)
    words = np.where(np.arange(25 * 300) % 12 < 8, -20.0, -34.0).astype(np.float32)
    for loudness in (steady, words):
        spread = np.mean([move_head(loudness, STATISTICS, 1.0, seed)[0][:, 1:].std(0) for seed in range(4)], axis=0)
        assert spread == pytest.approx(STATISTICS.head_deviation_rad[1:], rel=0.15)


def test_statistics_round_trip_and_a_missing_folder_is_named(tmp_path) -> None:
    STATISTICS.save_pretrained(tmp_path)
    assert GestureStatistics.from_pretrained(tmp_path) == STATISTICS
    with pytest.raises(CheckpointError, match="gesture statistics"):
        GestureStatistics.from_pretrained(tmp_path / "none")
