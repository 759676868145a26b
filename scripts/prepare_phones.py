"""Speech whose phones are known, when each is spoken -> what `scripts/train.py speech_encoder` learns from.

    python scripts/prepare_phones.py ../shared/data --output data/phones
    python scripts/prepare_phones.py data/mead --split eat --output data/phones_mead

Four sources: made-up words spoken by espeak-ng in many languages and voices (exact times, no text needed), and RAVDESS, GRID's
`train` clips and LibriVox, whose words are known and are aligned by pocketsphinx. Of a set of `talkinghead prepare`: made-up
words and training clips whose transcript is known. Writes `<source>/<name>.npz` (samples, symbols, starts, ends). Resumable:
what is there is skipped. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pocketsphinx import Decoder
from rich.progress import track as progress

from talkinghead.audio.phones import ARPABET
from talkinghead.audio.voice import speak
from talkinghead.audio.waveform import load_audio
from talkinghead.corpus.splits import record
from talkinghead.corpus.store import DATASET, VIDEO, open_clips, trained_on
from talkinghead.errors import TalkingHeadError
from talkinghead.training import read_manifest, save_arrays
from talkinghead.types import Audio, FloatArray

NUM_MADE_UP = 480
LANGUAGES = "nl sv nb da fi et hu cs sk sl hr ro sq lv lt eo ca eu pt pt-br is af cy mt".split()  # noqa: SIM905
"""None of those on which `talkinghead evaluate` measures."""
VARIANTS = ["", *(f"+m{number}" for number in range(1, 8)), "+f1", "+f4"]
"""Those that sound the same each time; +f2, +f3 and +f5 do not."""
ONSETS = "p b m f v t d s z n l r k g sh ch w j h pr bl st tr gr fl sp mb nd".split()  # noqa: SIM905
NUCLEI = "a e i o u a e i o u ai ou ei".split()  # noqa: SIM905
CODAS = "m n s t p b l f r k".split()  # noqa: SIM905

RAVDESS = {"01": "kids are talking by the door", "02": "dogs are sitting by the door"}
_LETTERS = "a bee see dee e eff gee aitch eye jay kay ell em en oh pee cue are ess tea you vee ex why zee"
_DIGITS = "zero one two three four five six seven eight nine"
GRID = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    dict(zip("abcdefghijklmnopqrstuvxyz", _LETTERS.split(), strict=True)),
    dict(zip("z123456789", _DIGITS.split(), strict=True)),
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
"""What each letter of a GRID clip's name stands for."""
LETTER_NAMES = {"eff": "EH F", "aitch": "EY CH", "ell": "EH L", "ess": "EH S"}
MAX_GRID_OF_ONE_TALKER = 150

Phones = list[tuple[str, float, float]]


class Aligner:
    """Words and their sound -> phones with times, by CMU's English model."""

    def __init__(self) -> None:
        self._decoder = Decoder(lm=None, loglevel="FATAL")
        for word, phones in LETTER_NAMES.items():
            if self._decoder.lookup_word(word) is None:
                self._decoder.add_word(word, phones, True)

    def __call__(self, samples: FloatArray, text: str) -> Phones:
        """Raises RuntimeError where the words are not found in the sound."""
        peak = max(float(np.abs(samples).max(initial=0)), 1e-3)
        self._pcm = (samples / peak * 0.7 * 32767).astype("<i2").tobytes()
        self._decoder.set_align_text(text)
        self._run()
        self._decoder.set_alignment()
        self._run()
        words = self._decoder.get_alignment()
        return [
            (ARPABET.get(phone.name, ""), phone.start / 100, (phone.start + phone.duration) / 100)
            for word in words
            for phone in word
        ]

    def _run(self) -> None:
        self._decoder.start_utt()
        self._decoder.process_raw(self._pcm, full_utt=True)
        self._decoder.end_utt()


def made_up_text(chance: random.Random) -> str:
    """Six to ten words that no language has and every voice can read."""
    words = []
    for _ in range(chance.randint(6, 10)):
        syllables = [
            (chance.choice(ONSETS) if chance.random() < 0.92 else "") + chance.choice(NUCLEI)
            for _ in range(chance.choice([1, 2, 2, 3, 3]))
        ]
        coda = chance.choice(CODAS) if chance.random() < 0.35 else ""
        words.append("".join(syllables) + coda + ("," if chance.random() < 0.12 else ""))
    return " ".join(words) + "."


def write_made_up(number: int, target: Path) -> None:
    """The same number is the same sentence in the same voice."""
    chance = random.Random(number)
    text, voice = made_up_text(chance), LANGUAGES[number % len(LANGUAGES)] + chance.choice(VARIANTS)
    spoken = speak(text, voice, chance.randint(120, 210), chance.randint(20, 80))
    write(target, spoken.audio.samples, [(phone.symbol, phone.start_s, phone.end_s) for phone in spoken.phonemes])


def write(target: Path, samples: FloatArray, phones: Phones) -> None:
    symbols, starts, ends = zip(*phones, strict=True)
    whole = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
    save_arrays(target, samples=whole, symbols=np.array(symbols), starts=np.array(starts), ends=np.array(ends))


def letters_alone(text: str) -> str:
    """Words as the aligner's dictionary has them."""
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())


def clips_of_a_set(source: Path, split: str) -> Iterator[tuple[str, Callable[[], Audio], str, str]]:
    """The set's name, sound, words and key of every training clip whose transcript is known."""
    clips = open_clips(source)
    for row in clips.rows_of("train", split):
        if row["audio"] and (text := letters_alone(row.get("transcript", ""))):

            def sound(row: dict[str, Any] = row) -> Audio:
                with clips.open(row, VIDEO) as stream:
                    return load_audio(stream)

            yield clips.name, sound, text, row["key"]


def recordings(source: Path) -> Iterator[tuple[str, Path, str]]:
    """Source, file and words of every recording that is to be aligned."""
    for file in sorted((source / "ravdess").rglob("*.ogg")):
        yield "ravdess", file, RAVDESS[file.stem.split("-")[4]]
    for file in sorted((source / "speech/librivox").glob("*.flac")):
        yield "librivox", file, letters_alone(file.with_suffix(".txt").read_text())
    taken: dict[str, int] = {}
    for row in read_manifest(source):
        letters = re.search(r"(?:^|_)([blps][bgrw][abiw][a-vx-z][z1-9][anps])(?:_|$)", Path(row["file"]).stem)
        if letters and row["split"] == "train" and row["audio"] and "/grid" in row["file"]:
            taken[row["identity"]] = taken.get(row["identity"], 0) + 1
            if taken[row["identity"]] <= MAX_GRID_OF_ONE_TALKER:
                text = " ".join(words[letter] for words, letter in zip(GRID, letters[1], strict=True))
                yield "grid", source / row["file"], text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder that holds manifest.jsonl, ravdess/ and speech/; or a prepared set")
    parser.add_argument("--output", type=Path, default=Path("data/phones"))
    parser.add_argument("--made-up", type=int, default=NUM_MADE_UP, help="sentences of made-up words")
    parser.add_argument("--split", default="", help="of a set of talkinghead prepare: eat, emote, official or own")
    options = parser.parse_args()
    align = Aligner()

    def aligned(sound: Callable[[], Audio], text: str, target: Path) -> None:
        samples = sound().samples
        write(target, samples, align(samples, text))

    try:
        jobs: list[tuple[Path, Callable[[Path], None]]] = [
            (options.output / f"made_up/{number:04d}.npz", lambda target, n=number: write_made_up(n, target))
            for number in range(options.made_up)
        ]
        if (options.source / DATASET).is_file():
            for kind, sound, text, key in clips_of_a_set(options.source, options.split):
                jobs.append((options.output / kind / f"{key}.npz", lambda target, s=sound, t=text: aligned(s, t, target)))
            about = trained_on(options.source, options.split)
            record(options.output / about.dataset, [about])
        else:
            for kind, file, text in recordings(options.source):
                name = f"{file.parent.name}_{file.stem}.npz" if kind == "grid" else f"{file.stem}.npz"
                jobs.append(
                    (options.output / kind / name, lambda target, f=file, t=text: aligned(lambda: load_audio(f), t, target))
                )
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    left_out = 0
    for target, make in progress(jobs, description="speaking and aligning"):
        try:
            if not target.exists():
                make(target)
        except (TalkingHeadError, RuntimeError) as error:
            left_out += 1
            print(f"left out {target.stem}: {' '.join(str(error).split())[:80]}")
    print(
        f"{len(jobs) - left_out} recordings are ready in {options.output}, {left_out} left out (words not found in the sound)"
    )


if __name__ == "__main__":
    main()
