"""The Fréchet distance against its closed form and against scipy's matrix root."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from talkinghead.evaluation.frechet import GROUPS, frechet_distance, jackknife


def reference(a, b):
    """By the formula, with the matrix root that scipy computes."""
    apart = a.mean(0) - b.mean(0)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    return float(apart @ apart + np.trace(first + second - 2 * sqrtm(first @ second).real))


@pytest.mark.parametrize("sizes", [(400, 300, 6), (60, 50, 40)])
def test_it_is_what_scipys_matrix_root_gives(sizes):
    n, m, d = sizes
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(d, d))
    a = (rng.normal(size=(n, d)) @ mixing + 1).astype(np.float32)
    b = rng.normal(size=(m, d)).astype(np.float32)
    assert frechet_distance(a, b) == pytest.approx(reference(a.astype(float), b.astype(float)), rel=1e-5)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-6)


def test_fewer_samples_than_features_is_exact_where_the_matrix_root_is_singular():
    rng = np.random.default_rng(2)
    a, b = (rng.normal(size=(7, 5)).astype(np.float32) for _ in range(2))
    wide = np.zeros((7, 64), np.float32)
    more = wide.copy()
    wide[:, :5], more[:, :5] = a, b  # features that are always 0 add nothing
    assert frechet_distance(wide, more) == pytest.approx(reference(a.astype(float), b.astype(float)), rel=1e-5)


def test_one_feature_by_hand():
    a, b = np.float32([[0], [2]]), np.float32([[10], [18]])  # means 1 and 14, deviations sqrt 2 and sqrt 32
    assert frechet_distance(a, b) == pytest.approx(13**2 + (np.sqrt(32) - np.sqrt(2)) ** 2, rel=1e-6)
    assert frechet_distance(a, a + 3) == pytest.approx(9, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert np.isnan(frechet_distance(a[:1], b))


def test_the_jackknife_covers_the_distance_and_leaves_whole_clips_out():
    rng = np.random.default_rng(3)
    real = [rng.normal(size=(5, 3)).astype(np.float32) for _ in range(60)]
    ours = [1 + rng.normal(size=(5, 3)).astype(np.float32) for _ in range(60)]
    value, low, high = jackknife(ours, real)
    assert value == frechet_distance(np.concatenate(ours), np.concatenate(real))
    assert low < value < high and low < 3 < high < 5  # three features that are 1 apart
    # By its definition, a group at a time.
    left = [
        frechet_distance(*(np.concatenate([c for i, c in enumerate(x) if i % GROUPS != g]) for x in (ours, real)))
        for g in range(GROUPS)
    ]
    error = np.sqrt((GROUPS - 1) * np.var(left))
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=1e-6)
    assert np.isnan(jackknife(ours[:4], real[:4])[1:]).all()
