"""A real clip -> the videos that are scored beside it.

Itself, itself re-encoded, its first frame held still, and what a checkpoint makes of its first frame, its sound, its emotion
and its level, with and without the networks that draw. Knows no metric.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead.audio.alignment import align
from talkinghead.audio.voice import Phoneme
from talkinghead.errors import AudioError
from talkinghead.evaluation.paper_clips import PaperClip
from talkinghead.evaluation.paper_metrics import OURS, REAL, REENCODED, STILL, WARP
from talkinghead.pipeline import TalkingHead
from talkinghead.rig.fitting import fit_motion
from talkinghead.rig.placement import meshes_of, portrait_mesh
from talkinghead.rig.shell import with_rim
from talkinghead.rigged_portrait import fit_portrait, mesh_topology
from talkinghead.synthesis.matte import MATTE_FILE, PersonMatte
from talkinghead.synthesis.pipeline import PortraitCrop
from talkinghead.synthesis.proxies import warp_picture
from talkinghead.types import ByteArray, FaceMotion, FloatArray, Portrait, SpeechFeatures, TrackedFace
from talkinghead.video.reader import read_frames
from talkinghead.video.writer import VideoWriter

SAMPLES: Final = 10
"""Motions of one sentence, of seeds 0 to 9, from which MEE, CE and diversity are counted."""
LANGUAGE: Final = "en-us"
"""Of transcripts; MEAD's are English."""
MM: Final = 1000.0


class ClipVideos:
    """A clip, a checkpoint, and every video of them; motions are made once."""

    def __init__(self, head: TalkingHead, clip: PaperClip) -> None:
        self.head, self.clip = head, clip

    def frames(self, system: str) -> Iterable[ByteArray]:
        """As many frames as the clip has, (H, W, 3) uint8; system: of `paper_metrics.SYSTEMS`."""
        if system == REAL:
            return self.clip.frames
        if system == REENCODED:
            return reencoded(self.clip.frames)
        if system == STILL:
            return [self.clip.frames[0]] * len(self.clip.frames)
        if system == WARP:
            return self._warped()
        assert system == OURS
        return self.head.render(self.portrait, self.motions[0])

    @cached_property
    def portrait(self) -> Portrait:
        """The clip's first frame."""
        picture, face = self.clip.frames[0], self.clip.faces[0]
        assert face is not None
        return Portrait(picture, PersonMatte(self.head.folder / "matte" / MATTE_FILE)(picture, face.box), face)

    @cached_property
    def features(self) -> SpeechFeatures:
        """What is heard in the clip."""
        return self.head.heard(self.clip.audio)

    @cached_property
    def motions(self) -> list[FaceMotion]:
        """What the checkpoint makes of the clip's sound, one a seed, as long as the clip; a clip without emotion is neutral."""
        track = self.head.felt(self.clip.emotion or "neutral", self.clip.intensity, self.features)
        length = len(self.clip.frames)
        return [self.head.motion(self.features, track, seed=seed)[:length] for seed in range(SAMPLES)]

    @cached_property
    def real_motion(self) -> FaceMotion:
        """What the clip's tracked face does."""
        return motion_of(self.head, self.clip.faces)

    @cached_property
    def phonemes(self) -> tuple[Phoneme, ...]:
        """What the transcript says is spoken when, by alignment with a synthetic voice; nothing without one, or in silence."""
        words = self.clip.transcript.split()
        try:
            return align(self.clip.audio, words, LANGUAGE).phonemes if words else ()
        except AudioError:
            return ()

    def vertices(self, motion: FaceMotion) -> FloatArray:
        """(T, V, 3) mm, a motion on the rig's own neutral face, head upright and still."""
        still = np.zeros_like(motion.head_rotation)
        vertices: FloatArray = self.head.rig(FaceMotion(motion.blendshapes, still, still, motion.gaze)).vertices * np.float32(
            MM
        )
        return vertices

    def _warped(self) -> Iterator[ByteArray]:
        face, picture = fit_portrait(self.portrait.face, self.clip.frames[0], self.head.rig), self.clip.frames[0]
        rig = with_rim(self.head.rig)
        crop = PortraitCrop.of(picture, portrait_mesh(rig, face), mesh_topology(self.head.rig), matte=self.portrait.matte)
        corner = np.array([crop.left, crop.top, 0], np.float32)
        for mesh in meshes_of(rig, self.head.on_face(self.motions[0], face), face):
            frame, part = picture.copy(), warp_picture(crop.reference, mesh - corner)
            height, width = part.shape[:2]
            area = frame[crop.top : crop.top + height, crop.left : crop.left + width]
            area[:] = np.clip(part + 0.5, 0, 255).astype(np.uint8)
            yield frame


def reencoded(frames: Iterable[ByteArray]) -> list[ByteArray]:
    """Frames as they come back from the file that `talkinghead generate` would write of them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.mp4"
        with VideoWriter(file) as video:
            for frame in frames:
                video.write(frame)
        return list(read_frames(file))


def motion_of(head: TalkingHead, faces: list[TrackedFace | None]) -> FaceMotion:
    """Tracked faces, one at least -> their motion; where no face was seen it is filled from the frames around."""
    some = next(face for face in faces if face is not None)
    seen = np.array([face is not None for face in faces], np.float32)
    points, scores = (np.stack([getattr(face or some, name) for face in faces]) for name in ("points", "scores"))
    return fit_motion(points, scores, head.rig, seen)[0]
