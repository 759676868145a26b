"""A video -> what the tracker sees of its largest face. Knows files and points; knows nothing of what they mean."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead.errors import VideoError
from talkinghead.landmarks import FaceTracker
from talkinghead.types import FloatArray
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
