"""A passage in which somebody holds nearly still: how much the rendered picture changes from frame to frame, and the real one.

The stretch of a clip in which its tracked points move least, rendered from the clip's first frame with the motion of those very
frames. What a camera's noise and a file's compression add is in the real video alone; the ratio says whether a viewer who knows
such video sees more flicker than there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from talkinghead.evaluation.clips import HeldOut
from talkinghead.evaluation.driven import DrivenClip, driven_clips
from talkinghead.evaluation.table import Table
from talkinghead.pipeline import TalkingHead
from talkinghead.synthesis.geometry import polygon_mask
from talkinghead.synthesis.proxies import warp_picture
from talkinghead.synthesis.regions import FACE_OVAL
from talkinghead.types import ByteArray, FloatArray

SEARCHED: Final = 100
QUIET_FRAMES: Final = 12
HELD_FRAMES: Final = 4
WANTED: Final = 1.2
REGIONS: Final = ("face", "hair", "background")
REACH: Final = 0.2
"""Nearer to the person than this, of the face's width, is neither person nor background: loose hair and soft edges."""
_CHIN: Final = 152
_OUTSIDE: Final = "largest change outside the moving parts"
Mask = npt.NDArray[np.bool_]


def flicker_tables(held_out: HeldOut) -> list[Table]:
    """Mean change from frame to frame of rendered and real video, and whether what must not move does."""
    of_row: dict[str, list[dict[str, float]]] = defaultdict(list)
    quiet_px = []
    for clip in driven_clips(held_out.head, held_out.one_a_person, SEARCHED):
        start = quietest(clip.points, QUIET_FRAMES)
        if start is None:
            continue
        masks = region_masks(clip, start)
        outside = beyond_reach(clip, start)
        for row, frames in _passages(held_out.head, clip, start).items():
            scores = {name: frame_change(frames, mask) for name, mask in masks.items() if mask.sum() >= 100}
            if not row.startswith("real") and outside.any():
                scores[_OUTSIDE] = float(max(_difference(frame, clip.frames[0])[outside].max() for frame in frames))
            of_row[row].append(scores)
        quiet_px.append(_speed(clip.points)[start : start + QUIET_FRAMES - 1].mean())
    rows = {row: {name: _over(clips, name, _mean) for name in REGIONS} for row, clips in of_row.items()}
    for row, clips in of_row.items():
        if not row.startswith("real"):
            rows[row][_OUTSIDE] = _over(clips, _OUTSIDE, max)
    for row in ("rendered", "warp alone"):
        pairs = list(zip(of_row[row], of_row["real video"], strict=True))
        rows[f"{row}, against real video"] = {name: _ratio(pairs, name) for name in REGIONS}
    rows["wanted, at most"] = {**dict.fromkeys(REGIONS, WANTED), _OUTSIDE: 0.0}
    note = (
        f"Mean absolute change from frame to frame, of 255, in the {QUIET_FRAMES} stillest of a clip's first {SEARCHED} frames "
        f"(tracked points move by {np.mean(quiet_px):.2f} px a frame), rendered from the clip's first frame with their motion; "
        f"{len(quiet_px)} clips, a person each. Against real video: the mean over clips of rendered over real. Held still: the "
        "motion of one frame, again and again. Outside the moving parts: further from the person than a fifth of the face's "
        "width and than the face moves; the largest difference from the portrait in any clip."
    )
    return [Table("Flicker in a still passage", note, rows)]


def _passages(head: TalkingHead, clip: DrivenClip, start: int) -> dict[str, list[ByteArray]]:
    meshes = clip.meshes(range(start, start + QUIET_FRAMES))
    corner = np.array([clip.crop.left, clip.crop.top, 0], np.float32)

    def warped(mesh: FloatArray) -> ByteArray:
        picture, part = clip.frames[0].copy(), warp_picture(clip.crop.reference, mesh - corner)
        height, width = part.shape[:2]
        area = picture[clip.crop.top : clip.crop.top + height, clip.crop.left : clip.crop.left + width]
        area[:] = np.clip(part + 0.5, 0, 255).astype(np.uint8)
        return picture

    return {
        "rendered": list(head.renderer(clip.crop, meshes)),
        "warp alone": [warped(mesh) for mesh in meshes],
        "real video": clip.frames[start : start + QUIET_FRAMES],
        "rendered, held still": list(head.renderer(clip.crop, [meshes[0]] * HELD_FRAMES, chunk=HELD_FRAMES - 1)),
    }


def quietest(points: FloatArray, num_frames: int) -> int | None:
    """points: (T, 478, 3) px, NaN where no face was seen -> where the stretch begins in which they move least, if there is."""
    speed = _speed(points)
    if len(speed) < num_frames - 1:
        return None
    total = np.convolve(np.where(np.isfinite(speed), speed, np.inf), np.ones(num_frames - 1), "valid")
    return int(total.argmin()) if np.isfinite(total).any() else None


def _speed(points: FloatArray) -> npt.NDArray[np.float64]:
    """(T - 1,) px a frame, the mean over the points."""
    speed: npt.NDArray[np.float64] = np.linalg.norm(np.diff(points[..., :2].astype(np.float64), axis=0), axis=-1).mean(1)
    return speed


def region_masks(clip: DrivenClip, start: int) -> dict[str, Mask]:
    """Face, hair and background that stay what they are through the passage, in its frames and in the portrait's."""
    height, width = clip.frames[0].shape[:2]
    chosen = clip.points[[0, start, start + QUIET_FRAMES - 1]]
    faces = np.stack([polygon_mask([points[FACE_OVAL, :2]], height, width) for points in chosen])
    face_px = float(np.ptp(chosen[0, FACE_OVAL, 0]))
    near = _dilated(np.maximum(clip.matte, faces.max(0)) > 0.5, REACH * face_px)
    above_chin = np.arange(height)[:, None] < chosen[:, _CHIN, 1].min()
    around_face = _dilated(faces.max(0) > 0, 0.03 * face_px)
    hair = (clip.matte > 0.9) & above_chin & ~around_face
    return {"face": faces.min(0) == 1, "hair": hair, "background": ~near}


def beyond_reach(clip: DrivenClip, start: int) -> Mask:
    """(H, W) what no part of the head can come to in the passage."""
    width = float(np.ptp(clip.points[0, FACE_OVAL, 0]))
    travel = np.linalg.norm(clip.points[start : start + QUIET_FRAMES, :, :2] - clip.points[0, :, :2], axis=-1).max()
    return ~_dilated(clip.matte > 0.1, REACH * width + float(travel))


def _dilated(mask: Mask, reach_px: float) -> Mask:
    """Everything within so many px of the mask."""
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(away <= reach_px) if mask.any() else mask


def frame_change(frames: list[ByteArray], mask: Mask) -> float:
    """Mean absolute difference of neighbouring frames inside a mask, of 255."""
    return float(np.mean([_difference(a, b)[mask].mean() for a, b in zip(frames[1:], frames[:-1], strict=True)]))


def _difference(a: ByteArray, b: ByteArray) -> FloatArray:
    """(H, W) the mean over the colours."""
    difference: FloatArray = np.abs(a.astype(np.float32) - b.astype(np.float32)).mean(-1)
    return difference


def _over(clips: list[dict[str, float]], name: str, count: Callable[[list[float]], float]) -> float:
    values = [clip[name] for clip in clips if name in clip]
    return count(values) if values else float("nan")


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _ratio(pairs: list[tuple[dict[str, float], dict[str, float]]], name: str) -> float:
    values = [ours[name] / real[name] for ours, real in pairs if name in ours and real.get(name, 0) > 0]
    return float(np.mean(values)) if values else float("nan")
