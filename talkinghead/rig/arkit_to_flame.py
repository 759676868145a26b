"""Linear maps between ARKit's 52 and FLAME's expressions and jaw, fitted once to the user's model and kept beside it.

Both models move the tracker's points: ours by its blendshapes, FLAME's where the points lie on its surface. What moves them
alike is the same expression. Knows neither pictures nor how the points were found (`rig.surface_points`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from talkinghead import arkit
from talkinghead.errors import CheckpointError
from talkinghead.procrustes import similarity
from talkinghead.rig import topology
from talkinghead.rig.face_rig import BLINK, FaceRig
from talkinghead.rig.flame import Flame
from talkinghead.rig.pose import Array
from talkinghead.rig.solver import bounded_least_squares
from talkinghead.rig.surface_points import SurfacePoints
from talkinghead.types import FloatArray

FILE: Final = "arkit.safetensors"
REPORT: Final = "arkit.json"
NUM_JAW: Final = 3
NOISE_M: Final = 0.0005
NUM_INDEPENDENT: Final = 40.0
"""The errors of 468 points go together: they say as much as this many that do not."""
EXPRESSION_SPREAD: Final = 3.0
"""A blendshape at 1 is an extreme: FLAME's expressions are in deviations of what 33,000 scans do."""
JAW_SPREAD_RAD: Final = np.array([0.02, 0.02, 0.005])
"""About what our own jaw does: how much of an open mouth is jaw and how much is lips is not in 468 points alone."""
YAW_AT_JAW_LEFT_RAD: Final = 0.12
"""What `jawLeft` of 1, some 11 mm at the chin, is as a turn of FLAME's jaw, which is about 90 mm long."""
ARKIT_SPREAD: Final = 0.3
MAX_LID_SCALE: Final = 1.7
_STEP_RAD: Final = 1e-3
_LIPS_GAIN: Final = 4.0
_EYES_GAIN: Final = 16.0
"""Lids that travel 8 mm are to meet, lips that travel 30 mm are not seen to be a millimetre off."""
_SLIDING_GAIN: Final = 0.3
_REMEDY: Final = "convert FLAME's own file again with scripts/convert_flame.py"

_EYES: Final = (*topology.EYE_RING_RIGHT, *topology.EYE_RING_LEFT)
_LIPS: Final = (*topology.INNER_LIPS, *topology.OUTER_LIPS)
_BROWS: Final = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
REGIONS: Final[dict[str, tuple[int, ...]]] = {
    "brows": _BROWS,
    "eyes": _EYES,
    "lips": _LIPS,
    "chin": topology.CHIN,
    "cheeks and nose": tuple(
        sorted(set(range(topology.NUM_SKIN)) - {*_BROWS, *_EYES, *_LIPS, *topology.CHIN, *topology.FACE_OVAL})
    ),
}


@dataclass(frozen=True, eq=False)
class ArkitToFlame:
    """The fitted maps. E is the number of FLAME's expressions.

    forward: (52, E + 3) of each coefficient at 1: expressions, then the jaw's axis-angle, rad.
    gram, observe: (52, 52) and (E + 3, 52), with which the way back is a bounded least squares problem.
    centre: (3,) m where in FLAME's axes our origin is, between the ears, about which heads turn.
    """

    forward: Array
    gram: Array
    observe: Array
    centre: Array

    def to_flame(self, blendshapes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """blendshapes: (T, 52) with `eyeLook*` filled -> expressions (T, E) and the jaw (T, 3) axis-angle, rad."""
        both = (blendshapes.astype(np.float64) @ self.forward).astype(np.float32)
        return both[:, :-NUM_JAW], both[:, -NUM_JAW:]

    def to_arkit(self, expression: FloatArray, jaw_pose: FloatArray) -> FloatArray:
        """expression: (T, up to E), jaw_pose: (T, 3) rad -> (T, 52) in [0, 1]; `eyeLook*` are 0, for the gaze says them."""
        wide = np.zeros((len(expression), len(self.observe)))
        width = min(expression.shape[1], len(self.observe) - NUM_JAW)
        wide[:, :width] = expression[:, :width]
        wide[:, -NUM_JAW:] = jaw_pose
        high = np.ones(len(arkit.BLENDSHAPES))
        high[list(arkit.EYE_LOOK)] = 0
        found: FloatArray = bounded_least_squares(self.gram, wide @ self.observe, 0.0, high, 400).astype(np.float32)
        return found

    def save(self, folder: Path, report: dict[str, Any]) -> None:
        """Write the maps and what they leave beside the model."""
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}, folder / FILE)
        (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n")

    @staticmethod
    def load(folder: Path, flame: Flame) -> ArkitToFlame:
        """Read what `save` wrote beside this model.

        Raises:
            CheckpointError: it is not there, or is of another model.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        wide, count = flame.num_expressions + NUM_JAW, len(arkit.BLENDSHAPES)
        wanted = {"forward": (count, wide), "gram": (count, count), "observe": (wide, count), "centre": (3,)}
        try:
            arrays: dict[str, Array] = load_file(folder / FILE)
            for name, shape in wanted.items():
                if arrays[name].shape != shape:
                    raise ValueError(f"{name} has shape {arrays[name].shape}, {shape} is wanted")
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(f"{folder}: holds no map from ARKit to FLAME ({reason}); {_REMEDY}.") from error
        return ArkitToFlame(**{name: arrays[name] for name in _ARRAYS})


_ARRAYS: Final = tuple(field.name for field in fields(ArkitToFlame))


def fit(rig: FaceRig, flame: Flame, surface: SurfacePoints) -> tuple[ArkitToFlame, dict[str, Any]]:
    """Fit both ways -> the maps, and what they leave, by region.

    Args:
        rig: whose blendshapes are ARKit's.
        flame: the user's model.
        surface: where the tracker's points lie on it.
    """
    model = Flame(**{name: value.double() if name != "faces" else value for name, value in flame.cpu().named_buffers()})
    rest = surface.of(model.template.numpy())
    rotation, scale, shift = similarity(rig.neutral[surface.points], rest, _steadiness(surface))
    wanted = scale * rig.deltas[:, surface.points].astype(np.float64) @ rotation.T
    basis = np.concatenate([surface.of(model.expression_directions.numpy()), _jaw_directions(model, surface)])
    gain = _gain(surface)
    weighted = (basis * gain[:, None]).reshape(len(basis), -1)
    flat = wanted.reshape(len(wanted), -1)
    spread = np.concatenate([np.full(flame.num_expressions, EXPRESSION_SPREAD), JAW_SPREAD_RAD])
    expected = _expected(rig, flame.num_expressions)
    beyond = flat - expected @ basis.reshape(len(basis), -1)
    gram = weighted @ basis.reshape(len(basis), -1).T + np.diag(spread**-2)
    forward = expected + np.linalg.solve(gram, weighted @ beyond.T).T
    longer = _lid_scales(forward, model, surface, rest)[:, None]
    forward, flat = forward * longer, flat * longer
    wanted = flat.reshape(wanted.shape)
    own = (wanted * gain[:, None]).reshape(len(wanted), -1)
    back = own @ flat.T + np.eye(len(flat)) / ARKIT_SPREAD**2
    maps = ArkitToFlame(forward, back, weighted @ flat.T, shift)
    return maps, _report(maps, model, surface, rest, wanted, float(scale))


def _expected(rig: FaceRig, num_expressions: int) -> Array:
    """(52, E + 3): before anything is fitted the jaw turns as ours does, and the rest is 0."""
    expected = np.zeros((len(arkit.BLENDSHAPES), num_expressions + NUM_JAW))
    expected[arkit.INDEX["jawOpen"], -3] = rig.jaw[3]
    expected[arkit.INDEX["jawLeft"], -2] = YAW_AT_JAW_LEFT_RAD
    expected[arkit.INDEX["jawRight"], -2] = -YAW_AT_JAW_LEFT_RAD
    return expected


def moved_points(flame: Flame, surface: SurfacePoints, expression: npt.ArrayLike, jaw_pose: npt.ArrayLike) -> Array:
    """expression: (B, E), jaw_pose: (B, 3) -> (B, N, 3) m where the points are, by FLAME itself and not by its derivative."""
    kind = flame.template.dtype
    with torch.no_grad():
        vertices = flame(
            expression=torch.as_tensor(np.asarray(expression)).to(kind), jaw_pose=torch.as_tensor(np.asarray(jaw_pose)).to(kind)
        )
    return surface.of(vertices.numpy())


def _jaw_directions(flame: Flame, surface: SurfacePoints) -> Array:
    """(3, N, 3) m a rad: what small turns of the jaw about each axis do."""
    still = np.zeros((2 * NUM_JAW, 1))
    turns = _STEP_RAD * np.concatenate([np.eye(NUM_JAW), -np.eye(NUM_JAW)])
    moved = moved_points(flame, surface, still, turns)
    directions: Array = (moved[:NUM_JAW] - moved[NUM_JAW:]) / (2 * _STEP_RAD)
    return directions


def _lid_scales(forward: Array, flame: Flame, surface: SurfacePoints, rest: Array) -> Array:
    """(52,) 1, and by how much further each blink goes until these eyes are shut: lids are a head's own."""
    scales = np.ones(len(forward))
    if not set(_EYES) <= set(surface.points.tolist()):
        return scales
    rows = forward[[BLINK["right"], BLINK["left"]]]
    blinked = moved_points(flame, surface, rows[:, :-NUM_JAW], rows[:, -NUM_JAW:])
    whole = np.full((3, topology.NUM_SKIN, 3), np.nan)
    whole[:, surface.points] = np.concatenate([rest[None], blinked])
    gap = topology.lid_gap(whole)
    for index, side in enumerate(("right", "left")):
        travel = max(float(gap[0, index] - gap[1 + index, index]), 1e-6)
        scales[BLINK[side]] = np.clip(gap[0, index] / travel, 1, MAX_LID_SCALE)
    return scales


def _steadiness(surface: SurfacePoints) -> Array:
    """(N,) weights of the points by which the heads are laid over each other: those that hardly move, 1, others little."""
    weights: Array = np.where(np.isin(surface.points, topology.RIGID), 1.0, 0.05)
    return weights


def _gain(surface: SurfacePoints) -> Array:
    """(N,) 1 / m^2: lips and lids count most, the oval slides with the silhouette."""
    gain = np.ones(len(surface))
    gain[np.isin(surface.points, _LIPS)] = _LIPS_GAIN
    gain[np.isin(surface.points, _EYES)] = _EYES_GAIN
    gain[np.isin(surface.points, topology.FACE_OVAL)] = _SLIDING_GAIN
    gain *= NUM_INDEPENDENT / gain.sum() / NOISE_M**2
    return gain


def _report(
    maps: ArkitToFlame, flame: Flame, surface: SurfacePoints, rest: Array, wanted: Array, scale: float
) -> dict[str, Any]:
    """What is left of the points' motion, root mean square over all blendshapes: mm of our rig, and a part of that motion."""
    expression, jaw = maps.to_flame(np.eye(len(arkit.BLENDSHAPES), dtype=np.float32))
    shown = moved_points(flame, surface, expression, jaw) - rest
    spoken = np.array([index for index in range(len(arkit.BLENDSHAPES)) if index not in arkit.EYE_LOOK])
    back = maps.to_arkit(expression, jaw)
    again = np.tensordot(back, wanted, 1)

    def table(motion: Array, left: Array) -> dict[str, dict[str, float]]:
        rows = {}
        for name, points in {**REGIONS, "all": tuple(range(topology.NUM_SKIN))}.items():
            here = np.isin(surface.points, points)
            if here.any():
                size, error = (np.sqrt((v[spoken][:, here] ** 2).sum(-1).mean()) * 1000 / scale for v in (motion, left))
                rows[name] = {"motion_mm": round(size, 3), "left_mm": round(error, 3), "left_part": round(error / size, 3)}
        return rows

    alone = np.sqrt(((shown - wanted) ** 2).sum((1, 2)) / np.maximum((wanted**2).sum((1, 2)), 1e-18))
    worst = [index for index in np.argsort(-alone) if index in spoken and np.abs(wanted[index]).max() > 1e-4][:8]
    return {
        "points": len(surface),
        "scale": round(scale, 4),
        "to_flame": table(wanted, shown - wanted),
        "to_flame_and_back": table(wanted, again - wanted),
        "hardest": {arkit.BLENDSHAPES[index]: round(float(alone[index]), 3) for index in worst},
    }
