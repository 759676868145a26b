"""Somebody's own character, a `.glb` or `.vrm` with morph targets -> the same file with the performance as its animation.

Knows what drives what; whose names are whose is `character_names`, which bone is which `character_bones`. What the file
holds is kept; the head turns and does not travel, for a neck would stretch.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.export.character_bones import bones_of, moves_eyeballs, turned
from talkinghead.export.character_names import CONTROLS, Driven, Gains, MorphMesh, by_name, by_vrm, morph_meshes, read_names
from talkinghead.export.gltf import Glb, animate
from talkinghead.export.gltf_face import ANIMATION
from talkinghead.export.vrm import PRESETS, expressions
from talkinghead.rig.gaze import rotation_from_gaze, with_eye_look
from talkinghead.rig.pose import matrix_from_axis_angle
from talkinghead.types import FaceMotion, FloatArray

_SHOWN: Final = 8
_NO_BINARY: Final = "character {path}: keeps its data in other files; export it as one .glb file."


@dataclass(frozen=True, eq=False)
class Character:
    """A file and what drives it.

    path, glb: the file.
    driven: (node, target) -> gains; what is not in it keeps the file's own weight.
    meshes: the nodes with morph targets.
    bones: "head", "leftEye", "rightEye" -> node, as far as they are there and are to turn.
    """

    path: Path
    glb: Glb
    driven: Driven
    meshes: list[MorphMesh]
    bones: dict[str, int]

    @property
    def missing(self) -> list[str]:
        """What the performance does and nothing in the file shows, in ARKit's names, or in VRM's when it has those."""
        shown = {control for gains in self.driven.values() for control in gains}
        choices = PRESETS if shown and shown <= set(PRESETS) else arkit.BLENDSHAPES
        looks = {"leftEye", "rightEye"} <= set(self.bones)
        gone = [name for name in choices if name not in shown and not (looks and name.startswith(("eyeLook", "look")))]
        return gone + ([] if "head" in self.bones else ["a bone called Head"])

    @property
    def unused(self) -> list[str]:
        """Morph targets that nothing drives."""
        return [
            mesh.names[target] or f"target {target}"
            for mesh in self.meshes
            for target in range(len(mesh.names))
            if (mesh.node, target) not in self.driven
        ]

    def describe(self) -> str:
        """One line: what is driven, what is missing, what is not used."""
        parts = [f"{self.path}: {len(self.driven)} morph targets driven, {', '.join(self.bones) or 'no bone'} turned"]
        for what, names in (("missing", self.missing), ("not driven", self.unused)):
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN and what == "not driven" else ""
                parts.append(f"{what}: {', '.join(names if what == 'missing' else names[:_SHOWN])}{more}")
        return "; ".join(parts)

    def write(self, path: Path, motion: FaceMotion, fps: float) -> None:
        """Write the file with the performance as its first animation.

        Args:
            path: a `.glb`.
            motion: `fps` frames a second.
            fps: of the animation.
        """
        glb = Glb(copy.deepcopy(self.glb.content), bytearray(self.glb.binary))
        blendshapes = with_eye_look(motion.blendshapes, motion.gaze)
        made = expressions(blendshapes)
        controls = np.concatenate([blendshapes, np.stack([made[name] for name in PRESETS], axis=1)], axis=1)
        channels: list[tuple[int, str, Any]] = []
        for mesh in self.meshes:
            if any((mesh.node, target) in self.driven for target in range(len(mesh.names))):
                channels.append((mesh.node, "weights", self._weights(mesh, controls)))
        turns = {"head": matrix_from_axis_angle(motion.head_rotation)}
        turns["leftEye"] = turns["rightEye"] = rotation_from_gaze(motion.gaze)
        for role, node in self.bones.items():
            channels.append((node, "rotation", turned(glb.content, node, turns[role])))
        animate(glb, np.arange(len(motion)) / fps, channels, ANIMATION)
        glb.save(path)

    def _weights(self, mesh: MorphMesh, controls: FloatArray) -> FloatArray:
        """(T, targets) of one mesh."""
        entry = self.glb.content["nodes"][mesh.node]
        own = entry.get("weights") or self.glb.content["meshes"][mesh.mesh].get("weights") or [0.0] * len(mesh.names)
        weights = np.repeat(np.array(own, np.float32)[None], len(controls), axis=0)
        for target in range(len(mesh.names)):
            gains = self.driven.get((mesh.node, target))
            if gains is not None:
                columns = [CONTROLS.index(control) for control in gains]
                weights[:, target] = controls[:, columns] @ np.array(list(gains.values()), np.float32)
        return weights


def load_character(path: Path, names: Path | None = None) -> Character:
    """Read a character and find out what drives it: the names' file first, then ARKit's names, then VRM's expressions.

    VRM's vowels and moods are used only where nothing opens the jaw by ARKit's name: together they would open it twice. Eye
    bones turn only where no morph target moves the eyeballs.

    Raises:
        MotionError: not a glTF binary file, no morph targets, or none with a name that says what it does.
    """
    glb = Glb.load(path)
    content = glb.content
    if any("uri" in buffer for buffer in content.get("buffers", [])[:1]):
        raise MotionError(_NO_BINARY.format(path=path))
    try:
        meshes = morph_meshes(content)
        own, presets = by_vrm(content, meshes)
        bones = bones_of(content)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise MotionError(f"character {path}: its glTF is broken ({error!r}); export it again.") from error
    if not meshes:
        raise MotionError(f"character {path}: has no morph targets; export its shape keys with it.")
    said = read_names(names, {name for mesh in meshes for name in mesh.names if name}) if names is not None else {}
    driven = _matched(meshes, said, own)
    if not any("jawOpen" in gains or set(gains) & set(PRESETS) for gains in driven.values()):
        driven = presets | driven
    if not driven:
        there = [name for mesh in meshes for name in mesh.names if name]
        shown = ", ".join(there[:_SHOWN]) or "without names"
        raise MotionError(
            f"character {path}: none of its morph targets ({shown}) has a name of ARKit or VRM; give --names a file with "
            f"lines such as {there[0] if there else 'Mouth_Open'}: jawOpen."
        )
    return Character(path, glb, driven, meshes, _not_twice(path, glb, driven, bones))


def _not_twice(path: Path, glb: Glb, driven: Driven, bones: dict[str, int]) -> dict[str, int]:
    """The bones without the eyes' where morph targets already turn the eyes."""
    eyes = {node for role, node in bones.items() if role != "head"}
    looks = [place for place, gains in driven.items() if any(control.startswith(("eyeLook", "look")) for control in gains)]
    try:
        twice = any(moves_eyeballs(glb, *place, eyes) for place in looks)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise MotionError(f"character {path}: its glTF is broken ({error!r}); export it again.") from error
    return {role: node for role, node in bones.items() if role == "head" or not twice}


def _matched(meshes: list[MorphMesh], said: dict[str, Gains], own: Driven) -> Driven:
    driven = {}
    for mesh in meshes:
        for target, name in enumerate(mesh.names):
            gains = said.get(name) or by_name(name) or own.get((mesh.node, target))
            if gains:
                driven[mesh.node, target] = gains
    return driven
