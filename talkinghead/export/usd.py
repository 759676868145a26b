"""FaceMotion -> `.usda`: the face as a UsdSkel character, 52 named blend shapes, joints for head and eyes, and the performance.

Written as text, after OpenUSD's UsdSkel schema; metres, y up, a time code a frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead import arkit
from talkinghead.export.angles import eye_quaternion, head_quaternion
from talkinghead.export.face_model import JOINTS, FaceModel, FaceModelMesh, model_of
from talkinghead.export.take import Take
from talkinghead.files import whole
from talkinghead.rig.gaze import with_eye_look
from talkinghead.types import FaceMotion

_PATHS: Final = (JOINTS[0], *(f"{JOINTS[0]}/{name}" for name in JOINTS[1:]))


def write(path: Path, take: Take) -> None:
    """Write the rig's neutral face with the take on it, from time code 0 on."""
    write_model(path, model_of(take.rig()), take.motion, take.fps)


def write_model(path: Path, model: FaceModel, motion: FaceMotion, fps: float) -> None:
    """Write any face with a motion of `fps` frames a second on it."""
    places = model.places
    lines = ["#usda 1.0", "(", '    defaultPrim = "Face"', "    metersPerUnit = 1", '    upAxis = "Y"']
    lines += [f"    timeCodesPerSecond = {fps:g}", f"    framesPerSecond = {fps:g}", "    startTimeCode = 0"]
    lines += [f"    endTimeCode = {len(motion) - 1}", ")", "", 'def SkelRoot "Face"', "{"]
    lines += _skeleton(places)
    lines += _animation(motion, places)
    for mesh in model.meshes:
        lines += _mesh(mesh)
    with whole(path) as part:
        part.write_text("\n".join([*lines, "}"]) + "\n", encoding="ascii")


def _skeleton(places: Any) -> Iterator[str]:
    def at(place: Any) -> str:
        return f"( (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), ({_numbers(place)}, 1) )"

    local = [places[0], *(places[1:] - places[0])]
    yield from ('    def Skeleton "Skeleton" (', '        prepend apiSchemas = ["SkelBindingAPI"]', "    )", "    {")
    yield f"        uniform token[] joints = [{_quoted(_PATHS)}]"
    yield f"        uniform matrix4d[] bindTransforms = [{', '.join(at(place) for place in places)}]"
    yield f"        uniform matrix4d[] restTransforms = [{', '.join(at(place) for place in local)}]"
    yield from ("        rel skel:animationSource = </Face/Talk>", "    }")


def _animation(motion: FaceMotion, places: Any) -> Iterator[str]:
    head, eye = head_quaternion(motion.head_rotation), eye_quaternion(motion.gaze)
    yield from ('    def SkelAnimation "Talk"', "    {")
    yield f"        uniform token[] blendShapes = [{_quoted(arkit.BLENDSHAPES)}]"
    yield f"        uniform token[] joints = [{_quoted(_PATHS)}]"
    yield "        float[] blendShapeWeights.timeSamples = {"
    for frame, row in enumerate(with_eye_look(motion.blendshapes, motion.gaze)):
        yield f"            {frame}: [{_numbers(row)}],"
    yield from ("        }", "        quatf[] rotations.timeSamples = {")
    for frame in range(len(motion)):
        turns = ", ".join(f"({_numbers(np.roll(turn[frame], 1))})" for turn in (head, eye, eye))
        yield f"            {frame}: [{turns}],"
    yield from ("        }", "        float3[] translations.timeSamples = {")
    left, right = places[1:] - places[0]
    for frame, place in enumerate(places[0] + motion.head_translation):
        yield f"            {frame}: [({_numbers(place)}), ({_numbers(left)}), ({_numbers(right)})],"
    yield from ("        }", "        half3[] scales = [(1, 1, 1), (1, 1, 1), (1, 1, 1)]", "    }")


def _mesh(mesh: FaceModelMesh) -> Iterator[str]:
    yield from (f'    def Mesh "{mesh.name}" (', '        prepend apiSchemas = ["SkelBindingAPI"]', "    )", "    {")
    yield f"        int[] faceVertexCounts = [{', '.join(['3'] * len(mesh.faces))}]"
    yield f"        int[] faceVertexIndices = [{', '.join(map(str, mesh.faces.ravel()))}]"
    yield f"        point3f[] points = {_rows(mesh.vertices)}"
    yield f"        float3[] extent = {_rows(np.stack([mesh.vertices.min(0), mesh.vertices.max(0)]))}"
    yield f"        normal3f[] normals = {_rows(mesh.normals)} ("
    yield from ('            interpolation = "vertex"', "        )")
    yield f"        color3f[] primvars:displayColor = {_rows(mesh.colours**2.2)} ("
    yield from ('            interpolation = "vertex"', "        )")
    yield from ("        uniform bool doubleSided = 1", '        uniform token subdivisionScheme = "none"')
    yield f"        int[] primvars:skel:jointIndices = [{', '.join(map(str, mesh.joint))}] ("
    yield from ("            elementSize = 1", '            interpolation = "vertex"', "        )")
    yield f"        float[] primvars:skel:jointWeights = [{', '.join(['1'] * len(mesh.joint))}] ("
    yield from ("            elementSize = 1", '            interpolation = "vertex"', "        )")
    yield "        rel skel:skeleton = </Face/Skeleton>"
    if mesh.targets:
        yield f"        uniform token[] skel:blendShapes = [{_quoted(mesh.targets)}]"
        targets = ", ".join(f"</Face/{mesh.name}/{name}>" for name in mesh.targets)
        yield f"        rel skel:blendShapeTargets = [{targets}]"
    for name, delta in mesh.targets.items():
        moved = np.flatnonzero(np.abs(delta).max(1) > 1e-7)
        yield from (f'        def BlendShape "{name}"', "        {")
        yield f"            uniform vector3f[] offsets = {_rows(delta[moved])}"
        yield f"            uniform int[] pointIndices = [{', '.join(map(str, moved))}]"
        yield "        }"
    yield "    }"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{float(value):.7g}" for value in values)


def _rows(table: Any) -> str:
    return "[" + ", ".join(f"({_numbers(row)})" for row in table) + "]"
