"""A character's head and eye bones in a glTF file, and the turns that put a performance on them.

Knows hierarchies and rest poses; knows no morph targets. A character faces +z with y up, as glTF and VRM 1.0 want it; VRM 0.x
faces -z.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from talkinghead.export.gltf import Glb

Array = npt.NDArray[np.float64]

_STILL_M: Final = 1e-5

_NAMES: Final = {
    "head": ("head", "headbone", "jhead", "headj", "mixamorighead", "bip01head", "bip001head", "ccbasehead", "defhead"),
    "leftEye": ("lefteye", "eyeleft", "eyel", "leye", "leyebone", "mixamoriglefteye", "ccbaseleye", "jlefteye"),
    "rightEye": ("righteye", "eyeright", "eyer", "reye", "reyebone", "mixamorigrighteye", "ccbasereye", "jrighteye"),
}


def bones_of(content: dict[str, Any]) -> dict[str, int]:
    """glTF JSON -> "head", "leftEye", "rightEye" -> node, as far as they are there: by VRM's humanoid, otherwise by name."""
    extensions = content.get("extensions", {})
    named = extensions.get("VRMC_vrm", {}).get("humanoid", {}).get("humanBones", {})
    found = {role: named[role]["node"] for role in _NAMES if role in named}
    for bone in extensions.get("VRM", {}).get("humanoid", {}).get("humanBones", []):
        if bone["bone"] in _NAMES:
            found.setdefault(bone["bone"], bone["node"])
    joints = {joint for skin in content.get("skins", []) for joint in skin["joints"]}
    nodes = content.get("nodes", [])
    for role, names in _NAMES.items():
        own = {index: node.get("name", "") for index, node in enumerate(nodes) if "mesh" not in node}
        plain = {index: re.sub(r"[^a-z0-9]", "", name.lower()) for index, name in own.items()}
        alike = [index for index, name in plain.items() if name in names]
        if role not in found and alike:
            found[role] = next((index for index in alike if index in joints), alike[0])
    return found


def moves_eyeballs(glb: Glb, node: int, target: int, eyes: set[int]) -> bool:
    """Whether a morph target moves what hangs on the eye bones: then turning these too would turn the eyes twice.

    Args:
        glb: the file.
        node: that shows the mesh.
        target: of the mesh.
        eyes: nodes of the eye bones.
    """
    entry = glb.content["nodes"][node]
    for primitive in glb.content["meshes"][entry["mesh"]]["primitives"]:
        wanted = [primitive["targets"][target].get("POSITION")]
        if "skin" in entry:
            wanted += [primitive["attributes"].get(name) for name in ("JOINTS_0", "WEIGHTS_0")]
        if not all(accessor is not None and glb.has(accessor) for accessor in wanted):
            continue  # what is compressed is not looked into
        moved = np.abs(glb.array(primitive["targets"][target]["POSITION"])).max(1) > _STILL_M
        if "skin" not in entry:
            children = {child for eye in eyes for child in glb.content["nodes"][eye].get("children", [])}
            held = np.full(len(moved), node in eyes | children)
        else:
            joints = np.array(glb.content["skins"][entry["skin"]]["joints"])
            own = joints[glb.array(primitive["attributes"]["JOINTS_0"]).astype(int)]
            weights = glb.array(primitive["attributes"]["WEIGHTS_0"]).astype(float)
            total = np.maximum(weights.sum(1), 1e-9)
            held = (weights * np.isin(own, list(eyes))).sum(1) / total > 0.5
        if (moved & held).any():
            return True
    return False


def turned(content: dict[str, Any], node: int, rotation: Array) -> npt.NDArray[np.float32]:
    """The local rotations of a node that turn it by `rotation` against where its parent carries it.

    Args:
        content: glTF JSON; a node whose rest pose is a matrix gets the same as translation, rotation and scale.
        node: whose rotations are wanted.
        rotation: (T, 3, 3) in the axes of this project (x to the subject's left, y up, z out of the face).

    Returns:
        (T, 4) x, y, z, w.
    """
    _take_apart(content["nodes"][node])
    parents = {child: index for index, entry in enumerate(content["nodes"]) for child in entry.get("children", [])}
    carried = Rotation.identity()
    at = parents.get(node)
    while at is not None:
        carried = _rest(content["nodes"][at]) * carried
        at = parents.get(at)
    facing = Rotation.from_euler("y", 180, degrees=True) if _faces_back(content) else Rotation.identity()
    world = facing * Rotation.from_matrix(rotation) * facing.inv()
    local = carried.inv() * world * carried * _rest(content["nodes"][node])
    turns: npt.NDArray[np.float32] = local.as_quat().astype(np.float32)
    over = np.cumsum(np.einsum("ti,ti->t", turns[1:], turns[:-1]) < 0) % 2 == 1
    turns[1:][over] *= -1
    return turns


def _faces_back(content: dict[str, Any]) -> bool:
    return "VRM" in content.get("extensions", {})


def _rest(entry: dict[str, Any]) -> Rotation:
    if "matrix" in entry:
        axes = np.array(entry["matrix"], np.float64).reshape(4, 4).T[:3, :3]
        return Rotation.from_matrix(axes / np.linalg.norm(axes, axis=0))
    return Rotation.from_quat(entry.get("rotation", [0, 0, 0, 1]))


def _take_apart(entry: dict[str, Any]) -> None:
    """A node that is animated must not have a matrix."""
    if "matrix" in entry:
        matrix = np.array(entry["matrix"], np.float64).reshape(4, 4).T
        entry["rotation"] = _rest(entry).as_quat().tolist()
        entry["translation"] = matrix[:3, 3].tolist()
        entry["scale"] = np.linalg.norm(matrix[:3, :3], axis=0).tolist()
        del entry["matrix"]
