"""Distances of tracked points against values worked by hand."""

import numpy as np
import pytest

from talkinghead.evaluation.landmark_metrics import (
    MOUTH,
    eye_distance_px,
    face_distance,
    face_velocity_distance,
    ibug68,
    jitter,
    mouth_distance,
    mouth_velocity_distance,
    placed_distance,
)
from talkinghead.facemesh import INNER_LIPS, LIP_CORNERS_OUTER, OUTER_LIPS


@pytest.fixture
def face():
    """(6, 68, 2) px: a face that moves as it likes."""
    return np.random.default_rng(0).uniform(60, 200, (6, 68, 2)).astype(np.float32)


def test_a_face_moved_as_a_whole_is_no_distance_but_in_place(face):
    moved = face + np.float32([3, 4])
    assert mouth_distance(moved, face) == pytest.approx(0, abs=1e-5)
    assert face_distance(moved, face) == pytest.approx(0, abs=1e-5)
    assert placed_distance(moved, face) == pytest.approx(5, abs=1e-4)


def test_only_the_own_mean_of_each_video_is_removed_and_nothing_is_scaled(face):
    grown = face * 2
    centred = face - face.mean(1, keepdims=True)
    assert face_distance(grown, face) == pytest.approx(np.hypot(*centred.transpose(2, 0, 1)).mean(), rel=1e-5)


def test_one_point_of_the_mouth_by_hand(face):
    other = face.copy()
    other[:, 60, 0] += 20  # of 20 points: the mean moves by 1, so one point is 19 off and nineteen are 1 off
    assert mouth_distance(other, face) == pytest.approx((19 + 19 * 1) / 20, rel=1e-5)
    # Of 68: the mean moves by 20 / 68.
    assert face_distance(other, face) == pytest.approx((20 - 20 / 68 + 67 * 20 / 68) / 68, rel=1e-5)
    assert placed_distance(other, face) == pytest.approx(20 / 68, rel=1e-5)


def test_the_mouth_is_the_last_twenty_points(face):
    other = face.copy()
    other[:, :48] += 50
    assert mouth_distance(other, face) == 0 < face_distance(other, face)
    assert mouth_velocity_distance(other, face) == 0


def test_speed_has_no_part_in_distance_and_the_mouths_no_more_than_its_share_in_the_faces(face):
    real = np.tile(face[:1], (5, 1, 1))
    still = real + 0
    trembling = real.copy()
    trembling[1::2, MOUTH, 1] += 6  # up and down: every step is 6 px in 20 points, 2 of 5 frames are 6 px away
    assert mouth_velocity_distance(trembling, real) == pytest.approx(6, rel=1e-5)
    assert face_velocity_distance(trembling, real) == pytest.approx(6 * 20 / 68, rel=1e-5)
    brows = real.copy()
    brows[1::2, 17:27, 1] += 6
    assert face_velocity_distance(brows, real) == pytest.approx(6 * 10 / 68, rel=1e-5)  # the reference code says 0
    assert mouth_velocity_distance(brows, real) == 0
    assert face_velocity_distance(still, real) == 0
    assert mouth_distance(trembling, real) == pytest.approx(0, abs=1e-5)  # as one the mouth moves: its mean goes with it


def test_frames_without_a_face_are_left_out_and_the_steps_on_both_sides(face):
    other = face + np.float32([0, 2])
    other[3] = np.nan
    other[5] += 10
    assert placed_distance(other, face) == pytest.approx((4 * 2 + np.hypot(10, 12)) / 5, rel=1e-5)
    # Left: 0-1, 1-2, and 4-5, in which the other goes 10 px further both ways.
    assert face_velocity_distance(other, face) == pytest.approx(np.hypot(10, 10) / 3, rel=1e-5)
    nobody = np.full_like(face, np.nan)
    assert all(np.isnan(measure(nobody, face)) for measure in (mouth_distance, face_distance, face_velocity_distance))
    assert np.isnan(jitter(nobody))


def test_a_longer_video_is_compared_as_far_as_both_go(face):
    assert face_distance(np.concatenate([face, face]), face) == 0


def test_jitter_is_the_second_difference_over_the_eyes(face):
    still = np.tile(face[:1], (9, 1, 1))
    still[:, 36], still[:, 45] = (60, 100), (160, 100)
    steady = still + np.arange(9)[:, None, None] * np.float32([2, 1])
    assert jitter(steady) == pytest.approx(0, abs=1e-3)
    shaken = steady.copy()
    shaken[::2] += np.float32([0.5, 0])  # second difference 1 px in every frame, eyes 100 px apart
    assert jitter(shaken) == pytest.approx(10, rel=1e-3)
    assert jitter(shaken * 3) == pytest.approx(10, rel=1e-3)


def test_the_68_are_taken_from_the_478(tracker, astronaut):
    import imageio.v3 as iio

    points = tracker.detect(iio.imread(astronaut))[0].points
    chosen = ibug68(points[None])[0]
    assert chosen.shape == (68, 2)
    assert chosen[48].tolist() == points[LIP_CORNERS_OUTER[0], :2].tolist()
    assert chosen[54].tolist() == points[LIP_CORNERS_OUTER[1], :2].tolist()
    lips = {tuple(p) for p in points[[*OUTER_LIPS, *INNER_LIPS], :2].tolist()}
    assert {tuple(p) for p in chosen[MOUTH].tolist()} <= lips
    order = np.arange(16)  # the jaw goes from the picture's left to its right, the chin in the middle is lowest
    assert np.all(np.diff(chosen[:17, 0]) > 0) and chosen[:17, 1].argmax() == 8, order
    assert eye_distance_px(points[None]) == pytest.approx(np.linalg.norm(chosen[36] - chosen[45]), rel=1e-5)
