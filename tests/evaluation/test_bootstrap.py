"""Intervals, the paired test and the correction, against values worked by hand."""

import math

import numpy as np
import pytest

from talkinghead.evaluation.bootstrap import Comparison, holm, interval, paired


def test_the_interval_is_of_the_mean_and_the_same_each_time():
    values = list(np.random.default_rng(0).normal(5, 2, 400))
    found = interval(values, seed=3)
    assert found.mean == pytest.approx(np.mean(values)) and found.count == 400
    # The mean of n values has the deviation s / sqrt(n): the normal interval, which the bootstrap comes to.
    half = 1.96 * np.std(values) / math.sqrt(400)
    assert found.low == pytest.approx(found.mean - half, abs=0.03) and found.high == pytest.approx(found.mean + half, abs=0.03)
    assert interval(values, seed=3) == found != interval(values, seed=4)


def test_an_interval_covers_the_truth_in_nineteen_of_twenty():
    rng = np.random.default_rng(1)
    hits = sum(
        found.low <= 0 <= found.high for found in (interval(list(rng.normal(size=60)), resamples=500) for _ in range(300))
    )
    assert 0.90 <= hits / 300 <= 0.98


def test_what_has_no_value_is_no_vote():
    assert interval([1.0, math.nan, 3.0]).mean == 2 and interval([1.0, math.nan, 3.0]).count == 2
    alone = interval([4.0])
    assert (alone.mean, alone.count) == (4, 1) and math.isnan(alone.low)
    assert math.isnan(interval([]).mean) and interval([]).count == 0
    assert interval([math.inf, 40.0]).mean == math.inf


def test_six_clips_that_all_gain_have_the_exact_p_of_two_in_sixty_four():
    better, worse = [5.0, 7.0, 6.5, 8.0, 9.0, 4.0], [4.9, 6.8, 6.2, 7.6, 8.5, 3.4]
    found = paired(better, worse)
    assert found.p == pytest.approx(2 / 64)
    assert found.effect == pytest.approx(np.mean(np.array(better) - worse)) and found.low > 0
    assert paired(worse, better).effect == pytest.approx(-found.effect)


def test_the_pairing_is_used():
    rng = np.random.default_rng(0)
    clips = rng.normal(0, 10, 40)  # clips differ by far more than systems do
    assert paired(list(clips + 0.5 + rng.normal(0, 0.2, 40)), list(clips)).p < 1e-6
    assert paired(list(rng.permutation(clips)), list(clips)).p > 0.05


def test_equal_systems_and_clips_that_only_one_has():
    assert paired([1.0, 2.0], [1.0, 2.0]) == Comparison(0, 0, 0, 1, 2)
    assert paired([1.0, math.nan, 3.0], [0.5, 2.0, math.inf]).count == 1
    assert math.isnan(paired([], []).p)
    with pytest.raises(ValueError, match="shorter"):
        paired([1.0, 2.0], [1.0])


def test_holm_by_hand():
    # Sorted .01 .02 .03 .04 times 4 3 2 1 is .04 .06 .06 .04, and never falls.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert math.isnan(holm([math.nan, 0.5])[0]) and holm([math.nan, 0.5])[1] == 0.5
