"""When the lips are on their way to a contact."""

import numpy as np

from talkinghead.motion.contacts import MOST_CAUTION, SURE_CONTACT, contact, doubt
from talkinghead.types import ARTICULATIONS

BILABIAL = ARTICULATIONS.index("bilabial")


def heard(others: float, bilabial: float) -> np.ndarray:
    articulation = np.full((40, len(ARTICULATIONS)), others, np.float32)
    articulation[20, BILABIAL] = bilabial
    return articulation


def test_doubt_is_none_where_each_is_sure_and_whole_where_each_is_a_half() -> None:
    assert doubt(heard(0, 1)).max() == 0
    assert np.allclose(doubt(np.full((5, len(ARTICULATIONS)), 0.5, np.float32)), 1)


def test_the_same_score_closes_the_lips_in_clear_speech_and_less_in_noise() -> None:
    clear, noisy = (contact(heard(others, 0.45), "bilabial")[20] for others in (0.03, 0.09))
    assert clear > 0.9 > noisy
    assert contact(heard(0.3, 0.45), "bilabial")[20] == 0


def test_who_is_heard_for_sure_closes_the_lips_whatever_the_noise() -> None:
    assert SURE_CONTACT["bilabial"] + MOST_CAUTION < 0.97
    assert contact(heard(0.5, 0.97), "bilabial")[20] > 0.75


def test_noise_asks_no_more_of_f_and_v() -> None:
    clear, noisy = (contact(np.full((40, len(ARTICULATIONS)), share, np.float32), "labiodental") for share in (0.41, 0.43))
    assert (noisy > clear).all() and clear.min() > 0.5
