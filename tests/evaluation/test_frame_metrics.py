"""PSNR by hand; SSIM by its formula with scipy's windows, and by hand on flat pictures."""

import math

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from talkinghead.evaluation.frame_metrics import psnr_db, ssim


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (40, 32, 3), np.uint8)
    return np.clip(real + rng.normal(0, 20, real.shape), 0, 255).astype(np.uint8), real


def test_psnr_by_hand():
    black, grey = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)
    grey[..., 0] = 12  # a third of the values is 12 off: the error is 48
    assert psnr_db(grey, black) == pytest.approx(10 * math.log10(255**2 / 48))
    assert psnr_db(np.full_like(black, 255), black) == 0
    assert psnr_db(black, grey) == psnr_db(grey, black)  # unsigned values do not wrap
    assert psnr_db(black, black) == math.inf


def test_ssim_of_flat_pictures_by_hand():
    a, b = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), rel=1e-6)
    assert ssim(a, a) == 1


def test_ssim_is_the_formula_in_windows_of_seven(pair):
    values = []
    for colour in range(3):
        a, b = (x[..., colour].astype(np.float64) for x in pair)
        mean_a, mean_b, sample = uniform_filter(a, 7), uniform_filter(b, 7), 49 / 48
        var_a, var_b = ((uniform_filter(x * x, 7) - m * m) * sample for x, m in ((a, mean_a), (b, mean_b)))
        both = (uniform_filter(a * b, 7) - mean_a * mean_b) * sample
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        picture = (2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
        values.append(picture[3:-3, 3:-3].mean())
    assert ssim(*pair) == pytest.approx(np.mean(values), rel=1e-6)
    assert 0.5 < ssim(*pair) < 0.99
