"""The values that flow from stage to stage. Inside the package time runs at 25 frames and 16,000 samples a second.

T is the number of video frames, N of samples, V of vertices, F of triangles, H x W a picture in pixels.

Head space: x to the subject's left, y up, z out of the face towards the camera, metres, origin between the ears.
Image space: x right, y down, pixels; a person who faces the camera has their left at larger x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from talkinghead import arkit
from talkinghead.errors import AudioError, EmotionError, MotionError

MIN_SIZE_PX: Final = 64
MAX_SIZE_PX: Final = 8192
"""Of the longest side that a portrait is brought to."""
FPS: Final = 25
SAMPLE_RATE: Final = 16_000
SAMPLES_PER_FRAME: Final = SAMPLE_RATE // FPS
UPRIGHT: Final = np.array([1, -1, -1], np.float32)
"""Times points of a picture (x to the right, y down, z away) are points of the rig (y up, z to the viewer), and back."""
UPRIGHT.setflags(write=False)

EMOTIONS: Final[tuple[str, ...]] = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
"""MEAD's eight, in the order of the columns of `EmotionTrack.weights`."""

NEUTRAL: Final = EMOTIONS.index("neutral")

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Audio:
    """samples: (N,) float32, mono, 16 kHz, in [-1, 1]."""

    samples: FloatArray

    def __post_init__(self) -> None:
        samples = self.samples
        if samples.ndim != 1:
            raise AudioError(f"Audio.samples has shape {samples.shape}; give (N,): one channel.")
        if samples.dtype != np.float32:
            raise AudioError(f"Audio.samples is {samples.dtype}; give float32 in [-1, 1], or a file to load_audio.")
        # Samples that are not numbers compare false: the speech encoder says so.
        peak = max(float(samples.max(initial=0)), -float(samples.min(initial=0)))
        if peak > 1:
            raise AudioError(f"Audio.samples reaches {peak:.4g}; give samples in [-1, 1].")

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    @property
    def num_frames(self) -> int:
        """Video frames that cover the whole sound; the last may be partly silent."""
        return -(-len(self.samples) // SAMPLES_PER_FRAME)


ARTICULATIONS: Final[tuple[str, ...]] = (
    "bilabial", "labiodental", "dental", "alveolar", "postalveolar", "velar", "rounded", "spread",
    "open", "mid", "close", "nasal", "plosive", "fricative", "vowel", "pause",
)  # fmt: skip
"""What a mouth does, the same in every language."""


@dataclass(frozen=True, eq=False)
class SpeechFeatures:
    """What was said and how, a row a video frame.

    content: (T, C) float32 speech encoder features.
    loudness: (T,) float32 dBFS.
    voice: (T, V) float32, the encoder's first blocks: how it is said more than what; None when nobody listens for it.
    articulation: (T, A) float32 in [0, 1], how surely each of `ARTICULATIONS` is done; None when nobody knows.
    """

    content: FloatArray
    loudness: FloatArray
    voice: FloatArray | None = None
    articulation: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.content)


@dataclass(frozen=True, eq=False)
class EmotionTrack:
    """Which emotion, how strongly, a row a video frame.

    weights: (T, 8) float32, rows sum to 1, columns as `EMOTIONS`.
    intensity: (T,) float32 in [0, 1]; MEAD's levels 1, 2, 3 are 1/3, 2/3, 1.
    regional: (T, 3, 8) float32 in [0, 1], how strongly each region of `arkit.REGIONS` shows each emotion, where they differ;
        None when the whole face shows `intensity` times `weights`. Where it is given, the other two sum it up.
    is_open: nobody asked for it: nothing is felt, or what is heard in the voice. "neutral" is asked for.
    """

    weights: FloatArray
    intensity: FloatArray
    regional: FloatArray | None = None
    is_open: bool = False

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or self.weights.shape[1] != len(EMOTIONS):
            raise EmotionError(f"EmotionTrack.weights has shape {self.weights.shape}; give (T, {len(EMOTIONS)}).")
        if self.intensity.shape != self.weights.shape[:1]:
            raise EmotionError(f"EmotionTrack.intensity has shape {self.intensity.shape}; give ({len(self.weights)},).")
        wanted = (len(self.weights), len(arkit.REGIONS), len(EMOTIONS))
        if self.regional is not None and self.regional.shape != wanted:
            raise EmotionError(f"EmotionTrack.regional has shape {self.regional.shape}; give {wanted}.")

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def activation(self) -> FloatArray:
        """(T, 3, 8) how strongly each region shows each emotion: all that an expression needs to know."""
        if self.regional is not None:
            return self.regional
        whole = (self.weights * self.intensity[:, None]).astype(np.float32)
        return np.repeat(whole[:, None], len(arkit.REGIONS), axis=1)

    @staticmethod
    def from_activation(activation: FloatArray, is_open: bool = False) -> EmotionTrack:
        """(T, 3, 8) in [0, 1] -> the track with that `activation`."""
        is_whole = np.ptp(activation, axis=1).max(initial=0) == 0
        whole = activation[:, 0] if is_whole else activation.mean(1)
        intensity = whole.sum(1)
        weights = np.zeros_like(whole)
        weights[:, NEUTRAL] = 1
        np.divide(whole, intensity[:, None], out=weights, where=intensity[:, None] > 0)
        regional = None if is_whole else activation.astype(np.float32)
        return EmotionTrack(weights.astype(np.float32), intensity.astype(np.float32), regional, is_open)


@dataclass(frozen=True, eq=False)
class FaceMotion:
    """A performance, without a face: a row a video frame.

    blendshapes: (T, 52) float32 in [0, 1], columns as `arkit.BLENDSHAPES`; the eight `eyeLook*` are derived from `gaze`.
    head_rotation: (T, 3) float32 axis-angle, rad, head space to camera space.
    head_translation: (T, 3) float32 m, camera space (x right, y up, z to the viewer).
    gaze: (T, 2) float32 yaw (to the subject's left) and pitch (up) of both eyes against the head, rad.
    is_seen: of a real person, by a tracker: blendshapes hold the person's usual look too, such as heavy lids; otherwise they
        count from a calm face, whoever's.
    at_ease: (T, 1) float32 in [0, 1], how far a face may go on smiling as in its portrait, since no emotion was asked for and
        none is heard that goes ill with it; 0 when left out.
    """

    blendshapes: FloatArray
    head_rotation: FloatArray
    head_translation: FloatArray
    gaze: FloatArray
    is_seen: bool = False
    at_ease: FloatArray = field(default_factory=lambda: np.zeros((0, 1), np.float32))

    def __post_init__(self) -> None:
        num_frames = len(self.blendshapes)
        if not len(self.at_ease):
            object.__setattr__(self, "at_ease", np.zeros((num_frames, 1), np.float32))
        for name, width in MOTION_WIDTHS.items():
            value = getattr(self, name)
            if value.shape != (num_frames, width):
                raise MotionError(f"FaceMotion.{name} has shape {value.shape}; give ({num_frames}, {width}).")

    def __len__(self) -> int:
        return len(self.blendshapes)

    def __getitem__(self, frames: slice | IntArray) -> FaceMotion:
        return self.each(lambda rows: rows[frames])

    def each(self, change: Callable[[FloatArray], FloatArray]) -> FaceMotion:
        """The same with each of its arrays changed alike."""
        changed: dict[str, Any] = {name: change(getattr(self, name)) for name in MOTION_ARRAYS}
        return replace(self, **changed)

    @staticmethod
    def neutral(num_frames: int) -> FaceMotion:
        """A face at rest that looks into the camera."""
        return FaceMotion(
            np.zeros((num_frames, len(arkit.BLENDSHAPES)), np.float32),
            np.zeros((num_frames, 3), np.float32),
            np.zeros((num_frames, 3), np.float32),
            np.zeros((num_frames, 2), np.float32),
        )


MOTION_WIDTHS: Final = {"blendshapes": 52, "head_rotation": 3, "head_translation": 3, "gaze": 2, "at_ease": 1}
"""What a FaceMotion has a row a frame of, and how many columns."""
MOTION_ARRAYS: Final = tuple(MOTION_WIDTHS)


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """vertices: (T, V, 3) float32 m, head space turned by the head pose; faces: (F, 3) int64."""

    vertices: FloatArray
    faces: IntArray


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """One face in one picture.

    points: (478, 3) float32 px; x right, y down, z away from the camera, MediaPipe's order (468 skin, 2 x 5 iris).
    scores: (52,) float32, the tracker's own blendshape scores in ARKit order (a weak guide; tongueOut is always 0).
    box: (4,) float32 px: left, top, right, bottom of the points.
    presence: how sure the tracker is that this is a face, in [0, 1].
    """

    points: FloatArray
    scores: FloatArray
    box: FloatArray
    presence: float


@dataclass(frozen=True, eq=False)
class Portrait:
    """A picture of one person, upright, whole.

    image: (H, W, 3) uint8 RGB.
    matte: (H, W) float32 in [0, 1], 1 where the person is.
    face: the tracked face that is to speak.
    wears_glasses: whether it does.
    """

    image: ByteArray
    matte: FloatArray
    face: TrackedFace = field(repr=False)
    wears_glasses: bool = False
