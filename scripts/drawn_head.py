"""The head of a drawn person: ICT-FaceKit's generic head with an identity of our own, and the masks to paint it.

Lengths are centimetres, x to the subject's left, y up, z out of the face. Nobody real: an identity is a list of weights.
Source: Li et al., "Learning Formation of Physically-Based Face Attributes", CVPR 2020 (ICT-FaceKit, MIT, USC ICT).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

SKIN_PARTS = ("face", "head_and_neck", "mouth_socket", "eye_socket_left", "eye_socket_right")
MASK_PX = 2048


@dataclass(frozen=True, eq=False)
class Head:
    """vertices: (V, 3) cm, the whole kit; skin: the welded mesh that is rendered; landmarks: (68,) vertex indices."""

    vertices: np.ndarray
    skin_vertices: np.ndarray
    skin_faces: list[list[int]]
    skin_uv: np.ndarray
    skin_is_face: np.ndarray
    skin_is_mouth: np.ndarray
    normals: np.ndarray
    eyes: list[tuple[np.ndarray, float]]
    masks: dict[str, np.ndarray]
    landmarks: np.ndarray
    lids: list[tuple[np.ndarray, np.ndarray]]


def load(kit_file: Path, identity: dict[int, float], seed: int, spread: float, expression: dict[str, float]) -> Head:
    """The kit, a seeded identity with single modes set by hand, and a resting expression -> a head."""
    kit = np.load(kit_file, allow_pickle=False)
    weights = np.random.default_rng(seed).standard_normal(100).astype(np.float32) * spread
    weights[40:] *= 0.5
    for mode, value in identity.items():
        weights[mode] = value
    vertices = kit["neutral"] + np.tensordot(weights, kit["identity_deltas"].astype(np.float32), 1)
    names = [str(name) for name in kit["expression_names"]]
    for name, value in expression.items():
        for full in (name, f"{name}_L", f"{name}_R"):
            if full in names:
                vertices = vertices + value * kit["expression_deltas"][names.index(full)].astype(np.float32)
    vertices = _symmetric(kit["neutral"], vertices)
    parts = {
        str(n): (tuple(v), tuple(f)) for n, v, f in zip(kit["part_names"], kit["part_vertices"], kit["part_faces"], strict=True)
    }
    return _assemble(kit, vertices.astype(np.float64), parts)


def _symmetric(neutral: np.ndarray, vertices: np.ndarray, amount: float = 0.75) -> np.ndarray:
    """Most of a face's asymmetry taken out: what is left looks alive, what was there looks like an accident."""
    flip = np.array([-1, 1, 1])
    distance, mirror = cKDTree(neutral).query(neutral * flip)
    averaged = 0.5 * (vertices + vertices[mirror] * flip)
    weight = amount * (distance < 0.02)[:, None]
    return vertices * (1 - weight) + averaged * weight


def _assemble(kit: Any, vertices: np.ndarray, parts: dict[str, Any]) -> Head:
    faces, face_uv = kit["faces"], kit["face_uv"]
    chosen = np.concatenate([np.arange(*parts[name][1]) for name in SKIN_PARTS])
    # Weld the seams of the neutral mesh, so that subdivision and shading run across them.
    _, first, weld = np.unique(np.round(kit["neutral"], 3), axis=0, return_index=True, return_inverse=True)
    weld = weld.ravel()
    used, compact = np.unique(weld[faces[chosen]], return_inverse=True)
    compact = compact.reshape(-1, 4)
    polygons, uv = [], []
    for i, polygon in enumerate(chosen):
        size = 3 if faces[polygon, 3] < 0 else 4
        polygons.append([int(v) for v in compact[i, :size]])
        uv.append(kit["uv"][face_uv[polygon, :size]])
    skin_vertices = vertices[first[used]]
    low, high = parts["face"][1]
    mouth = parts["mouth_socket"][1]
    eyes = []
    for side in ("right", "left"):
        a, b = parts[f"sclera_{side}"][0]
        eyes.append(_sphere(vertices[a:b]))
    landmarks = kit["landmarks68"]
    uv_of = np.zeros((len(vertices), 2))
    uv_of[faces[low:high, :3].ravel()] = kit["uv"][face_uv[low:high, :3].ravel()]
    masks = paint_masks(
        uv_of[landmarks], _position_map(vertices, faces[low:high], face_uv[low:high], kit["uv"]), vertices[landmarks]
    )
    lids = [_lid_rim(vertices, faces[low:high], centre) for centre, _ in eyes]
    return Head(
        vertices, skin_vertices, polygons, np.concatenate(uv), (chosen >= low) & (chosen < high),
        (chosen >= mouth[0]) & (chosen < mouth[1]), _normals(skin_vertices, polygons), eyes, masks, landmarks, lids,
    )  # fmt: skip


def _normals(vertices: np.ndarray, polygons: list[list[int]]) -> np.ndarray:
    normals = np.zeros_like(vertices)
    triangles = np.array([[p[0], p[i], p[i + 1]] for p in polygons for i in range(1, len(p) - 1)])
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    for corner in triangles.T:
        np.add.at(normals, corner, np.cross(b - a, c - a))
    return normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12)


def _sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Least-squares sphere: |p|^2 = 2 p.c + (r^2 - |c|^2)."""
    solution, *_ = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(1), rcond=None)
    centre = solution[:3]
    return centre, float(np.sqrt(solution[3] + centre @ centre))


def _position_map(vertices: np.ndarray, faces: np.ndarray, face_uv: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(MASK_PX, MASK_PX, 3) cm: where on the face each texel lies; NaN off the face."""
    out = np.full((MASK_PX, MASK_PX, 3), np.nan, np.float32)
    for polygon, corners in zip(faces, face_uv, strict=True):
        for triangle in ((0, 1, 2),) if polygon[3] < 0 else ((0, 1, 2), (0, 2, 3)):
            xy = uv[corners[list(triangle)]] * (MASK_PX, -MASK_PX) + (0, MASK_PX)
            low, high = np.floor(xy.min(0)).astype(int) - 1, np.ceil(xy.max(0)).astype(int) + 2
            low, high = np.clip(low, 0, MASK_PX), np.clip(high, 0, MASK_PX)
            gx, gy = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
            matrix = np.array([xy[1] - xy[0], xy[2] - xy[0]]).T
            if abs(np.linalg.det(matrix)) < 1e-9:
                continue
            st = np.linalg.inv(matrix) @ (np.stack([gx.ravel(), gy.ravel()]) - xy[0][:, None])
            bary = np.stack([1 - st.sum(0), st[0], st[1]])
            inside = (bary > -0.15).all(0).reshape(gx.shape)
            values = (vertices[polygon[list(triangle)]].T @ bary).T.reshape(*gx.shape, 3)
            out[low[1] : high[1], low[0] : high[0]][inside] = values[inside]
    return out


def paint_masks(marks_uv: np.ndarray, position: np.ndarray, marks: np.ndarray) -> dict[str, np.ndarray]:
    """Landmarks in uv and in cm and the position map -> masks in [0, 1] of lips, blush, lids, brows, stubble, nose."""
    pixels = marks_uv * (MASK_PX, -MASK_PX) + (0, MASK_PX)
    hole = ~np.isfinite(position[..., 0])
    at = np.nan_to_num(position, nan=1e3)

    def near(point: np.ndarray, radius_cm: tuple[float, float, float]) -> np.ndarray:
        return np.exp(-0.5 * (((at - point) / radius_cm) ** 2).sum(-1))

    def both(point: np.ndarray, radius_cm: tuple[float, float, float]) -> np.ndarray:
        return np.maximum(near(point, radius_cm), near(point * (-1, 1, 1), radius_cm))

    lips = np.zeros((MASK_PX, MASK_PX), np.float32)
    cv2.fillPoly(lips, [np.round(_closed_curve(pixels[48:60]) * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    texels_per_cm = float(np.linalg.norm(pixels[54] - pixels[48]) / np.linalg.norm(marks[54] - marks[48]))
    lips = gaussian_filter(lips, 0.07 * texels_per_cm)
    nose_tip, chin = marks[30], marks[8]
    cheek = (marks[45] + marks[54]) / 2 + (1.0, 0.6, 0)
    beard = 1 / (1 + np.exp((at[..., 1] - (marks[33][1] - 0.2 + 0.12 * np.maximum(np.abs(at[..., 0]) - 2.2, 0) ** 1.6)) / 0.25))
    bare = both(marks[54] + (0.55, 2.0, -0.3), (0.9, 0.8, 2)) + near(marks[57] + (0, -0.55, 0), (1.6, 0.22, 2)) * 0.7
    masks = {
        "lips": lips,
        "blush": both(cheek, (1.9, 1.5, 3)) + 0.8 * near(nose_tip, (0.9, 0.8, 1.2)) + 0.35 * near(chin, (1.3, 0.9, 2)),
        "lid": both((marks[42] + marks[45]) / 2 + (0.1, 0.62, 0), (1.7, 0.42, 2)),
        "under_eye": both((marks[40] + marks[41]) / 2 * (-1, 1, 1) + (0, -0.55, 0), (1.3, 0.3, 2)),
        "brow": both(marks[24] + (-0.1, 0.0, 0), (1.6, 0.22, 2)),
        "stubble": np.clip(
            beard * (1 - lips) * (1 - np.clip(bare, 0, 1)) * np.clip((at[..., 1] - chin[1] + 3.2) / 2.0, 0, 1), 0, 1
        ),
        "nostril": both(marks[32] + (-0.12, 0.12, -0.1), (0.3, 0.14, 0.6)),
    }
    return {name: np.where(hole, 0, mask).astype(np.float32) for name, mask in masks.items()}


def _closed_curve(points: np.ndarray, per_side: int = 12) -> np.ndarray:
    """A smooth closed curve through (N, 2) points: uniform Catmull-Rom."""
    return np.concatenate(
        [_span(*(points[(i + k) % len(points)] for k in (-1, 0, 1, 2)), per_side) for i in range(len(points))]
    )


def _span(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, count: int) -> np.ndarray:
    t = np.linspace(0, 1, count, endpoint=False)[:, None]
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def _lid_rim(vertices: np.ndarray, faces: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The open edge of the face mesh around one eye -> upper and lower rim, (N, 3) each, inner to outer corner."""
    edges: dict[tuple[int, int], int] = {}
    for polygon in faces:
        loop = [int(v) for v in polygon if v >= 0]
        for a, b in zip(loop, loop[1:] + loop[:1], strict=True):
            key = (min(a, b), max(a, b))
            edges[key] = edges.get(key, 0) + 1
    border = np.unique([edge for edge, count in edges.items() if count == 1])
    points = vertices[border]
    points = points[(np.linalg.norm(points - centre, axis=1) < 2.6) & (points[:, 2] > centre[2] - 0.6)]
    order = np.argsort(np.abs(points[:, 0]))
    points = points[order]
    inner, outer = points[0], points[-1]
    along = (points[:, 0] - inner[0]) / (outer[0] - inner[0])
    chord = inner[1] + along * (outer[1] - inner[1])
    return points[points[:, 1] >= chord - 1e-6], points[points[:, 1] <= chord + 1e-6]
