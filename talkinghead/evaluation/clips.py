"""A folder of clips -> the held-out talkers: their sound, the points that the tracker saw, and what a checkpoint says of them.

Every curve is made once and shared by the tables. Knows files and folders; knows nothing of how anything is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from talkinghead.audio.waveform import load_audio
from talkinghead.errors import InputError
from talkinghead.motion.dataset import lip_opening
from talkinghead.motion.lips import LEFT_CORNER, LEFT_EYE, RIGHT_CORNER, RIGHT_EYE
from talkinghead.pipeline import TalkingHead
from talkinghead.training import read_manifest
from talkinghead.types import Audio, FaceMotion, FloatArray, SpeechFeatures, TrackedFace
from talkinghead.video.reader import read_frames

WILD: Final = ("mead_spectre", "styletalk", "talkvid", "video_retalking", "voxceleb_pcavs")
"""Sources that count as "in the wild": many rooms, cameras and languages. Neither GRID's booth, nor the six Javanese actors,
nor EAMM's pre-cropped faces are among them."""
OTHER_GRID: Final = "grid_others"
COMMON_TALKER: Final = "grid_s1"
"""GRID's one talker of whom other sentences are in `train`."""


Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class TalkingClip:
    """A held-out clip: whose, its sound, and its tracked points, (T, 478, 3) px, NaN where no face was seen."""

    file: str
    source: str
    identity: str
    audio: Audio
    points: FloatArray


@dataclass(frozen=True, eq=False)
class LipCurves:
    """opening, width: (T,) of the lips, over the distance of the outer eye corners."""

    opening: FloatArray
    width: FloatArray

    @staticmethod
    def of(points: FloatArray) -> LipCurves:
        """points: (T, 468 or more, 3), tracked or the rig's -> both curves."""
        return LipCurves(lip_opening(points), lip_width(points))


def lip_width(points: FloatArray) -> FloatArray:
    """points: (T, 468+, 3) -> (T,) distance in space of the mouth's corners (61, 291) over that of the outer eye corners."""
    eyes = np.linalg.norm(points[:, RIGHT_EYE] - points[:, LEFT_EYE], axis=-1)
    width: FloatArray = np.linalg.norm(points[:, RIGHT_CORNER] - points[:, LEFT_CORNER], axis=-1) / eyes
    return width


class HeldOut:
    """The clips of a split, and one checkpoint's motion for them.

    Args:
        head: what is measured.
        data: folder of `manifest.jsonl`.
        split: "eval", or "train" to look at one's own training.
        prepared: folder with what `scripts/prepare_data.py` tracked; a clip that is not in it, or None, is tracked now.
    """

    def __init__(self, head: TalkingHead, data: Path, split: str, prepared: Path | None = None) -> None:
        self.head, self.data, self.split, self.prepared = head, data, split, prepared
        self._made: dict[Callable[[HeldOut], Any], Any] = {}

    def once(self, make: Callable[[HeldOut], Made]) -> Made:
        """What `make` makes of this, made the first time that a table asks for it."""
        if make not in self._made:
            self._made[make] = make(self)
        made: Made = self._made[make]
        return made

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The manifest's lines of this split."""
        return [row for row in read_manifest(self.data) if row["split"] == self.split]

    @cached_property
    def one_a_person(self) -> list[Path]:
        """The first clip of each identity that is in no training clip."""
        first: dict[str, Path] = {}
        for row in self.rows:
            if not row.get("identity_in_train", False):
                first.setdefault(row["identity"], self.data / row["file"])
        return list(first.values())

    @cached_property
    def clips(self) -> list[TalkingClip]:
        """Clips with sound of people who are in no training clip; a soundtrack of digital silence is no sound.

        Raises:
            InputError: there is none.
        """
        clips = [
            self.load(row["file"], row["identity"], audio)
            for row in self.rows
            if row["audio"] and not row.get("identity_in_train", False)
            if np.any((audio := load_audio(self.data / row["file"])).samples)
        ]
        if not clips:
            raise InputError(
                f"split: '{self.split}' of {self.data} has no clip with sound of a person who is in no training clip."
            )
        return clips

    @cached_property
    def common_clips(self) -> list[TalkingClip]:
        """The unheard sentences of GRID's talker s1, whose words have known times."""
        videos = sorted((self.data / self.split / COMMON_TALKER).glob("*.mp4"))
        return [self.load(str(video.relative_to(self.data)), COMMON_TALKER) for video in videos]

    def load(self, file: str, identity: str, audio: Audio | None = None) -> TalkingClip:
        """Sound and tracked points of one clip."""
        path = self.data / file
        return TalkingClip(file, Path(file).parts[1], identity, audio or load_audio(path), self._points(file))

    def _points(self, file: str) -> FloatArray:
        known = None if self.prepared is None else (self.prepared / file).with_suffix(".npz")
        if known is None or not known.is_file():
            return tracked_points(self.head.tracker.track(read_frames(self.data / file)))
        with np.load(known, allow_pickle=False) as archive:
            points: FloatArray = archive["points"].astype(np.float32)
            points[archive["presence"] <= 0] = np.nan
        return points

    @cached_property
    def features(self) -> list[SpeechFeatures]:
        """What the speech encoder hears in each of `clips`."""
        return [self.head.heard(clip.audio) for clip in self.clips]

    @cached_property
    def real(self) -> list[LipCurves]:
        """The talkers' own lips in each of `clips`."""
        return [LipCurves.of(clip.points) for clip in self.clips]

    @cached_property
    def generated(self) -> list[LipCurves]:
        """The lips that are made for each of `clips`, neutral."""
        return [LipCurves.of(self.vertices(features)) for features in self.features]

    def vertices(self, speech: SpeechFeatures | Audio, emotion: str = "neutral", intensity: float | None = None) -> FloatArray:
        """Speech -> (T, V, 3) m, the rig in generated motion of seed 0; its first 468 points are the tracker's."""
        vertices: FloatArray = self.head.rig(self.motion(speech, emotion, intensity)).vertices
        return vertices

    def motion(
        self, speech: SpeechFeatures | Audio, emotion: str = "neutral", intensity: float | None = None, seed: int = 0
    ) -> FaceMotion:
        """Speech -> generated motion."""
        features = self.head.heard(speech) if isinstance(speech, Audio) else speech
        return self.head.motion(features, self.head.felt(emotion, intensity, features), seed=seed)

    def chance(self, index: int) -> int | None:
        """The next clip of another talker, whose sound says nothing of clip `index`; None when everybody is the same."""
        order: Iterator[int] = (k % len(self.clips) for k in range(index + 1, index + len(self.clips)))
        return next((k for k in order if self.clips[k].identity != self.clips[index].identity), None)


def tracked_points(faces: Iterable[TrackedFace | None]) -> FloatArray:
    """Faces, one a frame -> (T, 478, 3) px, NaN where there is none."""
    return np.stack([np.full((478, 3), np.nan, np.float32) if face is None else face.points for face in faces])
