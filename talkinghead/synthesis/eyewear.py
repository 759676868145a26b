"""Whether somebody wears glasses: a linear read-out of the directions of edges round the eyes.

Frames cannot be cut out of a picture without taking hair, lashes and brows along, but where there are any, the skin that they
stand before can be kept stiff (`synthesis.glasses`). Source of the features: Dalal, Triggs, "Histograms of oriented gradients
for human detection", CVPR 2005.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from talkinghead.errors import CheckpointError
from talkinghead.synthesis.geometry import area_crop
from talkinghead.synthesis.regions import LEFT_EYE, RIGHT_EYE
from talkinghead.types import ByteArray, FloatArray

WEIGHTS_FILE: Final = "eyewear.safetensors"
WIDTH: Final = 96
HEIGHT: Final = 48
"""Px of the crop that is looked at: upright, one and a half times as wide as the outer corners of the eyes are apart."""
_ACROSS: Final = 1.5
_DOWN: Final = 0.05
"""Of that distance, how far the crop's middle is below the eyes."""
_CELL: Final = 12
_DIRECTIONS: Final = 9
NUM_FEATURES: Final = (WIDTH // _CELL - 1) * (HEIGHT // _CELL - 1) * 4 * _DIRECTIONS
_MOST: Final = 0.2
"""Of a block's length, one direction's share at most: one hard edge does not drown the others."""
_LEAST_EYE: Final = 0.62
"""Of the wider eye, the narrower one at least: of a face that is turned further the crop shows what is beside it."""


@dataclass(frozen=True, eq=False)
class EyewearDetector:
    """weight: (NUM_FEATURES,). bias: above 0 the weighted sum of features says that glasses are worn."""

    weight: FloatArray
    bias: float

    @staticmethod
    def load(folder: Path) -> EyewearDetector | None:
        """folder: a checkpoint's `eyewear`; None where it has none, which says no of everybody.

        Raises:
            CheckpointError: its file is damaged or of another shape.
        """
        file = folder / WEIGHTS_FILE
        if not file.is_file():
            return None
        try:
            arrays = load_file(file)
            weight, bias = arrays["weight"].astype(np.float32), float(arrays["bias"][0])
        except (OSError, SafetensorError, KeyError, IndexError) as error:
            raise CheckpointError(f"{file}: cannot be read ({error}); reinstall talkinghead.") from error
        if weight.shape != (NUM_FEATURES,):
            raise CheckpointError(f"{file}: holds {weight.shape} weights and not ({NUM_FEATURES},); reinstall talkinghead.")
        if not np.isfinite([*weight, bias]).all():
            raise CheckpointError(f"{file}: holds what is no number; reinstall talkinghead.")
        return EyewearDetector(weight, bias)

    def __call__(self, image: ByteArray, points: FloatArray) -> bool:
        """image: (H, W, 3) uint8 RGB; points: (478, 2 or 3) px -> whether glasses are worn, False of a face turned far."""
        return not turned_away(points) and self.score(edges(eye_crop(image, points))) > 0

    def score(self, features: FloatArray) -> float:
        """(NUM_FEATURES,) -> log odds, less what a safe yes takes."""
        return float(features @ self.weight) + self.bias


def turned_away(points: FloatArray) -> bool:
    """(478, 2 or 3) px -> whether one eye is so much narrower that the face is seen from the side."""
    right, left = (float(np.linalg.norm(points[loop[0], :2] - points[loop[8], :2])) for loop in (RIGHT_EYE, LEFT_EYE))
    return min(right, left) < _LEAST_EYE * max(right, left)


def eye_crop(image: ByteArray, points: FloatArray) -> ByteArray:
    """image: (H, W, 3) uint8; points: (478, 2 or 3) px -> (HEIGHT, WIDTH, 3) round both eyes, level."""
    right, left = (points[loop[0], :2].astype(np.float64) for loop in (RIGHT_EYE, LEFT_EYE))
    along = (left - right) * (_ACROSS / WIDTH)
    down = np.array([-along[1], along[0]])
    middle = (right + left) / 2 + _DOWN / _ACROSS * WIDTH * down
    from_crop = np.c_[along, down, middle - along * WIDTH / 2 - down * HEIGHT / 2].astype(np.float32)
    to_crop = np.asarray(cv2.invertAffineTransform(from_crop), np.float32)
    return np.clip(np.rint(area_crop(image, to_crop, WIDTH, HEIGHT)), 0, 255).astype(np.uint8)


def edges(crop: ByteArray) -> FloatArray:
    """(HEIGHT, WIDTH, 3) uint8 -> (NUM_FEATURES,) histograms of the directions of edges, in blocks of two by two cells."""
    light = np.sqrt(crop.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))
    across, down = np.zeros_like(light), np.zeros_like(light)
    across[:, 1:-1], down[1:-1] = light[:, 2:] - light[:, :-2], light[2:] - light[:-2]
    strength = np.hypot(across, down)
    direction = np.mod(np.arctan2(down, across), np.pi) / np.pi * _DIRECTIONS
    lower = np.floor(direction).astype(int)
    share = direction - lower
    rows, columns = HEIGHT // _CELL, WIDTH // _CELL
    cells = np.zeros((rows, columns, _DIRECTIONS), np.float32)
    for k in range(_DIRECTIONS):
        part = strength * ((lower % _DIRECTIONS == k) * (1 - share) + ((lower + 1) % _DIRECTIONS == k) * share)
        cells[..., k] = part.reshape(rows, _CELL, columns, _CELL).sum((1, 3))
    blocks = np.concatenate([cells[y : rows - 1 + y, x : columns - 1 + x] for y in (0, 1) for x in (0, 1)], -1)
    blocks = np.minimum(_MOST, blocks / np.sqrt((blocks**2).sum(-1, keepdims=True) + 4))
    return np.asarray((blocks / np.sqrt((blocks**2).sum(-1, keepdims=True) + 0.01)).ravel(), np.float32)
