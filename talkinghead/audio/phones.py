"""A phone in IPA -> what the mouth does for it, and the phones of a recording -> that, a row a step of the speech encoder.

Coarser than phones and the same in every language: lips that meet, lower lip at the teeth, round, spread, open ... Knows the
alphabet; knows nothing of sound. Source: Handbook of the International Phonetic Association, 1999.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from talkinghead.types import ARTICULATIONS, FPS, FloatArray

STEPS_PER_SECOND: Final = 2 * FPS
INDEX: Final = {name: index for index, name in enumerate(ARTICULATIONS)}

_PHONES: Final = {
    "bilabial": "p b m ɓ β ɸ",
    "labiodental": "f v ɱ ʋ",
    "dental": "θ ð",
    "alveolar": "t d n s z l ɹ r ɾ ɬ ʈ ɖ ɳ ʂ ʐ ɭ ɽ",
    "postalveolar": "ʃ ʒ ɕ ʑ ɲ j c ɟ ç",
    "velar": "k ɡ g ŋ x ɣ q χ ʁ h ɦ ħ",
    "rounded": "u ʊ o ɔ y ø œ ʏ w ɒ ɥ ʉ ɵ ʃ ʒ",
    "spread": "i ɪ e j s z ɛ",
    "open": "a ɑ æ ɐ ʌ ɒ ɶ ä",
    "mid": "ɛ œ ɔ ə e o ø ɜ ɚ ɝ ɤ ɘ",
    "close": "i u y ɪ ʊ ɨ ʉ ɯ ʏ",
    "nasal": "m n ŋ ɲ ɱ ɳ",
    "plosive": "p b t d k ɡ g q c ɟ ɓ ʈ ɖ",
    "fricative": "f v s z ʃ ʒ θ ð x ɣ ç h ɕ ʑ β ɸ χ ʁ ħ ʂ ʐ",
    "vowel": "a ɑ æ ɐ ʌ ɒ e ɛ ə ɜ ɚ ɝ i ɪ o ɔ u ʊ y ø œ ʏ ɨ ʉ ɯ ɤ ɘ ɵ",
}
_OF_LETTER: Final = {
    letter: frozenset(name for name, letters in _PHONES.items() if letter in letters.split())
    for letter in {letter for letters in _PHONES.values() for letter in letters.split()}
}
ARPABET: Final = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "aʊ", "AY": "aɪ", "B": "b", "CH": "tʃ", "D": "d", "DH": "ð", "EH": "ɛ",
    "ER": "ɚ", "EY": "eɪ", "F": "f", "G": "g", "HH": "h", "IH": "ɪ", "IY": "i", "JH": "dʒ", "K": "k", "L": "l", "M": "m",
    "N": "n", "NG": "ŋ", "OW": "oʊ", "OY": "ɔɪ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "UH": "ʊ",
    "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ", "SIL": "",
}  # fmt: skip
"""The phones of CMU's dictionary in IPA."""


@dataclass(frozen=True, eq=False)
class PhoneTimes:
    """What is spoken when. symbols: (P,) IPA, empty in a pause; starts_s, ends_s: (P,) s."""

    symbols: npt.NDArray[np.str_]
    starts_s: npt.NDArray[np.float64]
    ends_s: npt.NDArray[np.float64]


def articulations(symbol: str) -> list[frozenset[str]]:
    """IPA of a phone -> what it is made of, in time: two parts of a diphthong or an affricate, else one; empty if unknown."""
    if not symbol.strip():
        return [frozenset({"pause"})]
    parts = [_OF_LETTER[letter] for letter in symbol if letter in _OF_LETTER]
    if len(parts) < 2:
        return parts or [frozenset()]
    first, second = parts[:2]
    if first & second & {"vowel"} or (len(parts) == 2 and "plosive" in first and "fricative" in second):
        return [first, second]
    return [frozenset().union(*parts)]


def articulation_steps(phones: PhoneTimes, num_steps: int) -> tuple[FloatArray, FloatArray]:
    """-> (S, A) how much of each fiftieth of a second each of `ARTICULATIONS` fills, and (S,) how much of it is known."""
    shares = np.zeros((num_steps, len(ARTICULATIONS)), np.float32)
    known = np.zeros(num_steps, np.float32)
    for symbol, start_s, end_s in zip(phones.symbols, phones.starts_s, phones.ends_s, strict=True):
        parts = articulations(str(symbol))
        edges = np.linspace(start_s, end_s, len(parts) + 1) * STEPS_PER_SECOND
        for part, first, last in zip(parts, edges[:-1], edges[1:], strict=True):
            for step in range(max(0, int(first)), min(num_steps, int(np.ceil(last)))):
                share = max(0.0, min(last, step + 1) - max(first, step))
                known[step] += share
                shares[step, [INDEX[name] for name in part]] += share
    return np.clip(shares, 0, 1), np.clip(known, 0, 1)
