import numpy as np
import pytest

from talkinghead.evaluation.robustness import LEVELS_DB, at_level, by_telephone, in_speech_shaped_noise, in_white_noise
from talkinghead.types import SAMPLE_RATE, Audio


def tone(hz, peak=0.2, seconds=2.0):
    return Audio((peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32))


def power_db(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)))


@pytest.mark.parametrize("spoil", [in_white_noise, in_speech_shaped_noise])
def test_noise_lies_ten_decibels_under_the_sound_and_is_always_the_same(spoil):
    clean = tone(500)
    noisy = spoil(clean)
    assert power_db(clean.samples) - power_db(noisy.samples - clean.samples) == pytest.approx(10, abs=0.1)
    assert np.array_equal(noisy.samples, spoil(clean).samples)


def test_speech_shaped_noise_lies_where_the_speech_is_and_white_noise_everywhere():
    clean = tone(500)
    share = {}
    for spoil in (in_white_noise, in_speech_shaped_noise):
        noise = np.abs(np.fft.rfft(spoil(clean).samples - clean.samples)) ** 2
        hz = np.fft.rfftfreq(len(clean.samples), 1 / SAMPLE_RATE)
        share[spoil] = noise[np.abs(hz - 500) < 60].sum() / noise.sum()
    assert share[in_speech_shaped_noise] > 0.9 and share[in_white_noise] < 0.05


def test_the_telephone_lets_its_band_through_and_nothing_else_and_delays_nothing():
    for hz, lost in ((1000, 0), (100, 20), (6000, 20)):
        fell = power_db(tone(hz).samples) - power_db(by_telephone(tone(hz)).samples)
        assert fell == pytest.approx(0, abs=0.5) if lost == 0 else fell > lost
    clean = tone(1000)
    through = by_telephone(clean).samples
    assert len(through) == len(clean.samples)
    assert np.corrcoef(clean.samples, through)[0, 1] > 0.99


def test_levels_are_exact_and_nothing_clips():
    quiet, loud = tone(300, 0.05), tone(300, 0.8)
    for level in LEVELS_DB:
        assert power_db(at_level(quiet, level).samples) - power_db(quiet.samples) == pytest.approx(level, abs=0.01)
    turned_up = at_level(loud, 10).samples
    assert np.abs(turned_up).max() == pytest.approx(1)
    # A sine that clipped would have overtones.
    assert turned_up / np.abs(turned_up).max() == pytest.approx(loud.samples / np.abs(loud.samples).max(), abs=1e-5)
