"""What was asked is what is seen: a clip's first frame driven by the clip's own motion, and the result tracked again.

Asked: the mesh and the angles that the renderer was given. Seen: the finished video file, tracked and fitted like any other.
Beside it the real video, written to a file and tracked again, against the same: what tracking and fitting alone lose.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead.evaluation.clips import HeldOut
from talkinghead.evaluation.driven import DrivenClip, driven_clips, fitted
from talkinghead.evaluation.table import Table
from talkinghead.motion.dataset import lip_opening
from talkinghead.pipeline import TalkingHead
from talkinghead.rig.pose import axis_angle_from_matrix, matrix_from_axis_angle
from talkinghead.types import ByteArray, FaceMotion, FloatArray
from talkinghead.video.reader import read_frames
from talkinghead.video.writer import VideoWriter

FRAMES: Final = 75
WANTED: Final = {"lip opening": 0.95, "lid opening": 0.90, "gaze yaw": 0.85, "gaze pitch": 0.85, "yaw": 0.97, "pitch": 0.97}
LEAST_DEVIATION: Final = {
    "lip opening": 0.01, "lid opening": 0.01, "gaze yaw": 0.02, "gaze pitch": 0.02, "yaw": 0.01, "pitch": 0.01,
}  # fmt: skip
"""A clip in which less is asked (openings over the distance of the outer eye corners, angles in rad) says nothing."""
LEAST_SEEN: Final = 20
"""Frames with a face that a clip must have to count."""
_LIDS: Final = ((159, 145), (386, 374))
_EYE_CORNERS: Final = (33, 263)
Curves = dict[str, FloatArray]


def seen_tables(held_out: HeldOut) -> list[Table]:
    """Asked against seen, a clip a person, its first frames."""
    asked: list[Curves] = []
    rows: dict[str, list[Curves]] = defaultdict(list)
    for clip in driven_clips(held_out.head, held_out.one_a_person, FRAMES):
        if len(clip.seen) < LEAST_SEEN:
            continue
        meshes = clip.meshes(range(len(clip.frames)))
        asked.append(curves(meshes, clip.motion))
        rows["rendered"].append(_tracked_again(held_out.head, held_out.head.renderer(clip.crop, meshes), clip))
        rows["real video, tracked again"].append(_tracked_again(held_out.head, clip.frames, clip))
    if len(asked) > 1:
        rows["chance: another clip asked"] = [*rows["rendered"][1:], *rows["rendered"][:1]]
    figures: dict[str, dict[str, float]] = {"wanted": dict(WANTED)}
    for row, seen in rows.items():
        figures[row] = {name: _mean([correlation(a[name], s[name]) for a, s in _moving(asked, seen, name)]) for name in WANTED}
    figures["clips that move enough"] = {name: float(len(_moving(asked, asked, name))) for name in WANTED}
    note = (
        f"Pearson r of what was asked and what the finished file shows when it is tracked, one clip a person, its first "
        f"{FRAMES} frames, driven from the first; {len(asked)} clips, of which those vote in which it moves enough (a standard "
        "deviation of .01 of the eye distance, .02 rad of gaze, .01 rad of the head)."
    )
    return [Table("What was asked is what is seen", note, figures)]


def curves(points: FloatArray, motion: FaceMotion) -> Curves:
    """points: (T, 478 or more, 3) px and the motion of the same frames -> each measure, (T,)."""
    eyes = np.linalg.norm(points[:, _EYE_CORNERS[0]] - points[:, _EYE_CORNERS[1]], axis=-1)
    lids = np.mean([np.linalg.norm(points[:, a] - points[:, b], axis=-1) for a, b in _LIDS], 0)
    turns = matrix_from_axis_angle(motion.head_rotation)
    turned = axis_angle_from_matrix(turns @ turns[0].T)
    return {
        "lip opening": lip_opening(points),
        "lid opening": (lids / eyes).astype(np.float32),
        "gaze yaw": motion.gaze[:, 0],
        "gaze pitch": motion.gaze[:, 1],
        "yaw": turned[:, 1].astype(np.float32),
        "pitch": turned[:, 0].astype(np.float32),
    }


def _tracked_again(head: TalkingHead, frames: Iterable[ByteArray], clip: DrivenClip) -> Curves:
    """Frames -> a video file -> what is seen in it; NaN where no face is, or where the real clip shows none."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seen.mp4"
        with VideoWriter(file) as video:
            for frame in frames:
                video.write(frame)
        tracked = list(head.tracker.track(read_frames(file)))
    if not any(tracked):
        return dict.fromkeys(WANTED, np.full(len(clip.frames), np.nan, np.float32))
    some = next(face for face in tracked if face is not None)
    found = curves(np.stack([(face or some).points for face in tracked]), fitted(head, tracked))
    unseen = [a is None or b is None for a, b in zip(tracked, clip.tracked, strict=True)]
    return {name: np.where(unseen, np.nan, curve).astype(np.float32) for name, curve in found.items()}


def correlation(asked: FloatArray, seen: FloatArray) -> float:
    """(T,) and (T',) -> Pearson r of their common frames; a measure that does not show is 0, no frame at all NaN."""
    length = min(len(asked), len(seen))
    a, b = asked[:length], seen[:length]
    keep = np.isfinite(a) & np.isfinite(b)
    if keep.sum() < LEAST_SEEN or a[keep].std() < 1e-9:
        return float("nan")
    return float(np.corrcoef(a[keep], b[keep])[0, 1]) if b[keep].std() > 1e-9 else 0.0


def _moving(asked: list[Curves], seen: list[Curves], name: str) -> list[tuple[Curves, Curves]]:
    return [(a, s) for a, s in zip(asked, seen, strict=True) if a[name].std() >= LEAST_DEVIATION[name]]


def _mean(values: list[float]) -> float:
    counted = [value for value in values if np.isfinite(value)]
    return float(np.mean(counted)) if counted else float("nan")
