import numpy as np
import pytest

from talkinghead.evaluation.lips import best_correlation, lip_gap, lip_opening


def _curve(length=100, seed=0):
    return np.convolve(np.random.default_rng(seed).normal(size=length + 4), np.ones(5) / 5, "valid").astype(np.float32)


def test_a_curve_shifted_by_two_frames_still_correlates_and_by_five_does_not():
    curve = _curve()
    assert best_correlation(curve[2:], curve) == pytest.approx(1, abs=1e-5)
    assert best_correlation(curve[:-2], curve[2:]) == pytest.approx(1, abs=1e-5)
    assert best_correlation(np.roll(curve, 8), curve) < 0.6


def test_frames_without_a_face_are_left_out():
    curve, real = _curve(), _curve()
    real[20:30] = np.nan
    assert best_correlation(curve, real) == pytest.approx(1, abs=1e-5)


def test_lips_that_do_not_move_score_nothing_and_a_talker_who_does_not_is_no_vote():
    assert best_correlation(np.zeros(50, np.float32), _curve(50)) == 0
    assert np.isnan(best_correlation(_curve(50), np.zeros(50, np.float32)))
    assert np.isnan(best_correlation(_curve(8), _curve(8)))


def test_opening_and_gap_are_parts_of_the_face_and_do_not_know_its_size():
    points = np.zeros((1, 478, 3), np.float32)
    points[0, 33], points[0, 263] = (-3, 0, 0), (3, 0, 0)
    points[0, 61], points[0, 291] = (-2, -4, 0), (2, -4, 0)
    points[0, [81, 82, 13, 312, 311], 1] = -3.5
    points[0, [178, 87, 14, 317, 402], 1] = -4.5
    assert lip_opening(points)[0] == pytest.approx(1 / 6)
    assert lip_gap(points)[0] == pytest.approx(1 / 4)
    assert lip_opening(points * 7)[0] == pytest.approx(lip_opening(points)[0])
