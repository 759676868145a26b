"""FaceMotion -> `.glb`: the face with its 52 named morph targets, a skeleton of head and eyes, and the performance on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead import __version__, arkit
from talkinghead.export.angles import eye_quaternion, head_quaternion
from talkinghead.export.face_model import JOINTS, FaceModel, FaceModelMesh, model_of
from talkinghead.export.gltf import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, Glb, animate
from talkinghead.export.take import Take
from talkinghead.rig.gaze import with_eye_look
from talkinghead.types import FaceMotion

ANIMATION: Final = "talk"
"""Name of the animation, here and on other people's characters."""
_LINEAR: Final = 2.2
_MAX_U2: Final = 65535


def write(path: Path, take: Take) -> None:
    """Write the rig's neutral face with the take as its only animation; of one frame, the face as it is in it."""
    write_model(path, model_of(take.rig()), take.motion, take.fps)


def write_model(path: Path, model: FaceModel, motion: FaceMotion, fps: float) -> None:
    """Write any face with a motion of `fps` frames a second as its only animation."""
    places, blendshapes = model.places, with_eye_look(motion.blendshapes, motion.gaze)
    travel = places[0] + motion.head_translation
    glb = Glb({"asset": {"version": "2.0", "generator": f"talkinghead {__version__}"}, "scene": 0, "buffers": [{}]})
    still = {
        "rotation": [head_quaternion(motion.head_rotation[:1])[0], *[eye_quaternion(motion.gaze[:1])[0]] * 2],
        "translation": [travel[0], *(places[1:] - places[0])],
    }
    joints = [
        glb.add("nodes", {"name": name, "rotation": _listed(turn), "translation": _listed(place)})
        for name, turn, place in zip(JOINTS, still["rotation"], still["translation"], strict=True)
    ]
    glb.content["nodes"][joints[0]]["children"] = joints[1:]
    inverse = np.repeat(np.eye(4, dtype=np.float32)[None], len(JOINTS), axis=0)
    inverse[:, 3, :3] = -places  # column by column
    matrices = glb.accessor(inverse.reshape(-1, 16))
    skin = glb.add("skins", {"name": "Skeleton", "skeleton": joints[0], "joints": joints, "inverseBindMatrices": matrices})
    material = glb.add("materials", _MATERIAL)
    nodes, channels = [joints[0]], []
    for mesh in model.meshes:
        columns = [arkit.INDEX[name] for name in mesh.targets]
        entry = _mesh(glb, mesh, material)
        if columns:
            entry |= {"weights": _listed(blendshapes[0, columns]), "extras": {"targetNames": list(mesh.targets)}}
        node = glb.add("nodes", {"name": mesh.name, "mesh": glb.add("meshes", entry), "skin": skin})
        nodes.append(node)
        if columns:
            channels.append((node, "weights", blendshapes[:, columns]))
    glb.content["scenes"] = [{"nodes": nodes}]
    if len(motion) > 1:
        head, eye = head_quaternion(motion.head_rotation), eye_quaternion(motion.gaze)
        channels += [(joints[0], "rotation", head), (joints[0], "translation", travel)]
        channels += [(joint, "rotation", eye) for joint in joints[1:]]
        animate(glb, np.arange(len(motion)) / fps, channels, ANIMATION)
    glb.save(path)


_MATERIAL: Final[dict[str, Any]] = {
    "name": "Face",
    "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.6},
    "doubleSided": True,
}


def _mesh(glb: Glb, mesh: FaceModelMesh, material: int) -> dict[str, Any]:
    """The arrays of a mesh -> its entry, with targets and without names and weights."""
    joints = np.zeros((len(mesh.vertices), 4), "u1")
    joints[:, 0] = mesh.joint
    weights = np.zeros((len(mesh.vertices), 4), "<f4")
    weights[:, 0] = 1
    colours = np.round(mesh.colours**_LINEAR * 65535).astype("<u2")
    colours = np.concatenate([colours, np.full((len(colours), 1), 65535, "<u2")], axis=1)
    colour = glb.accessor(colours, ARRAY_BUFFER)
    glb.content["accessors"][colour]["normalized"] = True
    primitive: dict[str, Any] = {
        "attributes": {
            "POSITION": glb.accessor(mesh.vertices.astype("<f4"), ARRAY_BUFFER, bounds=True),
            "NORMAL": glb.accessor(mesh.normals.astype("<f4"), ARRAY_BUFFER),
            "COLOR_0": colour,
            "JOINTS_0": glb.accessor(joints, ARRAY_BUFFER),
            "WEIGHTS_0": glb.accessor(weights, ARRAY_BUFFER),
        },
        "indices": glb.accessor(
            mesh.faces.astype("<u2" if len(mesh.vertices) < _MAX_U2 else "<u4").reshape(-1), ELEMENT_ARRAY_BUFFER
        ),
        "material": material,
    }
    if mesh.targets:
        primitive["targets"] = [
            {"POSITION": glb.accessor(delta.astype("<f4"), ARRAY_BUFFER, bounds=True)} for delta in mesh.targets.values()
        ]
    return {"name": f"{mesh.name}Mesh", "primitives": [primitive]}  # Blender shows node and mesh side by side


def _listed(values: Any) -> list[float]:
    return [float(value) for value in values]
