"""A held-out clip and its own first frame: the frame driven by the clip's tracked motion, as `render` would do it.

Every table of the renderer starts here. Nobody is taken for a wearer of glasses: brows are measured as they are asked, and
frames bend here as they do not in a user's video. Knows clips, the tracker, the rig and the renderer; knows nothing of how it
is scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from talkinghead.pipeline import TalkingHead
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import FittedFace, fit_motion, project, relative_motion
from talkinghead.rig.placement import portrait_mesh
from talkinghead.rig.shell import with_rim
from talkinghead.rigged_portrait import fit_portrait, mesh_topology
from talkinghead.synthesis.matte import MATTE_FILE, PersonMatte
from talkinghead.synthesis.pipeline import PortraitCrop
from talkinghead.types import ByteArray, FaceMotion, FloatArray, IntArray, TrackedFace
from talkinghead.video.reader import read_frames


@dataclass(frozen=True, eq=False)
class DrivenClip:
    """frames: the real video. tracked: its face in each, None where none was seen. matte: (H, W) of the first frame.

    motion: what is asked of the first frame's face, a row a frame. rig: as it is rendered with. crop: the first frame's.
    """

    name: str
    frames: list[ByteArray]
    tracked: list[TrackedFace | None]
    motion: FaceMotion
    face: FittedFace
    rig: FaceRig
    crop: PortraitCrop
    matte: FloatArray

    @property
    def seen(self) -> IntArray:
        """Which frames show a face."""
        return np.flatnonzero([face is not None for face in self.tracked])

    @property
    def points(self) -> FloatArray:
        """(T, 478, 3) px of the real video, NaN where no face was seen."""
        return np.stack([np.full((478, 3), np.nan, np.float32) if f is None else f.points for f in self.tracked])

    def meshes(self, frames: Sequence[int] | IntArray) -> FloatArray:
        """(K, V, 3) px: where the face's mesh is asked to be in those frames; the first 478 are the tracker's points."""
        return project(self.rig(self.motion[np.asarray(frames, np.int64)], self.face).vertices, self.face)


def drive(head: TalkingHead, video: Path, max_frames: int) -> DrivenClip | None:
    """The first frames of a clip, None when its very first shows no face."""
    frames = list(islice(read_frames(video), max_frames))
    tracked = list(head.tracker.track(frames))
    first = tracked[0]
    if first is None:
        return None
    motion = fitted(head, tracked)
    face = fit_portrait(first, frames[0], head.rig)
    rig = with_rim(head.rig)
    matte = PersonMatte(head.folder / "matte" / MATTE_FILE)(frames[0], first.box)
    crop = PortraitCrop.of(frames[0], portrait_mesh(rig, face), mesh_topology(head.rig), matte=matte)
    return DrivenClip(video.name, frames, tracked, relative_motion(motion, face), face, rig, crop, matte)


def fitted(head: TalkingHead, tracked: list[TrackedFace | None]) -> FaceMotion:
    """Tracked faces, one at least -> their motion; where no face was seen it is filled from the frames around."""
    some = next(face for face in tracked if face is not None)
    faces = [face or some for face in tracked]
    seen = np.array([face is not None for face in tracked], np.float32)
    points, scores = np.stack([face.points for face in faces]), np.stack([face.scores for face in faces])
    return fit_motion(points, scores, head.rig, seen)[0]


def driven_clips(head: TalkingHead, videos: Sequence[Path], max_frames: int) -> Iterator[DrivenClip]:
    """Those of the clips whose first frame shows a face, one at a time."""
    for video in videos:
        clip = drive(head, video, max_frames)
        if clip is not None:
            yield clip
