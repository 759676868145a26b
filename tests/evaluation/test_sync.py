"""SyncNet's cepstra against its own library's figures, and its scores against torch as the reference code calls it."""

import numpy as np
import pytest
import torch

from talkinghead.evaluation.sync import MAX_SHIFT, cepstra, num_windows, sound_windows, sync_box, sync_scores

LIBRARY = [
    21.8309, 17.7087, -18.5558, -12.919, 9.6975, -9.0735, -48.9657, -40.9842, 12.8399, 38.1078, 14.6801, -3.4374, 11.2715,
]  # fmt: skip
"""python_speech_features 0.6 on the two tones of the first test, its fourth window: `mfcc(numpy.round(samples.astype(float) *
32768), 16000)[3]`."""


def test_the_cepstra_are_those_of_the_library_that_syncnet_was_trained_with():
    t = np.arange(1600) / 16000
    samples = (0.5 * np.sin(2 * np.pi * 440 * t) + 0.25 * np.sin(2 * np.pi * 1500 * t)).astype(np.float32)
    found = cepstra(samples)
    assert found.shape == (13, 9)
    assert found[:, 3] == pytest.approx(LIBRARY, abs=2e-3)
    assert np.isfinite(cepstra(np.zeros(700, np.float32))).all()


def test_a_window_of_sound_begins_with_its_window_of_pictures():
    samples = np.random.default_rng(0).normal(0, 0.1, 25 * 640).astype(np.float32)
    assert num_windows(25, len(samples)) == 20 and num_windows(40, len(samples)) == 20 and num_windows(3, 1920) == 0
    windows = sound_windows(samples, 20)
    assert windows.shape == (20, 1, 13, 20)
    assert np.array_equal(windows[7, 0], cepstra(samples)[:, 28:48])
    assert sound_windows(samples[:1000], 3).shape == (3, 1, 13, 20)


def reference(picture, sound, shift):
    """As syncnet_python counts: distances by torch, rows of pictures, columns of shifts."""
    padded = torch.nn.functional.pad(torch.from_numpy(sound), (0, 0, shift, shift))
    rows = [
        torch.nn.functional.pairwise_distance(torch.from_numpy(p)[None].repeat(2 * shift + 1, 1), padded[i : i + 2 * shift + 1])
        for i, p in enumerate(picture)
    ]
    means = torch.stack(rows, 1).mean(1)
    return float(means.median() - means.min()), float(means.min()), shift - int(means.argmin())


@pytest.mark.parametrize("late", [0, 4, -3])
def test_the_scores_are_the_reference_codes(late):
    rng = np.random.default_rng(0)
    course = np.cumsum(rng.normal(size=(80, 8)), 0).astype(np.float32)
    picture, sound = course[20:60], course[20 - late : 60 - late] + rng.normal(0, 0.3, (40, 8)).astype(np.float32)
    confidence, distance, offset = sync_scores(picture, sound)
    theirs = reference(picture, sound, MAX_SHIFT)
    assert (confidence, distance) == pytest.approx(theirs[:2], rel=1e-4)
    assert offset == late == -theirs[2]  # theirs counts the other way


def test_sound_that_fits_is_surer_than_another_ones():
    rng = np.random.default_rng(1)
    course, other = (rng.normal(size=(60, 8)).astype(np.float32) for _ in range(2))
    (sure, near, _), (unsure, far, _) = sync_scores(course, course + 0.1), sync_scores(course, other)
    assert sure > 5 * unsure and near < far / 5
    assert np.isnan(sync_scores(course[:0], course[:0])[0])


def test_the_box_is_syncnets():
    points = np.zeros((3, 478, 3), np.float32)
    points[:, 1:] = (100, 60, 0)
    points[:, 0] = (40, 160, 0)  # 60 wide, 100 high: half a side of 50 round (70, 110)
    points[2] = np.nan
    left, top, side = sync_box(points)
    assert (left, top, side) == (0, 60, 140)  # 70 - 50 * 1.4, 110 - 50, 100 * 1.4: down to 110 + 50 * 1.8
