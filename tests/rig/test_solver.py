"""Bounded least squares and similarity transforms against slow references."""

import numpy as np
from scipy.optimize import lsq_linear

from talkinghead.procrustes import similarity
from talkinghead.rig.pose import axis_angle_from_matrix, matrix_from_axis_angle
from talkinghead.rig.solver import bounded_least_squares


def test_agrees_with_scipy():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(60, 20)), random.normal(size=(60, 5))
    found = bounded_least_squares(a.T @ a, (a.T @ b).T, 0.0, 0.1)
    for row, target in zip(found, b.T, strict=True):
        np.testing.assert_allclose(row, lsq_linear(a, target, (0, 0.1)).x, atol=1e-4)
    assert found.min() >= 0 and found.max() <= 0.1 + 1e-12


def test_similarity_is_recovered():
    random = np.random.default_rng(1)
    source, vector = random.normal(size=(30, 3)), random.normal(size=(4, 3))
    rotation = matrix_from_axis_angle(vector)
    target = 3.0 * source @ np.swapaxes(rotation, -1, -2) + np.array([1.0, 2.0, 3.0])
    r, s, t = similarity(source, target)
    np.testing.assert_allclose(r, rotation, atol=1e-9)
    np.testing.assert_allclose(s, 3.0)
    np.testing.assert_allclose(t, np.tile([1.0, 2.0, 3.0], (4, 1)), atol=1e-9)
    np.testing.assert_allclose(matrix_from_axis_angle(axis_angle_from_matrix(rotation)), rotation, atol=1e-9)
