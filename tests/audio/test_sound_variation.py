import numpy as np
import pytest

from talkinghead.audio.sound_variation import DROWNING_DB, NOISES, SPEED, in_noise, in_room, vary_sound, vary_voice
from talkinghead.types import SAMPLE_RATE


def tone(hz: float = 400.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
def test_a_tone_is_shifted_by_as_much_as_it_is_shortened(seed: int) -> None:
    varied = vary_voice(tone(), np.random.default_rng(seed))
    speed = 2 * SAMPLE_RATE / len(varied)
    assert SPEED[0] * 0.99 < speed < SPEED[1] * 1.01 and np.abs(varied).max() <= 1 and varied.dtype == np.float32
    heard = np.abs(np.fft.rfft(varied)).argmax() * SAMPLE_RATE / len(varied)
    assert heard == pytest.approx(400 * speed, rel=0.01)


def test_the_same_seed_gives_the_same_variation_and_another_another() -> None:
    one, same, other = (vary_sound(tone(), np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert len(one) != len(other)


def test_silence_stays_finite() -> None:
    assert np.isfinite(vary_sound(np.zeros(8000, np.float32), np.random.default_rng(0))).all()


def test_a_room_rings_on_and_moves_nothing() -> None:
    click = np.zeros(16_000, np.float32)
    click[4000] = 1
    rung = in_room(click, 0.3, 0.5, np.random.default_rng(0))
    assert len(rung) == len(click) and np.abs(rung).argmax() == 4000 and not rung[:3999].round(4).any()
    assert np.isclose(np.sqrt((rung[4001:] ** 2).sum()), 0.5, atol=0.05)


@pytest.mark.parametrize("kind", NOISES)
def test_each_noise_is_as_loud_as_it_is_meant_and_moves_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkinghead.audio.sound_variation.NOISES", {kind: 1.0})
    monkeypatch.setattr("talkinghead.audio.sound_variation.NOISY_ROOM_SHARE", 0.0)
    monkeypatch.setattr("talkinghead.audio.sound_variation.TELEPHONE_SHARE", 0.0)
    speech, others = tone() * 0.5, [tone(hz) for hz in (900.0, 1700.0)]
    for seed in range(3):
        noise = in_noise(speech, others, np.random.default_rng(seed)) - speech
        under = 20 * np.log10(np.sqrt((speech**2).mean()) / np.sqrt((noise**2).mean()))
        assert DROWNING_DB[0] - 0.1 < under < DROWNING_DB[1] + 0.1


def test_other_people_who_are_silent_drown_nobody_and_something_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkinghead.audio.sound_variation.NOISES", {"other people": 1.0})
    silent = [np.zeros_like(tone())] * 4
    assert not np.array_equal(in_noise(tone(), silent, np.random.default_rng(1)), tone())


@pytest.mark.parametrize(("kind", "share"), [("white", 0.3), ("speech-shaped", 0.9), ("other people", 0.99)])
def test_each_noise_sounds_like_itself(kind: str, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much of its power is where the speech, or the others, have theirs."""
    for name, value in (("NOISES", {kind: 1.0}), ("NOISY_ROOM_SHARE", 0.0), ("TELEPHONE_SHARE", 0.0)):
        monkeypatch.setattr(f"talkinghead.audio.sound_variation.{name}", value)
    speech, others = tone() * 0.5, [tone(3000.0)]
    power = np.abs(np.fft.rfft(in_noise(speech, others, np.random.default_rng(2)) - speech)) ** 2
    hz = np.fft.rfftfreq(len(speech), 1 / SAMPLE_RATE)
    near = np.abs(hz - (3000 if kind == "other people" else 400)) < 60
    assert (power[near].sum() / power.sum() > share) == (kind != "white")


def test_noise_over_silence_is_silence() -> None:
    silence = np.zeros(8000, np.float32)
    assert not in_noise(silence, [silence] * 4, np.random.default_rng(1)).any()
