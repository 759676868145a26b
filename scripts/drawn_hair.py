"""Hair for a drawn person: strands that grow out of the scalp, follow a comb field and lie on the head.

All strands are (N, P, 3) cm, root first, in the kit's axes: x to the subject's left, y up, z out of the face.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from drawn_head import Head
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

Field = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Points (N, 3) cm and how far along its strand each is, (N,) in [0, 1] -> unit directions (N, 3)."""

# Where hair begins: degrees around the head from the front, and the height of the hairline there over the brows, cm.
HAIRLINE_DEG = (0, 14, 28, 40, 50, 58, 66, 74, 84, 96, 108, 122, 140, 180)
HAIRLINE_WOMAN = (4.3, 4.3, 3.9, 2.9, 1.6, 0.3, -0.6, -2.6, -0.6, -0.4, -2.2, -5.5, -8.5, -10.0)
HAIRLINE_MAN = (4.7, 4.8, 4.9, 4.1, 2.4, 0.7, -0.8, -3.2, -0.6, -0.4, -2.0, -5.0, -8.0, -9.5)


@dataclass(frozen=True, eq=False)
class Surface:
    """The head as something that hair lies on."""

    points: np.ndarray
    normals: np.ndarray
    tree: cKDTree

    @staticmethod
    def of(head: Head, ears: bool = True) -> Surface:
        """The head's skin; without ears, hair falls over them as over a smooth skull."""
        keep = ~np.isin(np.arange(len(head.skin_vertices)), _mouth_vertices(head))
        points, normals = _dense(head, keep)
        if not ears:
            skull = ~_on_ear(points, head)
            points, normals = points[skull], normals[skull]
        return Surface(points, normals, cKDTree(points))

    def height(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) -> signed distance over the skin (N,) cm and the skin's normal (N, 3)."""
        distance, index = self.tree.query(at, k=4)
        weight = 1 / (distance + 0.05) ** 2
        weight /= weight.sum(1, keepdims=True)
        normal = (self.normals[index] * weight[..., None]).sum(1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        offset = ((at[:, None] - self.points[index]) * self.normals[index]).sum(-1)
        return (offset * weight).sum(1), normal


def _mouth_vertices(head: Head) -> np.ndarray:
    return np.unique([v for face, mouth in zip(head.skin_faces, head.skin_is_mouth, strict=True) if mouth for v in face])


def _dense(head: Head, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and points inside the polygons, so that the nearest one is near everywhere."""
    points, normals = [head.skin_vertices[keep]], [head.normals[keep]]
    quads = np.array([face for face in head.skin_faces if len(face) == 4 and keep[face].all()])
    steps = (np.arange(4) + 0.5) / 4
    for s in steps:
        for t in steps:
            weight = np.array([(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t])[None, :, None]
            points.append((head.skin_vertices[quads] * weight).sum(1))
            normals.append((head.normals[quads] * weight).sum(1))
    all_normals = np.concatenate(normals)
    return np.concatenate(points), all_normals / (np.linalg.norm(all_normals, axis=1, keepdims=True) + 1e-9)


def scalp_roots(head: Head, hairline: tuple[float, ...], count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Evenly scattered points behind the hairline, and how far behind it each lies (cm)."""
    triangles = np.array([[f[0], f[i], f[i + 1]] for f in head.skin_faces for i in range(1, len(f) - 1)])
    a, b, c = head.skin_vertices[triangles].transpose(1, 0, 2)
    inside = _behind((a + b + c) / 3, head, hairline) > -0.8
    a, b, c = a[inside], b[inside], c[inside]
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    pick = rng.choice(len(a), count * 2, p=area / area.sum())
    u, v = rng.random((2, count * 2, 1))
    flip = u + v > 1
    u, v = np.where(flip, 1 - u, u), np.where(flip, 1 - v, v)
    roots = a[pick] + u * (b[pick] - a[pick]) + v * (c[pick] - a[pick])
    depth = _behind(roots, head, hairline) + rng.normal(0, 0.16, len(roots))
    # Thin towards the hairline, and none on the ears.
    keep = (depth > 0) & (rng.random(len(roots)) < np.clip(0.3 + depth / 0.6, 0, 1)) & ~_on_ear(roots, head)
    return roots[keep][:count], depth[keep][:count]


def scalp(head: Head, hairline: tuple[float, ...]) -> np.ndarray:
    """(V,) in [0, 1]: where on the skin the scalp shows through hair."""
    cover = np.clip(_behind(head.skin_vertices, head, hairline) / 0.9, 0, 1)
    return np.where(_on_ear(head.skin_vertices, head), 0, cover)


def _behind(points: np.ndarray, head: Head, hairline: tuple[float, ...]) -> np.ndarray:
    brow = head.vertices[head.landmarks[17:27], 1].mean()
    angle = np.degrees(np.arctan2(np.abs(points[:, 0]), points[:, 2] - 0.5))
    return points[:, 1] - brow - np.interp(angle, HAIRLINE_DEG, hairline)


def _on_ear(points: np.ndarray, head: Head) -> np.ndarray:
    widest = np.abs(head.vertices[head.landmarks[[0, 16]], 0]).mean()
    brow = head.vertices[head.landmarks[17:27], 1].mean()
    return (np.abs(points[:, 0]) > widest + 0.35) & (points[:, 1] < brow - 0.2) & (points[:, 1] > brow - 8)


def smooth_noise(points: np.ndarray, scale_cm: float, rng: np.random.Generator, waves: int = 24) -> np.ndarray:
    """(N, 3) -> (N, 3) smooth random vectors of unit size, alike within about scale_cm."""
    direction = rng.standard_normal((waves, 3))
    direction *= (1.0 / scale_cm) / np.linalg.norm(direction, axis=1, keepdims=True) * rng.uniform(0.5, 2, (waves, 1))
    phase, amount = rng.uniform(0, 6.28, waves), rng.standard_normal((waves, 3))
    return np.cos(points @ direction.T + phase) @ amount * np.sqrt(2 / waves)


def grow(
    surface: Surface, roots: np.ndarray, start: np.ndarray, comb: Field, length: np.ndarray, lie: np.ndarray,
    num_points: int, stiffness: float, keep_out: Callable[[np.ndarray], np.ndarray] | None = None, hug_above_y: float = 1e3,
) -> np.ndarray:  # fmt: skip
    """Integrate strands along a comb field, pushed out to `lie` cm above the skin.

    start: (N, 3) first direction; length, lie: (N,) cm; stiffness in [0, 1) holds the last direction;
    keep_out moves points out of where hair must not be; over the height hug_above_y hair also stays near the skin.
    Returns (N, num_points, 3).
    """
    strands = np.empty((len(roots), num_points, 3))
    strands[:, 0] = at = roots
    direction = start / np.linalg.norm(start, axis=1, keepdims=True)
    step = (length / (num_points - 1))[:, None]
    for k in range(1, num_points):
        wanted = comb(at, np.full(len(at), k / (num_points - 1)))
        direction = stiffness * direction + (1 - stiffness) * wanted
        direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-9
        following = at + direction * step
        height, normal = surface.height(following)
        floor = lie * min(1.0, k / (0.25 * num_points))
        pull = np.clip((following[:, 1] - hug_above_y) / 5 + 1, 0, 1) * np.clip(height - floor, 0, None) * 0.6
        following += normal * (np.clip(floor - height, 0, None) - pull)[:, None]
        if keep_out is not None:
            following = keep_out(following)
        direction = following - at
        direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-9
        at = at + direction * step
        strands[:, k] = at
    return strands


def clump(strands: np.ndarray, count: int, amount: float, rng: np.random.Generator, from_part: float = 0.15) -> np.ndarray:
    """Pull strands together into locks towards their tips."""
    leaders = rng.choice(len(strands), count, replace=False)
    _, owner = cKDTree(strands[leaders, 0]).query(strands[:, 0])
    t = np.linspace(0, 1, strands.shape[1])
    pull = amount * np.clip((t - from_part) / (1 - from_part), 0, 1) ** 0.8
    strength = rng.uniform(0.3, 1.0, len(strands))[:, None, None]
    return strands + (strands[leaders][owner] - strands) * pull[None, :, None] * strength


def wave(strands: np.ndarray, amount_cm: float, length_cm: float, rng: np.random.Generator, lock_cm: float = 1.6) -> np.ndarray:
    """Waves that neighbours share, growing towards the tips."""
    noise = smooth_noise(strands[:, 0], lock_cm, rng)
    arc = np.linspace(0, 1, strands.shape[1]) * np.linalg.norm(np.diff(strands, axis=1), axis=-1).sum(1)[:, None]
    phase = arc / length_cm * 2 * np.pi + noise[:, :1] * 2.0
    grown = np.clip(arc / 14, 0, 1) * amount_cm
    return strands + np.stack([np.sin(phase), 0 * phase, np.cos(phase + noise[:, 1:2])], -1) * grown[..., None]


def fray(strands: np.ndarray, amount_cm: float, rng: np.random.Generator) -> np.ndarray:
    """Each strand's own small way, a few of them much more than the rest."""
    t = np.linspace(0, 1, strands.shape[1])[None, :, None]
    own = rng.standard_normal((len(strands), 1, 3)) * amount_cm * (1 + 3 * (rng.random((len(strands), 1, 1)) < 0.05))
    bend = rng.standard_normal((len(strands), 1, 3)) * amount_cm * 0.6
    return strands + own * t + bend * np.sin(t * 5)


def parted_long(head: Head, surface: Surface, rng: np.random.Generator, count: int, length_cm: float) -> np.ndarray:
    """Hair to the shoulders, parted on the subject's left, off the face, over the ears."""
    roots, _ = scalp_roots(head, HAIRLINE_WOMAN, count, rng)
    _, normal = surface.height(roots)
    part_x = 1.7 + 0.25 * np.sin(roots[:, 2] * 0.8)
    side = np.where(roots[:, 0] > part_x, 1.0, -1.0)
    brow = head.vertices[head.landmarks[17:27], 1].mean()
    widest = np.abs(head.vertices[head.landmarks[[0, 16]], 0]).mean()
    noise = smooth_noise(roots, 2.5, rng)

    def comb(at: np.ndarray, _part: np.ndarray) -> np.ndarray:
        high = np.clip((at[:, 1] - brow - 1.5) / 5.5, 0, 1)
        front = np.clip((at[:, 2] - 1.0) / 6.0, 0, 1)
        inward = -0.34 * np.clip((brow - 6 - at[:, 1]) / 6, 0, 1)
        across = side * (1.0 * high + 0.04 + inward)
        down = -1.1 + 0.8 * high
        back = -(0.12 + 0.75 * front * (0.4 + high))
        direction = np.stack([across, down, back], 1) + 0.14 * noise
        return direction / np.linalg.norm(direction, axis=1, keepdims=True)

    def keep_out(at: np.ndarray) -> np.ndarray:
        # A curtain that leaves the face free: how far out hair must be, and how far ahead it may be, by height.
        below = brow - at[:, 1]
        least = widest * np.interp(below, (-4.5, -2.5, -0.5, 3, 8, 12, 16), (0, 0.55, 0.78, 0.91, 0.94, 0.86, 0.72))
        short = np.clip(least - np.abs(at[:, 0]), 0, None) * (at[:, 2] > -3.5)
        out = at.copy()
        out[:, 0] += side * short
        out[:, 2] -= np.clip(at[:, 2] - np.interp(below, (-3, 0, 4, 9), (12, 7.6, 5.2, 3.8)), 0, None) * 0.6
        return out

    start = normal * 0.9 + np.stack([side * 0.7, 0.2 + 0 * side, -0.3 + 0 * side], 1)
    length = length_cm + 0.85 * (roots[:, 1] - brow) + rng.normal(0, 0.7, len(roots))
    lie = 0.3 + 1.2 * rng.random(len(roots)) ** 0.7
    strands = grow(surface, roots, start, comb, np.clip(length, 4, None), lie, 44, 0.55, keep_out, brow - 1.0)
    strands = clump(strands, len(strands) // 45, 0.55, rng)
    strands = wave(strands, 0.32, 9.0, rng)
    return fray(strands, 0.13, rng)


def short_swept(head: Head, surface: Surface, rng: np.random.Generator, count: int) -> np.ndarray:
    """Short sides, longer on top, swept up from the forehead and to the subject's right."""
    roots, depth = scalp_roots(head, HAIRLINE_MAN, count, rng)
    _, normal = surface.height(roots)
    brow = head.vertices[head.landmarks[17:27], 1].mean()
    top = np.clip((roots[:, 1] - brow - 2.6) / 3.0, 0, 1) ** 1.2
    noise = smooth_noise(roots, 1.8, rng)

    def comb(_at: np.ndarray, part: np.ndarray) -> np.ndarray:
        sweep = np.stack([-0.5 + 0 * part, 0.35 - 0.9 * part, -0.85 + 0 * part], 1)
        sides = np.stack([0.05 * np.sign(roots[:, 0]), -1.0 + 0 * part, -0.45 + 0 * part], 1)
        direction = top[:, None] * sweep + (1 - top[:, None]) * sides + 0.3 * noise
        return direction / np.linalg.norm(direction, axis=1, keepdims=True)

    lift = np.stack([-0.25 * top, 0.75 * top, 0.2 * top], 1)
    start = normal * (0.35 + 0.6 * top)[:, None] + lift + (1 - top)[:, None] * np.array([0, -0.6, -0.3]) + 0.12 * noise
    length = (0.9 + 3.4 * top) * np.clip(0.7 + depth / 2.2, 0.5, 1) * rng.uniform(0.75, 1.1, len(roots))
    lie = 0.06 + (0.12 + 0.9 * top) * rng.random(len(roots))
    strands = grow(surface, roots, start, comb, length, lie, 18, 0.72, None, brow + 1)
    strands = clump(strands, len(strands) // 28, 0.5, rng)
    return fray(strands, 0.07, rng)


def brows(
    head: Head, surface: Surface, rng: np.random.Generator, count: int, thickness_cm: float, drop_cm: float
) -> np.ndarray:
    """Two brows of short hairs along the kit's brow landmarks, upward at the inner end, outward after."""
    out = []
    for side, order in ((1, range(22, 27)), (-1, range(21, 16, -1))):
        line = head.vertices[head.landmarks[list(order)]] + (0, -drop_cm, 0)
        line[1:-1] = 0.5 * line[1:-1] + 0.25 * (line[:-2] + line[2:])
        t = 0.02 + 0.93 * rng.beta(1.05, 1.3, count)
        spread = rng.normal(0, 0.36, count)
        centre = CubicSpline(np.linspace(0, 1, 5), line)(t)
        half = thickness_cm * np.interp(t, [0, 0.12, 0.45, 1], [0.6, 1.0, 0.85, 0.3])
        centre[:, 1] += spread * half * 1.5
        height, normal = surface.height(centre)
        roots = centre - normal * height[:, None]
        up = np.interp(t, [0, 0.2, 0.6, 1], [1.5, 0.75, 0.15, -0.2]) - spread * 0.8
        direction = np.stack([side * np.ones(count), up, -0.35 * t], 1) + normal * 0.3 + rng.normal(0, 0.12, (count, 3))
        length = rng.uniform(0.45, 0.8, count) * np.interp(t, [0, 0.3, 1], [0.8, 1.0, 0.7])
        comb = _constant(np.stack([side * np.ones(count), up - 0.6, -0.4 * t], 1))
        out.append(grow(surface, roots, direction, comb, length, np.full(count, 0.03), 6, 0.7))
    return np.concatenate(out)


def _constant(direction: np.ndarray) -> Field:
    unit = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return lambda _at, _part: unit


def lashes(head: Head, rng: np.random.Generator, upper: int, lower: int, length_cm: float) -> np.ndarray:
    """Lashes along both lid rims of both eyes, curved away from the eye."""
    out = []
    for (top, bottom), (centre, radius) in zip(head.lids, head.eyes, strict=True):
        for rim, count, rise, long in ((top, upper, 1.0, length_cm), (bottom, lower, -0.75, 0.5 * length_cm)):
            t = rng.uniform(0.1, 0.97, count)
            roots = np.stack([np.interp(t, np.linspace(0, 1, len(rim)), rim[:, k]) for k in range(3)], 1)
            ray = roots - centre  # the rim lies under the lid's edge; lashes stand on the edge
            roots = centre + ray * ((radius + 0.11) / np.linalg.norm(ray, axis=1))[:, None] + (0, -0.05 * rise, 0)
            outward = np.sign(centre[0]) * (0.9 * (t - 0.42))
            first = np.stack([outward, 0.12 * rise + 0 * t, 1.0 + 0 * t], 1)
            last = np.stack([outward * 1.3, 0.95 * rise + 0 * t, 0.5 + 0 * t], 1)
            length = long * np.interp(t, [0, 0.3, 0.8, 1], [0.45, 0.85, 1.1, 0.8]) * rng.uniform(0.7, 1.1, count)
            s = np.linspace(0, 1, 7)[None, :, None]
            curve = first[:, None] * s * (1 - 0.5 * s) + last[:, None] * 0.5 * s**2 + rng.normal(0, 0.06, (count, 1, 3)) * s
            out.append(roots[:, None] + curve * length[:, None, None] * 0.8)
    return np.concatenate(out)


def beard(head: Head, surface: Surface, rng: np.random.Generator, count: int, length_cm: float) -> np.ndarray:
    """A short beard and moustache below the cheeks, off the lips."""
    marks = head.vertices[head.landmarks]
    points = surface.points
    low, high = marks[8][1] - 1.8, marks[33][1] + 4
    near = points[(points[:, 1] > low) & (points[:, 1] < high) & (points[:, 2] > 1.5)]
    pick = near[rng.integers(len(near), size=count * 4)] + rng.normal(0, 0.07, (count * 4, 3))
    x = np.abs(pick[:, 0])
    lip_top, corner = marks[50:53, 1].max(), marks[54]
    cheek = corner[1] - 0.6 + 0.09 * np.clip(x - corner[0], 0, None) ** 2.2
    moustache = (
        np.interp(x, (0, 0.3, 1.2, corner[0] + 0.5, corner[0] + 0.9), np.array((-0.55, -0.3, -0.35, -1.6, -9.0))) + marks[33][1]
    )
    ceiling = np.maximum(cheek, moustache)
    mouth = (
        (pick[:, 0] / (corner[0] + 0.1)) ** 2 + ((pick[:, 1] - marks[60:68, 1].mean()) / (lip_top - corner[1] + 0.12)) ** 2
    ) < 1
    bare = (x > 0.9) & (x < 2.2) & (np.abs(pick[:, 1] - marks[57][1] + 0.75) < 0.4)
    keep = (pick[:, 1] < ceiling + rng.normal(0, 0.14, len(pick))) & ~mouth & ~(bare & (rng.random(len(pick)) < 0.5))
    keep &= (pick[:, 1] > low + 0.9 * rng.random(len(pick))) & (x < marks[16][0] + 0.1)
    pick = pick[keep][:count]
    height, normal = surface.height(pick)
    roots = pick - normal * height[:, None]
    down = np.stack([0.25 * np.sign(roots[:, 0]) * (x[keep][:count] < 3), -np.ones(len(roots)), 0.05 * np.ones(len(roots))], 1)
    start = normal * 0.7 + down * 0.6 + rng.normal(0, 0.25, down.shape)
    length = length_cm * rng.uniform(0.5, 1.2, len(roots))
    return grow(surface, roots, start, _constant(down + 0.3 * normal), length, np.full(len(roots), 0.02), 6, 0.7)
