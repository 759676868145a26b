"""Affine maps, masks and crops of pictures. Knows pixels; knows nothing of meshes or networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np

from talkinghead.synthesis.regions import JAW
from talkinghead.types import ByteArray, FloatArray, IntArray

ALIGNED_HEIGHT: Final = 192
ALIGNED_WIDTH: Final = 160


def polygon_mask(loops: list[FloatArray], height: int, width: int) -> FloatArray:
    """Closed loops of px -> (height, width) float32 coverage in [0, 1], anti-aliased by fourfold oversampling."""
    mask = np.zeros((height * 4, width * 4), np.uint8)
    for loop in loops:
        cv2.fillPoly(mask, [np.round((loop * 4) * 16 - 8).astype(np.int32)], 255, shift=4)
    small: FloatArray = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    return small / np.float32(255)


def stacked(pictures: Sequence[FloatArray], maps: Sequence[FloatArray]) -> FloatArray:
    """A network's guides of one frame, (C, h, w) float32, their channels last in memory.

    pictures: (h, w, 3) in [0, 1], which become [-1, 1]; maps: (h, w) or (h, w, K), as they are.
    """
    height, width = pictures[0].shape[:2]
    channels = sum(1 if m.ndim == 2 else m.shape[2] for m in maps) + 3 * len(pictures)
    result = np.empty((height, width, channels), np.float32)
    for index, picture in enumerate(pictures):
        result[..., 3 * index : 3 * index + 3] = picture
    coloured = result[..., : 3 * len(pictures)]
    coloured *= 2
    coloured -= 1
    last = 3 * len(pictures)
    for values in maps:
        wide = values if values.ndim == 3 else values[..., None]
        result[..., last : last + wide.shape[2]] = wide
        last += wide.shape[2]
    return result.transpose(2, 0, 1)


def similarity(source: FloatArray, target: FloatArray) -> FloatArray:
    """(K, 2) -> (K, 2): the (2, 3) turn, scale and shift that fits best (Umeyama, PAMI 1991)."""
    ms, mt = source.mean(0), target.mean(0)
    a, b = (source - ms) @ np.array([1, 1j]), (target - mt) @ np.array([1, 1j])
    ratio = (a.conj() @ b) / max(float(np.abs(a) @ np.abs(a)), 1e-9)
    turn = np.array([[ratio.real, -ratio.imag], [ratio.imag, ratio.real]])
    matrix: FloatArray = np.c_[turn, mt - turn @ ms].astype(np.float32)
    return matrix


def rigid_map(source_px: FloatArray, target_px: FloatArray, points: IntArray) -> FloatArray:
    """(2, 3) how a rigid part of the head went from the portrait to this frame."""
    if points is JAW:
        return similarity(source_px[points, :2], target_px[points, :2])
    # The skull shows from changing sides, which a similarity cannot follow: an affine map can.
    design = np.c_[source_px[points, :2], np.ones(len(points))]
    affine: FloatArray = np.linalg.lstsq(design, target_px[points, :2], rcond=None)[0].T.astype(np.float32)
    return affine


def composed(outer: FloatArray, inner: FloatArray) -> FloatArray:
    matrix: FloatArray = np.c_[outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]].astype(np.float32)
    return matrix


def aligned_crop(picture: FloatArray | ByteArray, matrix: FloatArray) -> FloatArray:
    """The aligned crop of a picture."""
    return area_crop(picture, matrix, ALIGNED_WIDTH, ALIGNED_HEIGHT)


def area_crop(picture: FloatArray | ByteArray, matrix: FloatArray, width: int, height: int) -> FloatArray:
    """(height, width, 3) of a picture by (2, 3) `matrix`; what gets smaller is shrunk by area first: it does not alias."""
    step = int(1 / max(1e-6, np.sqrt(abs(np.linalg.det(matrix[:, :2])))))
    if step > 1:
        back = cv2.invertAffineTransform(matrix)
        corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ back[:, :2].T
        box = box_around((corners + back[:, 2]).astype(np.float32), step, picture)
        if box is not None and min(box[2] - box[0], box[3] - box[1]) >= step:
            x0, y0, x1, y1 = box
            x1, y1 = x0 + (x1 - x0) // step * step, y0 + (y1 - y0) // step * step
            small = cv2.resize(picture[y0:y1, x0:x1], ((x1 - x0) // step, (y1 - y0) // step), interpolation=cv2.INTER_AREA)
            picture = np.asarray(small, np.float32)
            offset = np.array([x0, y0]) + (step - 1) / 2
            matrix = np.c_[matrix[:, :2] * step, matrix[:, :2] @ offset + matrix[:, 2]].astype(np.float32)
    view = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(view, np.float32)


def carried(picture: ByteArray | FloatArray, place: FloatArray) -> Any:
    """picture: (H, W) or (H, W, C); place: (h, w, 2) px of it -> (h, w) or (h, w, C), what is there."""
    # OpenCV's types do not know that x and y may come together.
    return cv2.remap(picture, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]


def uncropped(values: FloatArray, to_crop: FloatArray, box: tuple[int, int, int, int]) -> FloatArray:
    """(h, w, C) of a crop -> what of it lies in a box (left, top, right, bottom px) of the picture; 0 beyond the crop."""
    x0, y0, x1, y1 = box
    to_box = cv2.invertAffineTransform(to_crop)
    to_box[:, 2] -= (x0, y0)
    flags = cv2.INTER_CUBIC if abs(np.linalg.det(to_box[:, :2])) > 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(values, to_box, (x1 - x0, y1 - y0), flags=flags), np.float32)


def crop_box(to_crop: FloatArray, crop: FloatArray, picture: FloatArray | ByteArray) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom px of the picture round an (h, w, C) crop of it, None when the crop is outside it."""
    height, width = crop.shape[:2]
    back = cv2.invertAffineTransform(to_crop)
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ back[:, :2].T + back[:, 2]
    return box_around(corners.astype(np.float32), 0, picture)


def box_around(points: FloatArray, margin: int, picture: FloatArray | ByteArray) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom px round some points inside the picture, None when they are outside it."""
    height, width = picture.shape[:2]
    x0, y0 = np.floor(points.min(0)).astype(int) - margin
    x1, y1 = np.ceil(points.max(0)).astype(int) + margin + 1
    x0, y0, x1, y1 = max(0, int(x0)), max(0, int(y0)), min(width, int(x1)), min(height, int(y1))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def far_blurred(picture: FloatArray, sigma: float) -> FloatArray:
    """(h, w) or (h, w, 3) under a wide Gaussian of `sigma` px, at a quarter of its size: a tenth of the time."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), max(0.5, sigma / 4))
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
