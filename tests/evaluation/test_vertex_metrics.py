"""Distances of vertices against values worked by hand."""

import numpy as np
import pytest

from talkinghead.checkpoints import default_folder
from talkinghead.evaluation.vertex_metrics import (
    LIPS,
    coverage_error,
    diversity,
    dynamics_deviation,
    lip_vertex_error,
    mean_estimate_error,
    mean_vertex_error,
    squared_lip_vertex_error,
    upper_face,
)
from talkinghead.facemesh import NUM_SKIN
from talkinghead.rig.face_rig import FaceRig

T = 4


@pytest.fixture
def real():
    return np.random.default_rng(0).normal(0, 50, (T, NUM_SKIN + 10, 3)).astype(np.float32)


def with_offset(real, vertices, offset, frames=slice(None)):
    moved = real.copy()
    moved[frames, vertices] += np.float32(offset)
    return moved


def test_lip_error_is_the_largest_of_each_frame_and_its_root_is_taken(real):
    moved = with_offset(with_offset(real, LIPS[3], (3, 4, 0)), LIPS[9], (0, 0, 2))
    assert lip_vertex_error(moved, real) == pytest.approx(5, rel=1e-4)
    assert squared_lip_vertex_error(moved, real) == pytest.approx(25, rel=1e-4)
    half = with_offset(real, LIPS[3], (0, 12, 5), slice(0, T // 2))
    assert lip_vertex_error(half, real) == pytest.approx(13 / 2, rel=1e-4)
    assert squared_lip_vertex_error(half, real) == pytest.approx(169 / 2, rel=1e-4)


def test_lip_error_sees_lips_alone_and_mean_error_all_of_the_skin(real):
    nose = with_offset(real, 1, (0, 0, 7))
    assert lip_vertex_error(nose, real) == 0
    assert mean_vertex_error(nose, real) == pytest.approx(7 / NUM_SKIN, rel=1e-4)
    inside = with_offset(real, NUM_SKIN + 3, (9, 9, 9))  # no skin: an iris, a tooth
    assert mean_vertex_error(inside, real) == 0


def test_the_shorter_performance_says_how_far(real):
    assert mean_vertex_error(np.concatenate([real, real + 1]), real) == 0


def test_dynamics_deviation_is_signed_and_of_the_distance_from_rest():
    neutral = np.zeros((NUM_SKIN, 3), np.float32)
    region = np.array([10, 151])
    real, ours = (np.zeros((T, NUM_SKIN, 3), np.float32) for _ in range(2))
    real[:, 10, 1] = [0, 4, 0, 4]  # deviation 2 at one of two vertices
    ours[:, 151, 1] = [1, 3, 1, 3]  # deviation 1 at the other
    assert dynamics_deviation(ours, real, neutral, region) == pytest.approx((2 - 1) / 2)
    assert dynamics_deviation(real, ours, neutral, region) == pytest.approx(-0.5)
    ours[:, 1] = 100 * np.arange(T)[:, None]  # the nose is not of the region
    assert dynamics_deviation(ours, real, neutral, region) == pytest.approx(0.5)
    turned = ours[..., [2, 0, 1]]  # a distance has no direction
    assert dynamics_deviation(turned, real, neutral, region) == pytest.approx(0.5)


def test_of_several_samples_the_mean_the_closest_and_how_far_apart(real):
    up, down = with_offset(real, LIPS[0], (0, 6, 0)), with_offset(real, LIPS[0], (0, -4, 0))
    assert mean_estimate_error([up, down], real) == pytest.approx(1, rel=1e-3)
    assert coverage_error([up, down], real) == pytest.approx(4, rel=1e-4)
    assert diversity([up, down]) == pytest.approx(10 / NUM_SKIN, rel=1e-4)
    # Pairs: 10, 6 and 4 apart.
    assert diversity([up, down, real]) == pytest.approx(20 / 3 / NUM_SKIN, rel=1e-4)
    assert diversity([up]) == 0


def test_the_upper_face_of_the_rig_is_lids_brows_and_forehead():
    neutral = FaceRig.from_pretrained(default_folder() / "rig").neutral
    region = set(upper_face(neutral).tolist())
    assert {10, 151, 105, 334, 159, 145, 374, 386} <= region  # forehead, brows, lids
    assert not region & {1, 2, 4, 152, *LIPS}  # nose, lips, chin
    assert 100 < len(region) < NUM_SKIN / 2 and max(region) < NUM_SKIN
