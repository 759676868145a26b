"""A line of text is spoken in a process of its own, with times that fit the sound."""

import subprocess
import sys

import numpy as np
import pytest

from talkinghead.audio.voice import LEAD_S, TAIL_S, speak
from talkinghead.errors import AudioError
from talkinghead.types import SAMPLE_RATE


@pytest.fixture(scope="module")
def spoken():
    return speak("Bob paid. She sells sea shells.")


def test_the_sound_is_speech_between_two_silences(spoken):
    samples = spoken.audio.samples
    assert samples.dtype == np.float32 and 1.5 < spoken.audio.duration_s < 5
    assert not samples[: round(LEAD_S * SAMPLE_RATE) - 1].any() and not samples[-round(TAIL_S * SAMPLE_RATE) :].any()
    assert 0.1 < np.abs(samples).max() <= 1


def test_phonemes_follow_one_another_without_gaps(spoken):
    starts = [p.start_s for p in spoken.phonemes]
    assert LEAD_S <= starts[0] < LEAD_S + 0.1 and starts == sorted(starts)
    assert all(a.end_s == b.start_s for a, b in zip(spoken.phonemes, spoken.phonemes[1:], strict=False))
    symbols = [p.symbol for p in spoken.phonemes if p.symbol]
    assert symbols[0] == "b" and {"p", "ʃ", "s", "l"} <= set(symbols)


def test_words_are_the_text_in_order(spoken):
    assert [w.text for w in spoken.words] == ["Bob", "paid", "She", "sells", "sea", "shells"]
    assert [w.start_s for w in spoken.words] == sorted(w.start_s for w in spoken.words)


def test_hissing_phonemes_lie_where_the_sound_hisses(spoken):
    """The times are right: /s/ and /ʃ/ have their energy above 2 kHz, vowels below."""

    def high_share(phoneme):
        part = spoken.audio.samples[int(phoneme.start_s * SAMPLE_RATE) : int(phoneme.end_s * SAMPLE_RATE)]
        spectrum = np.abs(np.fft.rfft(part)) ** 2
        return spectrum[len(spectrum) // 4 :].sum() / spectrum.sum()

    hisses = [high_share(p) for p in spoken.phonemes if p.symbol in ("s", "ʃ")]
    vowels = [high_share(p) for p in spoken.phonemes if "ː" in p.symbol]
    assert len(hisses) >= 3 and min(hisses) > 0.6 and max(vowels) < 0.3


def test_the_same_text_gives_the_same_sound_and_speed_shortens_it(spoken):
    again = speak("Bob paid. She sells sea shells.")
    assert np.array_equal(again.audio.samples, spoken.audio.samples)
    assert speak("Bob paid. She sells sea shells.", words_per_minute=300).audio.duration_s < 0.8 * spoken.audio.duration_s


def test_another_language_speaks_other_phonemes():
    assert {p.symbol for p in speak("Schöne Grüße", voice="de").phonemes} != {p.symbol for p in speak("Schöne Grüße").phonemes}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": ""}, r"^text: is empty; give a sentence to speak\.$"),
        ({"text": " \n"}, "text: is empty"),
        ({"text": "..."}, r"text: '\.\.\.' holds nothing to speak; give words"),
        ({"text": "a" * 50_001}, "text: 50001 characters, at most 50000"),
        ({"text": "hi", "voice": "klingon-x"}, "voice: no 'klingon-x' in espeak-ng; choose one of af, .*en-us"),
        ({"text": "hi", "voice": "en-usa+f2"}, "voice: no 'en-usa.f2' in espeak-ng; did you mean en-us\\? Or choose one of af"),
        ({"text": "hi", "words_per_minute": 1000}, "words_per_minute: 1000; give 80 to 450"),
        ({"text": "hi", "pitch": 100}, "pitch: 100; give 0 to 99"),
    ],
)
def test_what_cannot_be_spoken(arguments, message):
    with pytest.raises(AudioError, match=message):
        speak(**arguments)


def test_espeak_is_never_loaded_into_our_process():
    code = (
        "from talkinghead.audio.voice import speak; speak('hello'); import sys;"
        "assert 'espeakng_loader' not in sys.modules; assert 'espeak' not in open('/proc/self/maps').read()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
