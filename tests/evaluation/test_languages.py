from collections import defaultdict

import numpy as np
import pytest

from talkinghead.audio.voice import Phoneme, speak
from talkinghead.evaluation.contacts import parts
from talkinghead.evaluation.languages import VARIANTS, add_contacts, kind_of, sentences


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("p", "p, b, m"),
        ("bʰ", "p, b, m"),
        ("ˈm̩", "p, b, m"),
        ("v", "f, v"),
        ("ˈɑː", "open vowel"),
        ("β", ""),
        ("iː", ""),
        ("", ""),
    ],
)
def test_a_symbol_is_told_by_what_the_lips_do(symbol, kind):
    assert kind_of(symbol) == kind


def test_there_are_ten_languages_of_eight_sentences_and_espeak_speaks_each_with_labials():
    assert len(sentences()) == 10
    for voice, lines in sentences().items():
        assert len(lines) == len(set(lines)) == 8, voice
        for line, variant in zip(lines[:2], VARIANTS, strict=True):
            kinds = [kind_of(phoneme.symbol) for phoneme in speak(line, voice + variant).phonemes]
            assert kinds.count("p, b, m") >= 2, line


def test_lips_count_as_closed_at_their_phoneme_within_a_frame_and_chance_is_the_motion_backwards():
    phonemes = [Phoneme("m", 0.40, 0.48), Phoneme("iː", 0.48, 0.8), Phoneme("p", 1.2, 1.28), Phoneme("t", 1.3, 1.4)]
    phonemes += [Phoneme("a", 1.4, 1.6), Phoneme("ɛ", 1.6, 1.64), Phoneme("f", 1.64, 1.7)]
    gap, height = np.full(50, 0.2, np.float32), np.full(50, 1.2, np.float32)
    gap[9] = 0.01  # a frame before the m begins
    gap[34] = 0.01  # two frames after the p has ended
    gap[37] = 0.01  # in the middle of the a
    height[42] = 1.0
    hits = defaultdict(list)
    add_contacts(hits, phonemes, gap, height)
    row = parts({"row": hits})["row"]
    assert row["closed, under 0.035"] == 0.5 and row["p, b, m"] == 2
    assert row["vowels closed"] == 1 and row["vowels"] == 1, "the ɛ is too short to count"
    assert row["f, v at the teeth"] == 1 and row["f, v"] == 1
    assert row["closed, under 0.035, chance"] == 0.5, "backwards, frame 37 closes at the m and nothing at the p"
