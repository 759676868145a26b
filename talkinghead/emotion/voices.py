"""Prepared recordings of acted and plain voices -> what the emotion encoder learns from.

Reads what `scripts/prepare_speech.py` writes below `voices/` (as they are) and `voices_varied/<n>/` (as another person, room
and microphone would have it): RAVDESS and EmoDB by their file names, and `plain`, unacted speech, as neutral.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

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
    rows: list[tuple[FloatArray, int, float, str, str, int, bool]] = []
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
            features = read_voice(form)
            length = len(features)
            about = (label, strength, speaker, file.parent.name, number)
            rows.append((statistics(features, 0, length), *about, place == folder))
            for _ in range(crops):
                crop = int(random.integers(min(_LEAST_CROP, length), min(WINDOW_FRAMES, length) + 1))
                start = int(random.integers(0, length - crop + 1))
                rows.append((statistics(features, start, start + crop), *about, False))
    if not rows:
        raise ConfigError(f"voices: {folder} holds no prepared recording; run scripts/prepare_speech.py first.")
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
