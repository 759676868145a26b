"""Prepared recordings of acted and plain voices -> what the emotion encoder learns from.

Reads what `scripts/prepare_speech.py` writes below `voices/` (as they are) and `voices_varied/<n>/` (as another person, room
and microphone would have it): RAVDESS and EmoDB by their file names, and `plain`, unacted speech, as neutral. And the sound of
a set of `talkinghead prepare` whose clips say which emotion they are, MEAD's above all.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from talkinghead.corpus.store import FEATURES, open_clips
from talkinghead.emotion.emotion_encoder import WINDOW_FRAMES, statistics
from talkinghead.errors import ConfigError
from talkinghead.types import EMOTIONS, NEUTRAL, FloatArray, SpeechFeatures

RAVDESS: Final = ("neutral", "neutral", "happy", "sad", "angry", "fear", "disgusted", "surprised")
"""By the third number of the name; the second is calm."""
EMODB: Final = {"W": "angry", "E": "disgusted", "A": "fear", "F": "happy", "T": "sad", "N": "neutral"}
EMODB_FRAMES: Final = 50
"""Some of EmoDB's classes were cut to two seconds by whoever passed them on: all are, or the length would tell the class."""
STRENGTH: Final = {"01": 0.6, "02": 1.0}
_LEAST_CROP: Final = 30


@dataclass(frozen=True, eq=False)
class Voices:
    """A row each form of a recording: whole, a crop of it, either of them varied.

    statistics (N, F), label, strength (NaN unknown), speaker, source, the recording's number, and whether it is the whole
    recording as it was.
    """

    statistics: FloatArray
    label: npt.NDArray[np.int64]
    strength: FloatArray
    speaker: npt.NDArray[np.str_]
    source: npt.NDArray[np.str_]
    recording: npt.NDArray[np.int64]
    whole: npt.NDArray[np.bool_]

    def chosen(self, rows: npt.NDArray[np.bool_]) -> Voices:
        """Some of the rows."""
        return Voices(*(getattr(self, field.name)[rows] for field in fields(self)))


def load_voices(folder: Path, varied: Path | None, crops: int, seed: int) -> Voices:
    """All that is prepared below `folder`, and each variation of it below `varied`.

    Raises:
        ConfigError: nothing is.
    """
    rows: list[_Form] = []
    random = np.random.default_rng(seed)
    variations = sorted(varied.glob("*/")) if varied is not None else []
    for number, file in enumerate(sorted(folder.glob("*/*.npz"))):
        said = spoken_emotion(file)
        if said is None:
            continue
        label, strength, speaker = said
        for place in (folder, *variations):
            form = place / file.relative_to(folder)
            if not form.exists():
                continue
            about = (label, strength, speaker, file.parent.name, number)
            rows += _forms(read_voice(form), about, place == folder, crops, random)
    if not rows:
        raise ConfigError(f"voices: {folder} holds no prepared recording; run scripts/prepare_speech.py first.")
    return _voices(rows)


def load_clips(data: Path, split: str, crops: int, seed: int) -> Voices:
    """The clips of a prepared set's training part that have sound and one of the eight emotions; levels 1, 2, 3 are thirds.

    Raises:
        ConfigError: there is none.
    """
    clips, random = open_clips(data), np.random.default_rng([seed, 1])
    rows: list[_Form] = []
    for number, row in enumerate(clips.rows_of("train", split)):
        emotion, level = row.get("emotion"), row.get("level")
        if emotion not in EMOTIONS or not clips.has(row, FEATURES):
            continue
        strength = 0.0 if emotion == EMOTIONS[NEUTRAL] else float("nan") if level is None else level / 3
        about = (EMOTIONS.index(emotion), strength, f"{clips.name} {row['identity']}", clips.name, number)
        with clips.open(row, FEATURES) as stream, np.load(stream) as archive:
            features = SpeechFeatures(archive["content"], archive["loudness"], archive["voice"])
        rows += _forms(features, about, True, crops, random)
    if not rows:
        raise ConfigError(f"data: {data} has no training clip with sound and an emotion in the split {split or 'own'}.")
    return _voices(rows)


def joined(parts: list[Voices]) -> Voices:
    """Several sets as one; their recordings are others, whatever their numbers."""
    starts = np.cumsum([0, *(int(part.recording.max()) + 1 for part in parts)])
    moved = [replace(part, recording=part.recording + start) for part, start in zip(parts, starts, strict=False)]
    return Voices(*(np.concatenate([getattr(part, field.name) for part in moved]) for field in fields(Voices)))


_About = tuple[int, float, str, str, int]
_Form = tuple[FloatArray, int, float, str, str, int, bool]


def _forms(features: SpeechFeatures, about: _About, whole: bool, crops: int, random: np.random.Generator) -> list[_Form]:
    """A recording, and random crops of it."""
    length = len(features)
    rows: list[_Form] = [(statistics(features, 0, length), *about, whole)]
    for _ in range(crops):
        crop = int(random.integers(min(_LEAST_CROP, length), min(WINDOW_FRAMES, length) + 1))
        start = int(random.integers(0, length - crop + 1))
        rows.append((statistics(features, start, start + crop), *about, False))
    return rows


def _voices(rows: list[_Form]) -> Voices:
    x, label_, strength_, speaker_, source_, number_, whole_ = zip(*rows, strict=True)
    return Voices(
        np.stack(x),
        np.array(label_),
        np.array(strength_, np.float32),
        np.array(speaker_),
        np.array(source_),
        np.array(number_),
        np.array(whole_),
    )


def read_voice(file: Path) -> SpeechFeatures:
    """One prepared recording; of EmoDB's the first two seconds."""
    with np.load(file) as archive:
        stop = EMODB_FRAMES if file.parent.name == "emodb" else None
        return SpeechFeatures(archive["content"][:stop], archive["loudness"][:stop], archive["voice"][:stop])


def spoken_emotion(file: Path) -> tuple[int, float, str] | None:
    """A recording's emotion, strength and speaker, by its folder and name; None when it is of none of the eight."""
    source, name = file.parent.name, file.stem
    if source == "ravdess":
        part = name.split("-")
        emotion = RAVDESS[int(part[2]) - 1]
        return EMOTIONS.index(emotion), 0.0 if emotion == "neutral" else STRENGTH[part[3]], f"ravdess {part[6]}"
    if source == "emodb":
        known = EMODB.get(name[5])
        if known is None:
            return None
        return EMOTIONS.index(known), 0.0 if known == "neutral" else float("nan"), f"emodb {name[:2]}"
    return NEUTRAL, 0.0, f"{source} {name}"


def speaker_folds(speaker: npt.NDArray[np.str_], num_folds: int) -> npt.NDArray[np.int64]:
    """(N,) the fold of each row; a speaker's rows are all in one."""
    number = {name: index % num_folds for index, name in enumerate(sorted(set(speaker)))}
    return np.array([number[name] for name in speaker])
