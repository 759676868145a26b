"""Prepared clips -> what the articulator and the gestures learn from, talker by talker.

Knows `offsets.tsv` and what `scripts/prepare_data.py`, `scripts/prepare_speech.py` or `talkinghead prepare` wrote of each clip.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.corpus.store import FEATURES, MOTION, TRACKED, open_clips
from talkinghead.motion.io import load_motion
from talkinghead.motion.lips import LEFT_CORNER, LEFT_EYE, LOWER_LIP, RIGHT_CORNER, RIGHT_EYE, UPPER_LIP
from talkinghead.types import FaceMotion, FloatArray, SpeechFeatures

CLOSED_RATIO: Final = 0.035
"""Lips are shut where their gap is within this part of the mouth's width of the clip's closest (its 1st percentile). On GRID's
talker s1 that is so at the start of 87 % of the words that begin with b or p (98 % have such a frame within 0.12 s of it), and
at the start of 11 % of those that begin with a vowel."""

# An offset is trusted where the estimate itself was sure.
_MIN_OFFSET_R: Final = 0.5
_MIN_OFFSET_FRAMES: Final = 75
_SILENT_PEAK_DBFS: Final = -60.0


@dataclass(frozen=True, eq=False)
class SpeechClip:
    """One clip with sound, sound and face cut to the same frames.

    features: (T, C) and loudness. motion: T frames. points: (T, 478, 3) px as tracked. seen: (T,) whether a face was seen.
    emotion, level: as the manifest has them, empty and 0 where it has not.
    """

    name: str
    source: str
    talker: str
    known_talker: bool
    features: SpeechFeatures
    motion: FaceMotion
    points: FloatArray
    seen: FloatArray
    emotion: str = ""
    level: int = 0

    def __len__(self) -> int:
        return len(self.features)


def lip_opening(points: FloatArray) -> FloatArray:
    """points: (T, 468+, 3) -> (T,) distance in space of the inner lips' middles over that of the outer eye corners."""
    eyes = np.linalg.norm(points[:, RIGHT_EYE] - points[:, LEFT_EYE], axis=-1)
    opening: FloatArray = np.linalg.norm(points[:, UPPER_LIP] - points[:, LOWER_LIP], axis=-1) / eyes
    return opening


def lip_width(points: FloatArray) -> FloatArray:
    """points: (T, 468+, 3) -> (T,) distance in space of the corners of the mouth over that of the outer eye corners."""
    eyes = np.linalg.norm(points[:, RIGHT_EYE] - points[:, LEFT_EYE], axis=-1)
    width: FloatArray = np.linalg.norm(points[:, RIGHT_CORNER] - points[:, LEFT_CORNER], axis=-1) / eyes
    return width


def lip_parting(points: FloatArray) -> FloatArray:
    """points: (T, 468+, 3) -> (T,) distance in space of the inner lips' middles over the mouth's width."""
    width = np.linalg.norm(points[:, RIGHT_CORNER] - points[:, LEFT_CORNER], axis=-1)
    gap: FloatArray = np.linalg.norm(points[:, UPPER_LIP] - points[:, LOWER_LIP], axis=-1) / width
    return gap


def speech_clips(data: Path, prepared: Path, part: str, aligned: bool, split: str = "") -> Iterator[SpeechClip]:
    """The clips of a part that have sound, a face and both preparations, one at a time.

    Args:
        data: folder of `manifest.jsonl` and `offsets.tsv`.
        prepared: folder that holds `prepared`, `features` and `motion`; of a set in shards the same folder.
        part: "train" or "eval".
        aligned: whether to move the picture by the clip's known lead over its sound.
        split: which of `corpus.splits` says what is what; "" is the manifest's own.

    Raises:
        InputError: no manifest.
    """
    leads = trusted_leads(data / "offsets.tsv") if aligned else {}
    clips = open_clips(data, prepared)
    for row in clips.rows_of(part, split):
        name = Path(row["file"]).with_suffix(".npz")
        if not row["audio"] or not all(clips.has(row, suffix) for suffix in (FEATURES, TRACKED, MOTION)):
            continue
        with clips.open(row, FEATURES) as stream, np.load(stream) as file:
            content, loudness = file["content"], file["loudness"]
        if loudness.max() < _SILENT_PEAK_DBFS:
            continue
        with clips.open(row, TRACKED) as stream, np.load(stream) as file:
            points, seen = file["points"], file["presence"] > 0
        with clips.open(row, MOTION) as stream:
            motion = load_motion(stream)
        sound, picture = shifted(min(len(content), len(points)), leads.get(row["file"], 0))
        yield SpeechClip(
            name=str(name.with_suffix("")),
            source=source_of(name),
            talker=row["identity"],
            known_talker=bool(row.get("identity_in_train", False)),
            features=SpeechFeatures(content[sound], loudness[sound]),
            motion=motion[picture],
            points=points[picture],
            seen=seen[picture].astype(np.float32),
            emotion=row.get("emotion") or "",
            level=row.get("level") or 0,
        )


def source_of(name: Path) -> str:
    """The folder below the split's, or the only one, or nothing: `train/grid_s1/clip` is of `grid_s1`."""
    folders = name.parts[:-1]
    return folders[min(1, len(folders) - 1)] if folders else ""


def trusted_leads(path: Path) -> dict[str, int]:
    """`offsets.tsv` -> by how many frames the picture of each clip leads its sound, where the estimate is sure."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        return {
            row["clip"]: int(row["video_leads_frames"])
            for row in csv.DictReader(file, delimiter="\t")
            if float(row["r_at_best"]) > _MIN_OFFSET_R and int(row["frames"]) > _MIN_OFFSET_FRAMES
        }


def shifted(num_frames: int, lead: int) -> tuple[slice, slice]:
    """Frames of sound and of picture that belong together when the picture is `lead` frames early."""
    if lead >= 0:
        return slice(lead, num_frames), slice(0, num_frames - lead)
    return slice(0, num_frames + lead), slice(-lead, num_frames)


def symmetric(blendshapes: FloatArray) -> FloatArray:
    """(T, 52) -> the mean of a motion and its mirror image."""
    return np.asarray((blendshapes + blendshapes[:, list(arkit.MIRROR)]) / 2, np.float32)
