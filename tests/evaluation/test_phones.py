import numpy as np
import pytest

from talkinghead.audio.voice import speak
from talkinghead.evaluation.phones import RAVDESS_WORDS, Aligner

pytest.importorskip("pocketsphinx")


def test_phones_stand_in_the_order_of_the_words() -> None:
    speech = speak("Dogs are sitting by the door", "en-us")
    phones = Aligner()(speech.audio, RAVDESS_WORDS["02"])
    assert len(phones) == speech.audio.num_frames
    order = [p for p, before in zip(phones, ["", *phones], strict=False) if p and p != before]
    assert order[0] == "D" and order[-1] == "R"
    first = {name: order.index(name) for name in ("D", "S", "IH", "B", "DH")}
    assert list(first.values()) == sorted(first.values())
    assert np.mean(phones != "") > 0.4


def test_silence_holds_no_phone() -> None:
    from talkinghead.types import Audio

    phones = Aligner()(Audio(np.zeros(16_000, np.float32)), RAVDESS_WORDS["01"])
    assert len(phones) == 25 and not (phones != "").any()
