"""Points in head space to identity weights and bounded blendshape coefficients, many frames at once.

Knows the rig and how precise the tracker is; knows neither camera nor pose.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.rig import topology
from talkinghead.rig.face_rig import BLINK, FaceRig
from talkinghead.rig.gaze import eye_look
from talkinghead.rig.pose import Array
from talkinghead.rig.solver import bounded_least_squares
from talkinghead.types import FloatArray

_NOISE_M: Final = np.array([0.0008, 0.0008, 0.0016])
_FINE_POINTS: Final = (
    *topology.INNER_LIPS, *topology.OUTER_LIPS, *topology.EYE_RING_RIGHT, *topology.EYE_RING_LEFT,
)  # fmt: skip
_FINE_GAIN: Final = 4.0
_SLIDING_GAIN: Final = 0.3
_NUM_INDEPENDENT: Final = 40.0
"""The errors of 478 points go together: they say as much as this many that do not."""
_PRIOR_SPREAD: Final = 0.3
_SPARSITY: Final = 0.05
_RARE_SPREAD: Final = 0.12
_RARE: Final = (
    "jawForward", "jawLeft", "jawRight", "mouthLeft", "mouthRight", "mouthShrug", "eyeWide", "cheekPuff", "noseSneer",
)  # fmt: skip
"""Expressions that a still picture seldom shows and that look like another person's chin, nose or eyes."""
_MAX_IDENTITY: Final = 3.0
_MAX_ODDNESS: Final = 25.0
_LID_SCALE: Final = (0.6, 1.7)
_MAX_BLINK_TRUSTED: Final = 0.5
"""Eyes more closed than this do not tell how far they open."""

_FREE: Final = np.array(
    [i for i, name in enumerate(arkit.BLENDSHAPES) if not name.startswith("eyeLook") and name != "tongueOut"]
)

# The tracker's scores at rest and at full expression, where they are known to tell something.
_SCORE_REST: Final = {
    "browInnerUp": 0.1, "eyeSquint": 0.35, "eyeBlink": 0.15, "browOuterUp": 0.1, "browDown": 0.1, "mouthPress": 0.1,
    "mouthShrug": 0.05, "mouthRoll": 0.1, "mouthPucker": 0.25,
}  # fmt: skip
_SCORE_FULL: Final = {"eyeBlink": 0.65, "eyeSquint": 1.0}


def score_prior(scores: FloatArray) -> Array:
    """scores: (..., 52) of the tracker -> (..., 52) what they make us expect of the coefficients."""
    expected = np.zeros(scores.shape)
    for index, name in enumerate(arkit.BLENDSHAPES):
        rest = next((value for key, value in _SCORE_REST.items() if name.startswith(key)), 0.02)
        full = next((value for key, value in _SCORE_FULL.items() if name.startswith(key)), 1.0)
        expected[..., index] = np.clip((scores[..., index] - rest) / (full - rest), 0, 1)
    return expected


class ExpressionSolver:
    """The rig's linear model of one person's points: `neutral + identity + expression`, with its uncertainty."""

    def __init__(self, rig: FaceRig) -> None:
        count = topology.NUM_SKIN
        self._neutral = rig.neutral[: topology.NUM_POINTS].astype(np.float64)
        self._identity = rig.identity[:, : topology.NUM_POINTS].astype(np.float64)
        self._deltas = rig.deltas[:, : topology.NUM_POINTS].astype(np.float64)
        gain = np.ones(count)
        gain[list(_FINE_POINTS)] = _FINE_GAIN
        gain[list(topology.FACE_OVAL)] = _SLIDING_GAIN
        gain *= _NUM_INDEPENDENT / gain.sum()
        self._gain = gain[:, None]
        self._precise = self._gain / _NOISE_M**2
        self._leftover = rig.skin_variance[:count, None].astype(np.float64)
        self._vague = self._gain / (_NOISE_M**2 + self._leftover)
        mobility = np.sqrt((self._deltas[_FREE][:, :count] ** 2).sum((0, 2)))
        self.pose_weights: Array = 1 / (mobility + np.median(mobility)) ** 2

    def offsets(self, coefficients: Array, lid_scale: Array) -> Array:
        """coefficients: (T, 52) -> (T, 478, 3) m that the expression adds."""
        scaled = coefficients * _column_scale(lid_scale)
        added: Array = np.tensordot(scaled, self._deltas, 1)
        return added

    def neutral_of_mean(self, head: Array, expected: Array, gaze: Array) -> tuple[Array, Array, Array]:
        """Mean points and the expression they are expected to show -> neutral (478, 3), coefficients (52,), lid scale (2,).

        Identity and expression are solved together, so what the identity modes cannot be must be expression.

        Args:
            head: (478, 3) m.
            expected: (52,) prior of the coefficients.
            gaze: (2,) rad; the lids follow it.
        """
        skin = slice(0, topology.NUM_SKIN)
        lid_scale = np.ones(2)
        num_modes = len(self._identity)
        oddness = 1.0
        for _ in range(3):
            moved = self._neutral + self.offsets(_look(gaze[None]), lid_scale)[0]
            deltas = self._deltas[_FREE] * _column_scale(lid_scale)[_FREE, None, None]
            basis = np.concatenate([self._identity, deltas])[:, skin]
            weighted = basis * self._gain / (_NOISE_M**2 + oddness * self._leftover)
            prior = np.r_[np.full(num_modes, 1 / oddness), 1 / _spread_in_stills() ** 2]
            gram = np.tensordot(weighted, basis, ((1, 2), (1, 2))) + np.diag(prior)
            right = np.tensordot(weighted, (head - moved)[skin], 2)
            right += prior * np.r_[np.zeros(num_modes), expected[_FREE] - _SPARSITY]
            reach = np.full(num_modes, _MAX_IDENTITY * np.sqrt(oddness))
            low, high = np.r_[-reach, np.zeros(len(_FREE))], np.r_[reach, np.ones(len(_FREE))]
            solution = bounded_least_squares(gram, right[None], low, high)[0]
            neutral = self._neutral + np.tensordot(solution[:num_modes], self._identity, 1)
            lid_scale = self.lid_scale(neutral)
            # A drawn face is many deviations away from people; then its oddity must not be taken for expression. The cube
            # leaves people alone and lets go of the modes quickly beyond them.
            left = (head - moved)[skin] - np.tensordot(solution, basis, 1)
            misfit = float((self._gain * left**2 / (_NOISE_M**2 + self._leftover)).sum() / (3 * self._gain.sum()))
            oddness = float(np.clip(max(misfit, (solution[:num_modes] ** 2).mean()) ** 3, 1, _MAX_ODDNESS))
        coefficients = np.zeros(len(arkit.BLENDSHAPES))
        coefficients[_FREE] = solution[num_modes:]
        return neutral, coefficients, lid_scale

    def coefficients(self, head: Array, neutral: Array, expected: Array, gaze: Array, lid_scale: Array) -> Array:
        """head: (T, 478, 3) m of a person whose neutral is known -> (T, 52), the `eyeLook*` columns from the gaze."""
        look = _look(gaze)
        skin = slice(0, topology.NUM_SKIN)
        left = (head - neutral - self.offsets(look, lid_scale))[:, skin]
        basis = (self._deltas[_FREE] * _column_scale(lid_scale)[_FREE, None, None])[:, skin]
        weighted = (basis * self._precise).reshape(len(_FREE), -1)
        prior = 1 / _PRIOR_SPREAD**2
        gram = weighted @ basis.reshape(len(_FREE), -1).T + prior * np.eye(len(_FREE))
        right = left.reshape(len(left), -1) @ weighted.T + prior * (expected[:, _FREE] - _SPARSITY)
        look[:, _FREE] = bounded_least_squares(gram, right)
        return look

    def neutral_of_frames(self, head: Array, coefficients: Array, lid_scale: Array) -> Array:
        """head: (T, 478, 3) m with known expressions -> the person's neutral (478, 3): modes first, then what they leave."""
        mean = (head - self.offsets(coefficients, lid_scale)).mean(0)
        skin = slice(0, topology.NUM_SKIN)
        basis = self._identity[:, skin]
        weighted = (basis * self._vague).reshape(len(basis), -1)
        gram = weighted @ basis.reshape(len(basis), -1).T + np.eye(len(basis))
        weights = np.linalg.solve(gram, weighted @ (mean - self._neutral)[skin].ravel())
        neutral: Array = self._neutral + np.tensordot(weights, self._identity, 1)
        trust = np.full((topology.NUM_POINTS, 1), 0.5)
        # Errors of neighbouring frames go together: ten frames count as one look.
        trust[skin] = self._leftover / (self._leftover + (_NOISE_M**2).mean() / max(1.0, len(head) / 10))
        kept: Array = neutral + trust * (mean - neutral)
        return kept

    def lid_scale(self, neutral: Array) -> Array:
        """neutral: (478, 3) m -> (2,) how much further this person's right and left lids travel than the rig's to close."""
        own, rig = (topology.lid_gap(points.astype(np.float32)) for points in (neutral, self._neutral))
        scale: Array = np.clip(own / rig, *_LID_SCALE).astype(np.float64)
        return scale

    def closing_lid_scale(self, neutral: Array, coefficients: Array, lid_scale: Array) -> Array:
        """The (2,) lid scale with which a full blink closes this neutral's lids.

        Args:
            neutral: (478, 3) m as computed with the lid scale so far; a new scale changes it by the blink seen.
            coefficients: (52,) seen on average.
            lid_scale: (2,) so far.
        """
        blink = np.array([coefficients[BLINK["right"]], coefficients[BLINK["left"]]])
        opened, rig_opened = (topology.lid_gap(points.astype(np.float32)) for points in (neutral, self._neutral))
        seen = opened - blink * lid_scale * rig_opened
        scale: Array = np.clip(seen / (1 - np.minimum(blink, _MAX_BLINK_TRUSTED)) / rig_opened, *_LID_SCALE)
        return np.where(blink > _MAX_BLINK_TRUSTED, lid_scale, scale)


def _column_scale(lid_scale: Array) -> Array:
    scale = np.ones(len(arkit.BLENDSHAPES))
    scale[BLINK["right"]], scale[BLINK["left"]] = lid_scale
    return scale


def _spread_in_stills() -> Array:
    names = [arkit.BLENDSHAPES[column] for column in _FREE]
    return np.array([_RARE_SPREAD if name.startswith(_RARE) else _PRIOR_SPREAD for name in names])


def _look(gaze: Array) -> Array:
    coefficients = np.zeros((len(gaze), len(arkit.BLENDSHAPES)))
    coefficients[:, list(arkit.EYE_LOOK)] = eye_look(gaze.astype(np.float32))
    return coefficients
