"""A video -> what the tracker sees of its largest face -> the performance, for any other face."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead.errors import VideoError
from talkinghead.landmarks import FaceTracker
from talkinghead.motion.lips import LipTravel, shut_seen_lips
from talkinghead.rig.blinks import with_whole_blinks
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import fit_motion
from talkinghead.rig.usual import with_lips_from
from talkinghead.types import FaceMotion, FloatArray
from talkinghead.video.reader import read_frames

LEAST_SEEN: Final = 0.5


def tracked_video(
    tracker: FaceTracker, video: Path, max_frames: int | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The largest face of a video: points (T, 478, 3) px, scores (T, 52), and (T,) 1 where it is seen, 0 where filled.

    Raises:
        VideoError: it cannot be read, is a single picture, or no face is seen in most of it.
    """
    faces = list(tracker.track(islice(read_frames(video), max_frames)))
    seen = np.array([face is not None for face in faces])
    if len(faces) == 1:
        raise VideoError(f"{video}: holds a single picture; give a video, or the picture as --emotion-reference.")
    if seen.mean() < LEAST_SEEN:
        part = f"{seen.mean():.0%} of its frames"
        raise VideoError(f"{video}: a face is seen in {part}; use a video that shows one throughout.")
    last = next(face for face in faces if face is not None)
    points, scores = [], []
    for face in faces:
        last = face or last
        points.append(last.points)
        scores.append(last.scores)
    return np.stack(points), np.stack(scores), seen.astype(np.float32)


def performance(
    points: FloatArray, scores: FloatArray, rig: FaceRig, travel: LipTravel | None, presence: FloatArray | None = None
) -> FaceMotion:
    """A tracked clip, as `fit_motion` takes it -> its motion for any face: what shuts its lips and lids shuts the rig's.

    travel: what each column does to the lips of the rig; None leaves lips as far apart as they were seen, shut ones too.

    Raises:
        MotionError: as `fit_motion`.
    """
    motion, face = fit_motion(points, scores, rig, presence)
    blendshapes = with_lips_from(with_whole_blinks(motion, face, rig), face.shape)
    return replace(motion, blendshapes=blendshapes if travel is None else shut_seen_lips(blendshapes, travel))
