"""Generated and real motion of the same sentence, as vertices -> the distances that papers on 3-D talking heads print.

Vertices are the rig's 468 of the skin, in mm, with the head's pose taken out, on one neutral face for both; the real ones are
what the tracker and `rig.fitting` made of the video. Published figures are of FLAME's 5,023, fitted to MEAD by other trackers
(3DMEAD), of other regions, and mostly in m and squared: none of these can be laid beside them. Every value is of one clip; a
table takes the mean over clips, a vote a clip, where the published code takes one over all frames. Knows vertices alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from talkinghead.facemesh import INNER_LIPS, LOWER_LID_LEFT, LOWER_LID_RIGHT, NUM_SKIN, OUTER_LIPS
from talkinghead.types import FloatArray, IntArray

LIPS: Final = (*OUTER_LIPS, *INNER_LIPS)
"""The 40 vertices of the lips' outer and inner edges."""
Array = npt.NDArray[np.float64]


def upper_face(neutral: FloatArray) -> IntArray:
    """neutral: (V, 3), y up -> the skin's vertices at or above the lower lids' lowest: lids, brows, forehead."""
    lowest = neutral[[*LOWER_LID_RIGHT, *LOWER_LID_LEFT], 1].min()
    return np.flatnonzero(neutral[:NUM_SKIN, 1] >= lowest)


def lip_vertex_error(generated: FloatArray, real: FloatArray) -> float:
    """LVE: mean over t of the largest |g_tv - r_tv| among the lips' vertices, mm; less is better.

    Source: Richard et al., "MeshTalk", ICCV 2021, section 4.2. ProbTalk3D's code (Wu et al., MIG 2024), like CodeTalker's,
    leaves out the root: see `squared_lip_vertex_error`.

    Args:
        generated, real: (T, V, 3) mm, V at least 468; the shorter one's frames count.
    """
    return float(_distances(generated, real, LIPS).max(1).mean())


def squared_lip_vertex_error(generated: FloatArray, real: FloatArray) -> float:
    """LVE without the root, mm^2: mean over t of the largest |g_tv - r_tv|^2, as the code of the published tables has it."""
    return float((_distances(generated, real, LIPS) ** 2).max(1).mean())


def mean_vertex_error(generated: FloatArray, real: FloatArray) -> float:
    """MVE: mean over t and all of the skin's vertices of |g_tv - r_tv|, mm. Source: ProbTalk3D (Wu et al., MIG 2024)."""
    return float(_distances(generated, real, range(NUM_SKIN)).mean())


def dynamics_deviation(generated: FloatArray, real: FloatArray, neutral: FloatArray, region: IntArray) -> float:
    """FDD: mean over v of the upper face of std_t |r_tv - n_v| - std_t |g_tv - n_v|, mm; nearer to 0 is better.

    Above 0 the generated upper face moves less than the real one, below 0 more; clips of both kinds cancel in a mean, as in
    the published tables. Source: Xing et al., "CodeTalker", CVPR 2023, section 4.2. The published code squares the distances
    before the deviation; this is the formula.

    Args:
        generated, real: (T, V, 3) mm.
        neutral: (V, 3) mm, the face at rest.
        region: of `upper_face`.
    """
    length = min(len(generated), len(real))
    spread = [
        np.linalg.norm(track[:length, region].astype(np.float64) - neutral[region], axis=-1).std(0)
        for track in (real, generated)
    ]
    return float((spread[0] - spread[1]).mean())


def mean_estimate_error(samples: Sequence[FloatArray], real: FloatArray) -> float:
    """MEE: LVE of the mean of several samples, (T, V, 3) each, mm. Source: Yang et al., "Probabilistic Speech-Driven 3D
    Facial Motion Synthesis", CVPR 2024; ProbTalk3D takes ten."""
    return lip_vertex_error(np.mean([sample.astype(np.float64) for sample in samples], axis=0).astype(np.float32), real)


def coverage_error(samples: Sequence[FloatArray], real: FloatArray) -> float:
    """CE: the least LVE of any of the samples, mm. Source: as `mean_estimate_error`."""
    return min(lip_vertex_error(sample, real) for sample in samples)


def diversity(samples: Sequence[FloatArray]) -> float:
    """Mean over all pairs of samples, t and the skin's vertices of |a_tv - b_tv|, mm; 0 for one sample.

    Source: ProbTalk3D (Wu et al., MIG 2024), which draws five pairs of ten samples; all pairs are what that estimates.
    Neither much nor little is good by itself: real people say a sentence twice alike, and not the same.
    """
    pairs = [(a, b) for index, a in enumerate(samples) for b in samples[:index]]
    return float(np.mean([mean_vertex_error(a, b) for a, b in pairs])) if pairs else 0.0


def _distances(generated: FloatArray, real: FloatArray, region: Sequence[int]) -> Array:
    """(T, K) mm."""
    length, chosen = min(len(generated), len(real)), list(region)
    apart = generated[:length, chosen].astype(np.float64) - real[:length, chosen]
    distances: Array = np.linalg.norm(apart, axis=-1)
    return distances
