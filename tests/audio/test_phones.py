import numpy as np
import pytest

from talkinghead.audio.phones import ARPABET, PhoneTimes, articulation_steps, articulations
from talkinghead.types import ARTICULATIONS


@pytest.mark.parametrize(
    ("symbol", "wanted"),
    [
        ("m", [{"bilabial", "nasal"}]),
        ("v", [{"labiodental", "fricative"}]),
        ("uː", [{"rounded", "close", "vowel"}]),
        ("aɪ", [{"open", "vowel"}, {"spread", "close", "vowel"}]),
        ("tʃ", [{"alveolar", "plosive"}, {"postalveolar", "rounded", "fricative"}]),
        ("", [{"pause"}]),
        ("?", [set()]),
    ],
)
def test_a_phone_is_what_the_mouth_does_for_it(symbol: str, wanted: list[set[str]]) -> None:
    assert articulations(symbol) == wanted


def test_every_phone_of_the_dictionary_is_known() -> None:
    assert [name for name, ipa in ARPABET.items() if not all(articulations(ipa))] == []


def test_steps_are_filled_by_what_is_spoken_in_them() -> None:
    phones = PhoneTimes(np.array(["b", "aɪ", ""]), np.array([0.01, 0.04, 0.10]), np.array([0.04, 0.10, 0.12]))
    shares, known = articulation_steps(phones, 8)
    column = ARTICULATIONS.index
    assert np.allclose(shares[:3, column("bilabial")], [0.5, 1, 0])
    assert np.allclose(shares[2:5, column("open")], [1, 0.5, 0]) and np.allclose(shares[2:5, column("close")], [0, 0.5, 1])
    assert shares[5, column("pause")] == 1 and np.allclose(known, [0.5, 1, 1, 1, 1, 1, 0, 0])
