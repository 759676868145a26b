"""Tracked faces of two videos of the same sentence -> how far apart their points are, in pixels of the scored picture.

The 68 points of iBUG stand among the tracker's 478 (`landmarks.IBUG_TO_MESH`); published figures are of dlib's 68, in whole
pixels, so they differ from these. Every value is of one clip, the mean over its points and over the frames in which both videos
show a face; a table takes the mean over clips, a vote a clip. Knows points alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from talkinghead.facemesh import EYE_CORNERS_LEFT, EYE_CORNERS_RIGHT
from talkinghead.landmarks import IBUG_TO_MESH
from talkinghead.types import FloatArray

MOUTH: Final = slice(48, 68)
"""Of the 68: outer and inner lips, 20 points."""
_LEFT, _RIGHT = EYE_CORNERS_LEFT[1], EYE_CORNERS_RIGHT[1]
Array = npt.NDArray[np.float64]


def ibug68(points: FloatArray) -> FloatArray:
    """points: (T, 478, 2 or 3) px as tracked -> (T, 68, 2) px, without depth."""
    chosen: FloatArray = points[:, list(IBUG_TO_MESH), :2]
    return chosen


def mouth_distance(generated: FloatArray, real: FloatArray) -> float:
    """M-LMD: the mouth's 20 points, each video's own mean removed in each frame, not scaled.

    mean over t and k of |(g_tk - mean_k g_t) - (r_tk - mean_k r_t)|, px; less is better. Source: Chen et al., "Lip Movements
    Generation at a Glance", ECCV 2018, section 4.2 (LMD); as EAT (Gan et al., ICCV 2023) counts it on MEAD.

    Args:
        generated, real: (T, 68, 2) px of the same frames, NaN where no face was seen.
    """
    return _mean_distance(_centred(generated[:, MOUTH]), _centred(real[:, MOUTH]))


def face_distance(generated: FloatArray, real: FloatArray) -> float:
    """F-LMD: as `mouth_distance`, of all 68 points with the mean of the 68 removed. Velocities have no part in it."""
    return _mean_distance(_centred(generated), _centred(real))


def placed_distance(generated: FloatArray, real: FloatArray) -> float:
    """LMD in place: the 68 points where they stand in the picture, nothing removed, px: the head's own way counts too."""
    return _mean_distance(generated.astype(np.float64), real.astype(np.float64))


def mouth_velocity_distance(generated: FloatArray, real: FloatArray) -> float:
    """M-LVD: mean over t and the mouth's points of |(g_t - g_t-1) - (r_t - r_t-1)|, px a frame, nothing removed.

    Source: as `mouth_distance`. The reference code leaves out frames without a face and takes the step over the gap; here a
    step counts only between two neighbouring frames that both show one.
    """
    return _mean_distance(_steps(generated[:, MOUTH]), _steps(real[:, MOUTH]))


def face_velocity_distance(generated: FloatArray, real: FloatArray) -> float:
    """F-LVD: as `mouth_velocity_distance`, of all 68 points.

    The reference code (yuangan/evaluation_eat, test_lmd.py) adds the mouth's sum here and divides it by 68: published F-LVD
    that come from it are M-LVD times 20 / 68.
    """
    return _mean_distance(_steps(generated), _steps(real))


def jitter(points: FloatArray) -> float:
    """points: (T, 68, 2) px -> mean over t and k of |p_t-1 - 2 p_t + p_t+1| in thousandths of the clip's eye distance.

    Unit: 0.001 of the mean distance of the outer eye corners (iBUG 36 and 45), a frame squared. The real video's own value is
    what to come near to: speech itself accelerates, and a tracker trembles. The second difference is what Yi et al., "PIP",
    CVPR 2022, differentiate once more for their jitter of bodies.
    """
    track = points.astype(np.float64)
    bend = np.linalg.norm(track[:-2] - 2 * track[1:-1] + track[2:], axis=-1)
    eyes = np.nanmean(np.linalg.norm(track[:, 36] - track[:, 45], axis=-1)) if np.isfinite(track).any() else np.nan
    return 1000 * _finite_mean(bend) / float(eyes)


def eye_distance_px(points: FloatArray) -> float:
    """points: (T, 478, 2 or 3) px -> mean distance of the outer eye corners, px: what scales every distance in this file."""
    return _finite_mean(np.linalg.norm((points[:, _LEFT] - points[:, _RIGHT])[:, :2].astype(np.float64), axis=-1))


def _centred(points: FloatArray) -> Array:
    track = points.astype(np.float64)
    centred: Array = track - track.mean(1, keepdims=True)
    return centred


def _steps(points: FloatArray) -> Array:
    return np.diff(points.astype(np.float64), axis=0)


def _mean_distance(a: Array, b: Array) -> float:
    length = min(len(a), len(b))
    return _finite_mean(np.linalg.norm(a[:length] - b[:length], axis=-1))


def _finite_mean(values: npt.NDArray[np.floating]) -> float:
    """The mean of what is finite, NaN where nothing is."""
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if kept.size else float("nan")
