"""PSNR by hand; SSIM by hand on flat pictures and against scikit-image."""

import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

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
    assert ssim(a, a) == pytest.approx(1)


def test_ssim_is_what_scikit_image_finds(pair):
    found = structural_similarity(*pair, channel_axis=2, data_range=255)
    assert ssim(*pair) == pytest.approx(found, rel=1e-9) and 0.5 < found < 0.99
    assert ssim(pair[1], pair[0]) == pytest.approx(found, rel=1e-9)
