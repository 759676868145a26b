"""A knitted sweater for a drawn person: rings lofted from the collar over the shoulders and the chest.

Lengths are centimetres in the kit's axes. It stands on the neutral kit's neck and moves down or up with the chin.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

NUM_AROUND = 240
NUM_ALONG = 160
# From the inside of the collar outward: side (x, y), front (z, y), back (z, y), for a chin at y = -7.57.
_CREW = (
    ((5.0, -10.6), (5.15, -9.4), (5.55, -9.0), (5.95, -9.3), (6.15, -9.9), (8.0, -10.6), (10.0, -11.7), (13.0, -13.1),
     (16.0, -15.0), (18.4, -18.5), (19.5, -30.0)),
    ((3.6, -13.0), (4.2, -12.3), (4.8, -12.1), (5.2, -12.5), (5.2, -13.3), (5.5, -14.5), (6.0, -16.0), (6.9, -18.0),
     (7.8, -20.0), (9.0, -24.0), (10.0, -32.0)),
    ((-5.4, -8.6), (-5.7, -7.7), (-6.2, -7.3), (-6.7, -7.7), (-6.9, -8.4), (-7.4, -9.8), (-8.2, -12.0), (-8.8, -14.0),
     (-9.4, -17.0), (-10.0, -21.0), (-10.5, -32.0)),
)  # fmt: skip
_TURTLENECK = (
    ((5.2, -9.0), (5.45, -6.8), (5.85, -6.5), (6.2, -6.9), (6.2, -8.6), (6.5, -9.6), (9.0, -11.1), (13.0, -13.1),
     (16.0, -15.0), (18.4, -18.5), (19.5, -30.0)),
    ((4.2, -10.0), (4.9, -9.4), (5.4, -9.2), (5.75, -9.6), (5.5, -11.2), (5.3, -12.8), (5.8, -15.0), (6.9, -18.0),
     (7.8, -20.0), (9.0, -24.0), (10.0, -32.0)),
    ((-5.6, -6.5), (-5.9, -5.6), (-6.4, -5.3), (-6.9, -5.7), (-7.0, -7.0), (-7.4, -8.8), (-8.2, -11.0), (-8.8, -14.0),
     (-9.4, -17.0), (-10.0, -21.0), (-10.5, -32.0)),
)  # fmt: skip
COLLARS = {"crew": _CREW, "turtleneck": _TURTLENECK}


def sweater(collar: str, chin_y: float, width: float) -> tuple[np.ndarray, list[list[int]], np.ndarray]:
    """The collar's name, the chin's height and a scale -> vertices (V, 3), polygons, knit coordinates (V, 2) cm."""
    knots = np.linspace(0, 1, len(COLLARS[collar][0]))
    along = np.linspace(0, 1, NUM_ALONG) ** 1.2
    side, front, back = (PchipInterpolator(knots, np.array(curve))(along) for curve in COLLARS[collar])
    phi = np.linspace(0, 2 * np.pi, NUM_AROUND, endpoint=False)
    cos, sin = np.cos(phi)[None], np.sin(phi)[None]
    ahead = np.where(sin >= 0, 1.0, 0.0)
    middle = (front[:, :1] + back[:, :1]) / 2
    depth = ahead * (front[:, :1] - middle) + (1 - ahead) * (middle - back[:, :1])
    level = ahead * front[:, 1:] + (1 - ahead) * back[:, 1:]
    x = side[:, :1] * cos * width
    z = middle + depth * sin
    y = side[:, 1:] * cos**2 + level * sin**2 + (chin_y + 7.57)
    # Soft folds that start at the collar and fade on the chest.
    fold = np.sin(5 * phi[None] + 3 * along[:, None]) * 0.12 * np.clip((along[:, None] - 0.4) / 0.3, 0, 1)
    vertices = np.stack([x, y, z + fold], -1)
    index = np.arange(NUM_ALONG * NUM_AROUND).reshape(NUM_ALONG, NUM_AROUND)
    after = np.roll(index, -1, 1)
    faces = np.stack([index[:-1], after[:-1], after[1:], index[1:]], -1).reshape(-1, 4).tolist()
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(side, axis=0), axis=1))])
    knit = np.stack(np.broadcast_arrays(phi[None] * 6.0, arc[:, None]), -1)
    return vertices.reshape(-1, 3), faces, knit.reshape(-1, 2)
