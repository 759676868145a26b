import numpy as np
import pytest

from talkinghead.evaluation.clips import LipCurves
from talkinghead.evaluation.correlation import LAGS, Correlated
from talkinghead.evaluation.lips import clip_lag


def test_opening_and_width_are_parts_of_the_face_and_do_not_know_its_size():
    points = np.zeros((1, 478, 3), np.float32)
    points[0, 33], points[0, 263] = (-3, 0, 0), (3, 0, 0)
    points[0, 61], points[0, 291] = (-2, -4, 0), (2, -4, 0)
    points[0, 13, 1], points[0, 14, 1] = -3.5, -4.5
    curves = LipCurves.of(points)
    assert curves.opening[0] == pytest.approx(1 / 6)
    assert curves.width[0] == pytest.approx(4 / 6)
    assert LipCurves.of(points * 7).width[0] == pytest.approx(curves.width[0])


def _clip(peak, lag):
    correlations = np.full(2 * LAGS + 1, 0.1, np.float32)
    correlations[LAGS + lag] = peak
    return Correlated("f", "a", "a", correlations)


def test_a_lag_is_read_only_where_the_correlation_means_something():
    assert clip_lag(_clip(0.8, -4)) == -4
    assert clip_lag(_clip(0.45, 2)) is None
    assert clip_lag(Correlated("f", "a", "a", np.full(2 * LAGS + 1, np.nan, np.float32))) is None
    # More than five frames away there is no offset to be found, however high the peak.
    assert clip_lag(_clip(0.9, 6)) is None
