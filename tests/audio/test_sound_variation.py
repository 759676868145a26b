import numpy as np

from talkinghead.audio.sound_variation import SPEED, in_room, vary_sound, vary_voice


def tone(seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * 440 * np.arange(round(16_000 * seconds)) / 16_000).astype(np.float32)


def test_the_same_numbers_give_the_same_variation_and_others_another() -> None:
    first, again, other = (vary_sound(tone(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first[:8000], other[:8000])
    assert first.dtype == np.float32 and np.isfinite(first).all()


def test_speed_changes_length_and_pitch_together() -> None:
    for seed in range(6):
        varied = vary_voice(tone(), np.random.default_rng(seed))
        stretch = len(varied) / 16_000
        assert 1 / SPEED[1] - 0.01 < stretch < 1 / SPEED[0] + 0.01
        peak_hz = np.fft.rfftfreq(len(varied), 1 / 16_000)[np.abs(np.fft.rfft(varied)).argmax()]
        assert abs(peak_hz * stretch / 440 - 1) < 0.01


def test_a_room_rings_on_and_moves_nothing() -> None:
    click = np.zeros(16_000, np.float32)
    click[4000] = 1
    rung = in_room(click, 0.3, 0.5, np.random.default_rng(0))
    assert len(rung) == len(click) and np.abs(rung).argmax() == 4000 and not rung[:3999].round(4).any()
    assert np.isclose(np.sqrt((rung[4001:] ** 2).sum()), 0.5, atol=0.05)
