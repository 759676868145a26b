"""Which of a character's morph targets does what: by ARKit's names, by VRM's expressions, or by a file that says so."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.export.arkit_names import arkit_name
from talkinghead.export.vrm import OLD_NAMES, PRESETS

CONTROLS: Final = (*arkit.BLENDSHAPES, *PRESETS)
"""What can drive a morph target: ARKit's 52, then the expressions of VRM 1.0."""

Gains = dict[str, float]
"""Control -> how far the target goes at 1."""
Driven = dict[tuple[int, int], Gains]
"""(node, target) -> what drives it."""
_OF_VRM: Final[dict[str, str]] = (
    {name.lower(): name for name in PRESETS}
    | {old.lower(): name for name, old in OLD_NAMES.items()}
    | {"blink_l": "blinkLeft", "blink_r": "blinkRight", "sorrow": "sad", "joy": "happy"}
)


@dataclass(frozen=True, eq=False)
class MorphMesh:
    """One node that shows a mesh with morph targets. names: of the targets, "" where a target has none."""

    node: int
    mesh: int
    names: tuple[str, ...]


def morph_meshes(content: dict[str, Any]) -> list[MorphMesh]:
    """Every node of a glTF file whose mesh has morph targets."""
    found = []
    for index, node in enumerate(content.get("nodes", [])):
        if "mesh" not in node:
            continue
        mesh = content["meshes"][node["mesh"]]
        count = len(mesh["primitives"][0].get("targets", []))
        extras = [mesh.get("extras"), *(primitive.get("extras") for primitive in mesh["primitives"])]
        own = [entry["targetNames"] for entry in extras if isinstance(entry, dict) and entry.get("targetNames")]
        names = [str(name) for name in own[0]][:count] if own else []
        if count:
            found.append(MorphMesh(index, node["mesh"], (*names, *[""] * (count - len(names)))))
    return found


def by_name(name: str) -> Gains:
    """What the name of a morph target says, among ARKit's names."""
    meant = arkit_name(name)
    return {} if meant is None else {meant: 1.0}


def by_vrm(content: dict[str, Any], meshes: list[MorphMesh]) -> tuple[Driven, Driven]:
    """(node, target) -> gains, of expressions with ARKit's names, and of VRM's presets."""
    own: Driven = {}
    presets: Driven = {}
    for name, node, target, gain in [*_expressions(content), *_groups(content, meshes)]:
        meant, preset = arkit_name(name), _OF_VRM.get(name.lower())
        if meant is not None:
            own.setdefault((node, target), {})[meant] = gain
        elif preset is not None:
            presets.setdefault((node, target), {})[preset] = gain
    for mesh in meshes:
        for target, name in enumerate(mesh.names):
            if name.lower() in _OF_VRM and (mesh.node, target) not in presets:
                presets[mesh.node, target] = {_OF_VRM[name.lower()]: 1.0}
    return own, presets


def _expressions(content: dict[str, Any]) -> list[tuple[str, int, int, float]]:
    """Of VRM 1.0: name, node, target, gain."""
    kinds = content.get("extensions", {}).get("VRMC_vrm", {}).get("expressions", {})
    named: dict[str, Any] = {**kinds.get("preset", {}), **kinds.get("custom", {})}
    return [
        (name, bind["node"], bind["index"], float(bind["weight"]))
        for name, entry in named.items()
        for bind in entry.get("morphTargetBinds") or []
    ]


def _groups(content: dict[str, Any], meshes: list[MorphMesh]) -> list[tuple[str, int, int, float]]:
    """Of VRM 0.x: name, node, target, gain."""
    groups = content.get("extensions", {}).get("VRM", {}).get("blendShapeMaster", {}).get("blendShapeGroups", [])
    return [
        (_group_name(group), mesh.node, bind["index"], gain)
        for group in groups
        for bind in group.get("binds") or []
        for mesh in meshes
        for gain in [float(bind["weight"]) / 100]
        if mesh.mesh == bind["mesh"]
    ]


def _group_name(group: dict[str, Any]) -> str:
    own = str(group["name"])
    return own if arkit_name(own) else str(group.get("presetName") or own)


def read_names(path: Path, targets: set[str]) -> dict[str, Gains]:
    """A YAML file of lines `target: control` or `target: {control: gain}` -> target -> gains.

    Args:
        path: the file.
        targets: the character's own names.

    Raises:
        MotionError: not such a file, a target that the character has not, or a control that there is not.
    """
    if not path.is_file():
        raise MotionError(f"names {path}: no such file; give YAML with lines such as Mouth_Open: jawOpen.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise MotionError(f"names {path}{where}: is not YAML; write lines such as Mouth_Open: jawOpen.") from error
    if not isinstance(content, dict) or not content:
        raise MotionError(f"names {path}: holds no names; write lines such as Mouth_Open: jawOpen.")
    return {str(name): _gains(path, str(name), value, targets) for name, value in content.items()}


def _gains(path: Path, name: str, value: Any, targets: set[str]) -> Gains:
    if name not in targets:
        raise MotionError(f"names {path}: the character has no morph target '{name}'; {_nearest(name, targets)}.")
    gains = value if isinstance(value, dict) else {value: 1.0}
    for control, gain in gains.items():
        if control not in CONTROLS:
            raise MotionError(f"names {path}: '{control}' of {name} is no name of ARKit or VRM; {_nearest(control, CONTROLS)}.")
        if not isinstance(gain, (int, float)) or isinstance(gain, bool) or not -10 <= gain <= 10:
            raise MotionError(f"names {path}: {control} of {name} is {gain}; give a number from -10 to 10, 1 as it is.")
    return {str(control): float(gain) for control, gain in gains.items()}


def _nearest(name: object, choices: Any) -> str:
    near = difflib.get_close_matches(str(name), sorted(choices), 3, 0.4) or sorted(choices)[:5]
    return f"choose from {', '.join(near)} ..." if len(choices) > len(near) else f"choose from {', '.join(near)}"
