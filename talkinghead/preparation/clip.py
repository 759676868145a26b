"""One clip of an archive -> its square crop, tracked points, fitted motion and speech features, as bytes.

25 frames a second and 16 kHz, picture and sound cut to the same length. Knows one clip; knows nothing of sets, workers, shards.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from talkinghead.audio.hidden_unit_encoder import AnySpeechEncoder, load_speech_encoder
from talkinghead.audio.waveform import load_audio
from talkinghead.corpus.sources import SourceClip
from talkinghead.corpus.store import FEATURES, MOTION, PERSON, TRACKED, VIDEO
from talkinghead.errors import AudioError, TalkingHeadError, VideoError
from talkinghead.landmarks import NUM_SKIN_POINTS, FaceTracker
from talkinghead.motion.io import write_motion
from talkinghead.preparation.encoding import encoded
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import FittedFace, fit_motion
from talkinghead.types import FPS, SAMPLES_PER_FRAME, Audio, ByteArray, FloatArray, TrackedFace
from talkinghead.video.reader import read_frames

CROP_PX: Final = 256
CROP_OVER_FACE: Final = 1.9
FACE_ABOVE_MIDDLE: Final = 0.04
"""Of the crop's side: a face's box ends at the chin and begins below the hair."""
BOX_EVERY: Final = 8
MIN_FRAMES: Final = 10
MIN_TRACKED: Final = 0.8
MIN_FACE_PX: Final = 40
MAX_FRAMES: Final = 60 * FPS
"""Longer clips are cut there: a shard holds whole clips, and a reader one in memory."""
_KEPT_BYTES: Final = 3 * 2**28
"""Pictures are kept for cropping up to so many bytes, five seconds of 1080p; of more the video is decoded a second time."""
_TOLD_FRAMES: Final = 3

JSON: Final = "json"


@dataclass(frozen=True, eq=False)
class Tools:
    """What a worker loads once."""

    tracker: FaceTracker
    rig: FaceRig
    encoder: AnySpeechEncoder

    @staticmethod
    def load(checkpoint: Path) -> Tools:
        """Out of a whole checkpoint folder."""
        return Tools(
            FaceTracker(checkpoint / "tracker/face_landmarker.task", num_threads=1),
            FaceRig.from_pretrained(checkpoint / "rig"),
            load_speech_encoder(checkpoint / "speech_encoder"),
        )


@dataclass
class Made:
    """row: of the manifest, without its shard; members: by suffix; notes: defects survived; times: processor's s a stage."""

    row: dict[str, Any] = field(default_factory=dict)
    members: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    times: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds up what a stage takes of the processor."""
        began = time.process_time()
        yield
        self.times[name] = self.times.get(name, 0.0) + time.process_time() - began


def prepare_clip(clip: SourceClip, tools: Tools, source: str) -> Made:
    """All of one clip. source: the set's name, for the row.

    Raises:
        TalkingHeadError: it cannot be used; the message says why.
    """
    made = Made()
    with made.stage("decode and track"):
        faces, kept, size = _tracked(clip, tools.tracker)
    with made.stage("sound"):
        audio = _sound(clip, made.notes)
    num_frames = _common_length(len(faces), audio, made.notes)
    faces = faces[:num_frames]
    seen = np.array([face is not None for face in faces])
    if seen.mean() < MIN_TRACKED:
        raise VideoError(f"the face is seen in {seen.mean():.0%} of its frames, {MIN_TRACKED:.0%} are needed")
    if not seen.all():
        made.notes.append(f"no face in {int((~seen).sum())} of {num_frames} frames")
    corner, side = crop_square(faces, size)
    if audio is not None:
        audio = Audio(audio.samples[: num_frames * SAMPLES_PER_FRAME])
    with made.stage("crop and encode"):
        frames = iter(kept) if kept is not None else _frames(clip)
        cropped = _cropped(frames, num_frames, corner, side)
        made.members[VIDEO] = encoded(cropped, audio)
    points, scores, presence = _curves(faces, corner, side)
    with made.stage("fit"):
        motion, person = fit_motion(points, scores, tools.rig, presence)
        made.members[TRACKED] = _arrays(points=points, scores=scores, presence=presence)
        file = io.BytesIO()
        write_motion(file, motion)
        made.members[MOTION] = file.getvalue()
        made.members[PERSON] = _person(person)
    if audio is not None:
        with made.stage("hear"):
            made.members[FEATURES] = _features(audio, tools.encoder)
    made.row = _row(clip, num_frames, audio is not None, source)
    made.members = {JSON: (json.dumps(made.row) + "\n").encode(), **made.members}
    return made


def _row(clip: SourceClip, num_frames: int, has_sound: bool, source: str) -> dict[str, Any]:
    return {
        "key": clip.key,
        "file": f"{clip.key}.mp4",
        "split": clip.split or "unassigned",
        "identity": clip.identity,
        "view": clip.view,
        "emotion": clip.emotion,
        "level": clip.level,
        "sentence": clip.sentence,
        "transcript": clip.transcript,
        "seconds": num_frames / FPS,
        "frames": num_frames,
        "audio": has_sound,
        "source": source,
        "from_last": clip.from_last,
        "pairs_by_number": clip.pairs_by_number,
    }


def _frames(clip: SourceClip) -> Iterator[ByteArray]:
    try:
        with clip.video.open() as file:
            yield from read_frames(file)
    except OSError as error:
        raise VideoError(f"cannot be read ({error})") from error
    except VideoError as error:  # the file has no name of its own
        raise VideoError(str(error).removeprefix("video: ")) from error


def _tracked(
    clip: SourceClip, tracker: FaceTracker
) -> tuple[list[TrackedFace | None], list[ByteArray] | None, tuple[int, int]]:
    """The face in each frame, the frames if they are few and small, and their height and width."""
    kept: list[ByteArray] | None = []
    size = (0, 0)

    def watched() -> Iterator[ByteArray]:
        nonlocal kept, size
        for number, frame in enumerate(_frames(clip)):
            if number == MAX_FRAMES:
                return
            size = (frame.shape[0], frame.shape[1])
            if kept is not None:
                kept.append(frame)
                kept = kept if len(kept) * frame.nbytes <= _KEPT_BYTES else None
            yield frame

    faces = list(tracker.track(watched()))
    return faces, kept, size


def _sound(clip: SourceClip, notes: list[str]) -> Audio | None:
    """The video's own sound, else the file beside it, else none; what was wrong is noted."""
    try:
        with clip.video.open() as file:
            return load_audio(file)
    except (AudioError, OSError) as error:
        own = _without_name(error)
    if clip.sound is None:
        notes.append(f"no sound ({own}), and none beside it")
        return None
    try:
        with clip.sound.open() as file:
            audio = load_audio(file)
    except (AudioError, OSError) as error:
        notes.append(f"no sound ({own}), and the one beside it: {_without_name(error)}")
        return None
    notes.append(f"sound taken from {Path(clip.sound.name).name} beside it (its own: {own})")
    return audio


def _without_name(error: Exception) -> str:
    return str(error).removeprefix("sound: ").partition(";")[0]


def _common_length(num_pictures: int, audio: Audio | None, notes: list[str]) -> int:
    """How many frames have both picture and sound."""
    if num_pictures == MAX_FRAMES:
        notes.append(f"cut to its first {MAX_FRAMES // FPS} s")
    num_frames = num_pictures
    if audio is not None:
        num_heard = len(audio.samples) // SAMPLES_PER_FRAME
        num_frames = min(num_pictures, num_heard)
        if abs(num_pictures - num_heard) > _TOLD_FRAMES and num_pictures < MAX_FRAMES:
            notes.append(f"{num_pictures / FPS:.2f} s of picture and {num_heard / FPS:.2f} s of sound: cut to the shorter")
    if num_frames < MIN_FRAMES:
        raise VideoError(f"{num_frames / FPS:.2f} s of picture and sound together, {MIN_FRAMES / FPS:g} s are needed")
    return num_frames


def crop_square(faces: list[TrackedFace | None], size: tuple[int, int]) -> tuple[tuple[int, int], int]:
    """Faces in pictures of size (H, W) -> left and top, px, and side of one square for the clip, inside the picture.

    The side is 1.9 times the larger side of the median box of every eighth face seen.

    Raises:
        VideoError: the face is too small to be of use.
    """
    seen = [face for face in faces if face is not None][::BOX_EVERY]
    skin = np.stack([face.points[:NUM_SKIN_POINTS, :2] for face in seen])
    left, top, right, bottom = np.median(np.concatenate([skin.min(1), skin.max(1)], 1), axis=0)
    if right - left < MIN_FACE_PX:
        raise VideoError(f"the face is {right - left:.0f} px wide, {MIN_FACE_PX} are needed")
    side = min(CROP_OVER_FACE * max(right - left, bottom - top), *size)
    side = max(2, int(side))
    x = (left + right) / 2 - side / 2
    y = (top + bottom) / 2 - side / 2 + FACE_ABOVE_MIDDLE * side
    corner = (int(np.clip(round(x), 0, size[1] - side)), int(np.clip(round(y), 0, size[0] - side)))
    return corner, side


def _cropped(frames: Iterator[ByteArray], num_frames: int, corner: tuple[int, int], side: int) -> list[ByteArray]:
    x, y = corner
    how = cv2.INTER_AREA if side > CROP_PX else cv2.INTER_LINEAR
    cropped: list[ByteArray] = []
    for frame, _ in zip(frames, range(num_frames), strict=False):
        part = np.ascontiguousarray(frame[y : y + side, x : x + side])
        cropped.append(np.asarray(cv2.resize(part, (CROP_PX, CROP_PX), interpolation=how), np.uint8))
    return cropped


def _curves(faces: list[TrackedFace | None], corner: tuple[int, int], side: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Points (T, 478, 3) px of the crop, scores (T, 52), presence (T,).

    A frame without a face repeats the one before it and is marked by presence 0.
    """
    filled = next(face for face in faces if face is not None)
    points, scores, presence = [], [], []
    for face in faces:
        filled = face or filled
        points.append(filled.points)
        scores.append(filled.scores)
        presence.append(face.presence if face else 0.0)
    scale = np.float32(CROP_PX / side)
    moved = np.stack(points) * scale
    # The middle of a picture's first pixel is at 0, of the crop's as well.
    moved[..., :2] += (0.5 - np.array(corner, np.float32)) * scale - np.float32(0.5)
    return moved.astype(np.float32), np.stack(scores).astype(np.float32), np.array(presence, np.float32)


def _features(audio: Audio, encoder: AnySpeechEncoder) -> bytes:
    """Content and voice are kept in half precision, as `scripts/prepare_speech.py` does."""
    features = encoder.encode(audio, with_voice=True)
    assert features.voice is not None
    halves = {"content": features.content.astype(np.float16), "voice": features.voice.astype(np.float16)}
    return _arrays(loudness=features.loudness, **halves)


def _person(face: FittedFace) -> bytes:
    """Who the fitted face is: with the motion it gives the meshes again, without a fit."""
    return _arrays(
        shape=face.shape,
        resting=face.resting,
        gaze=face.gaze,
        rotation=face.rotation,
        scale=np.float64(face.scale),
        translation=face.translation,
        lid_scale=face.lid_scale,
    )


def _arrays(**arrays: npt.ArrayLike) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


UNUSABLE: Final = (TalkingHeadError, OSError, EOFError, av.FFmpegError, cv2.error, ValueError)
"""What a clip that is damaged raises: it costs itself only."""
