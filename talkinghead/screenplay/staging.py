"""Who is seen where: the panels of a camera, and a person's picture placed in a panel before a background.

Knows rectangles and pixels; knows no time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from talkinghead.synthesis.geometry import far_blurred
from talkinghead.synthesis.portrait import load_image
from talkinghead.types import ByteArray, FloatArray, Portrait

INSET: Final = 0.3
"""A small picture's height, of the whole."""
MARGIN: Final = 0.03
HEADROOM: Final = 1.9
"""A shot is at least this many faces high, wherever the picture has room."""
FACE_PLACE: Final = 0.46
"""Where in the height of a shot the middle of the face is."""
SIDE: Final = 0.15
"""Of what lies beside a picture's border so much is seen again beyond it."""
BLUR: Final = 0.03
"""Of a panel's width."""


@dataclass(frozen=True)
class Panel:
    """Where somebody is seen, px: left, top, width and height."""

    name: str
    left: int
    top: int
    width: int
    height: int


def panels(camera: str, size: tuple[int, int], speaker: str, order: list[str]) -> list[Panel]:
    """A camera -> its panels, back to front; order: names from left to right."""
    width, height = size
    if camera == "side by side":
        edges = [2 * round(index * width / len(order) / 2) for index in range(len(order) + 1)]
        return [Panel(name, a, 0, b - a, height) for name, a, b in zip(order, edges[:-1], edges[1:], strict=True)]
    whole = Panel(speaker, 0, 0, width, height)
    if camera == "cut" or len(order) == 1:
        return [whole]
    small, gap = 2 * round(INSET * min(size) / 2), round(MARGIN * min(size))
    own = order.index(speaker)
    left = [name for name in order if order.index(name) < own]
    right = [name for name in order if order.index(name) > own]
    result = [whole]
    for index, name in enumerate(left):
        result.append(Panel(name, gap + index * (small + gap), gap, small, small))
    for index, name in enumerate(reversed(right)):
        result.append(Panel(name, width - (index + 1) * (small + gap), gap, small, small))
    return result


@dataclass(frozen=True, eq=False)
class Shot:
    """How a person's frames are put into a panel.

    portrait: at the size at which it is rendered. to_panel: (2, 3) its px -> the panel's px. behind: (h, w, 3) what is seen
    where the picture is not, None when it is everywhere. edge: (h, w, 1) in [0, 1], 0 beyond the picture's sides; None when it
    fills the panel. is_cut_out: whether the person alone is seen, before a background.
    """

    portrait: Portrait
    panel: Panel
    to_panel: FloatArray
    behind: ByteArray | None
    edge: FloatArray | None
    is_cut_out: bool

    def place(self, frame: ByteArray, matte: FloatArray | None = None) -> ByteArray:
        """A frame of the portrait -> (h, w, 3) of the panel; matte: (H, W) of the person in this frame, else the portrait's."""
        seen: ByteArray = _moved(frame, self)
        share = self.edge
        if self.is_cut_out:
            person = _moved(self.portrait.matte if matte is None else matte, self)[..., None]
            share = person if share is None else share * person
        if share is None or self.behind is None:
            return seen
        mixed = self.behind + share * (seen.astype(np.float32) - self.behind)
        return np.asarray(mixed + 0.5, np.uint8)


def crop_of(portrait: Portrait, width: int, height: int) -> tuple[float, float, float]:
    """-> left, top and height, px of the portrait, of what a panel of that shape shows.

    As much of the picture as the shape takes, but never less than head and shoulders: rather than cut a head, it shows what is
    beside the picture.
    """
    rows, columns = portrait.image.shape[:2]
    box = portrait.face.box
    face = float(box[3] - box[1])
    shape = width / height
    tall = min(float(rows), columns / shape)
    tall = max(tall, min(HEADROOM * face, float(rows)))
    wide = tall * shape
    middle_x, middle_y = float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
    top = float(np.clip(middle_y - FACE_PLACE * tall, 0, rows - tall))
    left = (columns - wide) / 2 if wide > columns else float(np.clip(middle_x - wide / 2, 0, columns - wide))
    return left, top, tall


def shot(portrait: Portrait, panel: Panel, background: str | Path | None) -> Shot:
    """A portrait, at the size at which it will be rendered, in a panel.

    background: a colour as "#203040", a picture, or None for the portrait's own, continued where it is not wide enough.
    """
    left, top, tall = crop_of(portrait, panel.width, panel.height)
    scale = panel.height / tall
    to_panel = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float32)
    rows, columns = portrait.image.shape[:2]
    is_narrow = columns * scale < panel.width - 1
    if background is not None:
        behind: ByteArray | None = backdrop(background, panel.width, panel.height)
    else:
        behind = continued(portrait.image, to_panel, panel) if is_narrow else None
    plain = Shot(portrait, panel, to_panel, behind, None, background is not None)
    if not is_narrow:
        return plain
    # The picture's sides fade into what is beside it.
    fade = max(2, round(0.03 * columns))
    ramp = np.clip(np.minimum(np.arange(columns) + 1, columns - np.arange(columns)) / fade, 0, 1).astype(np.float32)
    return replace(plain, edge=_moved(np.broadcast_to(ramp, (rows, columns)).copy(), plain)[..., None])


def _moved(picture: Any, into: Shot) -> Any:
    """A picture or mask of the portrait as the panel sees it; black beyond its edge."""
    scale = float(into.to_panel[0, 0])
    size = (into.panel.width, into.panel.height)
    if scale < 0.7:  # many pixels fall into one
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        shift = np.array([[1, 0, into.to_panel[0, 2]], [0, 1, into.to_panel[1, 2]]], np.float32)
        return cv2.warpAffine(small, shift, size, flags=cv2.INTER_LINEAR)
    return cv2.warpAffine(picture, into.to_panel, size, flags=cv2.INTER_LINEAR)


def continued(image: ByteArray, to_panel: FloatArray, panel: Panel) -> ByteArray:
    """(height, width, 3) what a panel shows beside a picture that is too narrow for it: its sides go on, out of focus."""
    scale, shift = float(to_panel[0, 0]), to_panel[:, 2]
    x, y = (
        (np.arange(n, dtype=np.float32) - float(s)) / scale for n, s in zip((panel.width, panel.height), shift, strict=True)
    )
    last = image.shape[1] - 1
    # Mirrored at its sides, and drawn out, so that nobody stands beside it a second time.
    x = np.where(x < 0, -SIDE * x, np.where(x > last, last - SIDE * (x - last), x)).astype(np.float32)
    map_x, map_y = (np.asarray(m, np.float32) for m in np.meshgrid(x, y))
    sides = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return far_blurred(sides.astype(np.float32), max(1.0, BLUR * panel.width)).astype(np.uint8)


def backdrop(background: str | Path, width: int, height: int) -> ByteArray:
    """(height, width, 3) what stands behind a person: a colour as "#203040", or a picture."""
    if isinstance(background, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", background):
        colour = [int(background[index : index + 2], 16) for index in (1, 3, 5)]
        return np.full((height, width, 3), colour, np.uint8)
    image = load_image(Path(background))[0]
    rows, columns = image.shape[:2]
    scale = max(width / columns, height / rows)
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    whole = cv2.resize(image, (max(width, round(columns * scale)), max(height, round(rows * scale))), interpolation=flags)
    top, left = (whole.shape[0] - height) // 2, (whole.shape[1] - width) // 2
    return np.asarray(np.ascontiguousarray(whole[top : top + height, left : left + width]), np.uint8)


def render_size(longest: int, portrait: Portrait, wanted: list[Panel]) -> int:
    """The longest side, px, at which a portrait of `longest` is rendered for its largest panel: never larger than it is."""
    scales = []
    for panel in wanted:
        _, _, tall = crop_of(portrait, panel.width, panel.height)
        scales.append(panel.height / tall)
    return max(256, min(longest, round(longest * max(scales))))
