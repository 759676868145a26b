"""glTF 2.0 binary files (`.glb`): the JSON and the one buffer, taken apart, added to, and put together again.

Knows the container and its accessors; knows no faces. Source: Khronos, glTF 2.0 specification, sections 3.6 and 4. What a file
holds beside what is added (materials, textures, extensions such as VRM's) stays as it was, byte for byte.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from talkinghead.errors import MotionError
from talkinghead.files import whole

_MAGIC: Final = 0x46546C67
_VERSION: Final = 2
_JSON_CHUNK: Final = 0x4E4F534A
_BINARY_CHUNK: Final = 0x004E4942
ARRAY_BUFFER: Final = 34962
ELEMENT_ARRAY_BUFFER: Final = 34963
_COMPONENTS: Final = {"f4": 5126, "u4": 5125, "u2": 5123, "u1": 5121}
_SPARSE: Final = ("indices", "values")
_KINDS: Final = {5120: "i1", 5121: "u1", 5122: "i2", 5123: "u2", 5125: "u4", 5126: "f4"}
_WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_TYPES: Final = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


@dataclass(eq=False)
class Glb:
    """content: the JSON. binary: the buffer that comes with it."""

    content: dict[str, Any]
    binary: bytearray = field(default_factory=bytearray)

    def add(self, key: str, entry: dict[str, Any]) -> int:
        """Append to a list of the JSON -> its index."""
        entries: list[dict[str, Any]] = self.content.setdefault(key, [])
        entries.append(entry)
        return len(entries) - 1

    def accessor(self, values: npt.NDArray[Any], target: int | None = None, bounds: bool = False) -> int:
        """Put an array, (N,) or (N, 1 to 4 or 16), into the buffer -> the index of its accessor.

        Args:
            values: little-endian as they are: float32, uint32, uint16 or uint8.
            target: what a mesh uses it for; None for animations.
            bounds: write smallest and largest, which positions and times must have.
        """
        table = np.ascontiguousarray(values).reshape(len(values), -1)
        kind = table.dtype.str.lstrip("<|")
        self.binary.extend(b"\0" * (-len(self.binary) % 4))
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": table.nbytes}
        if target is not None:
            view["target"] = target
        self.binary.extend(table.tobytes())
        entry: dict[str, Any] = {
            "bufferView": self.add("bufferViews", view),
            "componentType": _COMPONENTS[kind],
            "count": len(table),
            "type": _TYPES[table.shape[1]],
        }
        if bounds:
            entry["min"], entry["max"] = table.min(0).tolist(), table.max(0).tolist()
        return self.add("accessors", entry)

    def has(self, accessor: int) -> bool:
        """Whether an accessor's numbers stand in the buffer as they are: not compressed, not in another buffer."""
        entry = self.content["accessors"][accessor]
        views = [entry.get("bufferView"), *(entry.get("sparse", {}).get(part, {}).get("bufferView") for part in _SPARSE)]
        used = [self.content["bufferViews"][view] for view in views if view is not None]
        return bool(used) and all(view["buffer"] == 0 and not view.get("extensions") for view in used)

    def array(self, accessor: int) -> npt.NDArray[Any]:
        """An accessor -> (N, width) as it is stored, sparse ones filled in; raises what broken files raise."""
        entry = self.content["accessors"][accessor]
        kind, width = np.dtype(f"<{_KINDS[entry['componentType']]}"), _WIDTHS[entry["type"]]
        values = np.zeros((entry["count"], width), kind)
        if "bufferView" in entry:
            values = self._strided(entry["bufferView"], entry.get("byteOffset", 0), entry["count"], kind, width)
        if "sparse" in entry:
            sparse = entry["sparse"]
            where, what = sparse["indices"], sparse["values"]
            index = np.dtype(f"<{_KINDS[where['componentType']]}")
            rows = self._strided(where["bufferView"], where.get("byteOffset", 0), sparse["count"], index, 1)
            values = values.copy()
            values[rows[:, 0]] = self._strided(what["bufferView"], what.get("byteOffset", 0), sparse["count"], kind, width)
        return values

    def _strided(self, view: int, offset: int, count: int, kind: np.dtype[Any], width: int) -> npt.NDArray[Any]:
        entry = self.content["bufferViews"][view]
        stride = entry.get("byteStride", width * kind.itemsize)
        start = entry.get("byteOffset", 0) + offset
        return np.ndarray((count, width), kind, bytes(self.binary), start, (stride, kind.itemsize))

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        self.binary.extend(b"\0" * (-len(self.binary) % 4))
        if self.binary:
            self.content.setdefault("buffers", [{}])[0]["byteLength"] = len(self.binary)
        text = json.dumps(self.content, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<II", len(text), _JSON_CHUNK) + text
        if self.binary:
            chunks += struct.pack("<II", len(self.binary), _BINARY_CHUNK) + bytes(self.binary)
        with whole(path) as part:
            part.write_bytes(struct.pack("<III", _MAGIC, _VERSION, 12 + len(chunks)) + chunks)

    @staticmethod
    def load(path: Path) -> Glb:
        """Read a `.glb` (a `.vrm` is one).

        Raises:
            MotionError: no such file, another kind of file, or one that is cut off.
        """
        remedy = "export it as one .glb file (a .vrm is one)"
        if not path.is_file():
            raise MotionError(f"character {path}: {'is a folder' if path.is_dir() else 'no such file'}; {remedy}.")
        data = path.read_bytes()
        try:
            magic, version, length = struct.unpack_from("<III", data)
            if magic != _MAGIC:
                raise ValueError("another kind of file")
            if version != _VERSION or length > len(data):
                raise ValueError(f"version {version}, {len(data)} of {length} bytes")
            chunks: dict[int, bytes] = {}
            at = 12
            while at + 8 <= length:
                size, kind = struct.unpack_from("<II", data, at)
                chunks.setdefault(kind, data[at + 8 : at + 8 + size])
                at += 8 + size
            content = json.loads(chunks[_JSON_CHUNK])
            if not isinstance(content, dict):
                raise ValueError("no object")
        except (struct.error, ValueError, KeyError) as error:
            reason = "too short" if isinstance(error, struct.error) else error
            raise MotionError(f"character {path}: is not a glTF 2.0 binary file ({reason}); {remedy}.") from error
        return Glb(content, bytearray(chunks.get(_BINARY_CHUNK, b"")))


def animate(glb: Glb, times_s: npt.NDArray[Any], channels: list[tuple[int, str, npt.NDArray[Any]]], name: str) -> None:
    """Add an animation before those there are, so that players which play the first play it.

    Args:
        glb: the file.
        times_s: (T,) of the key frames, shared by all channels.
        channels: node, "rotation", "translation" or "weights", and (T, ...) values; linear between key frames.
        name: of the animation.
    """
    time = glb.accessor(times_s.astype("<f4"), bounds=True)
    samplers, targets = [], []
    for node, path, values in channels:
        flat = values.astype("<f4").reshape(-1) if path == "weights" else values.astype("<f4")
        samplers.append({"input": time, "output": glb.accessor(flat), "interpolation": "LINEAR"})
        targets.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})
    animations = glb.content.setdefault("animations", [])
    animations.insert(0, {"name": name, "channels": targets, "samplers": samplers})
