"""FLAME's own file, under your licence of it -> a folder that `--character flame:FOLDER` takes.

    python scripts/convert_flame.py generic_model.pkl -o flame/          # or flame2023.pkl
    python scripts/convert_flame.py generic_model.pkl -o flame/ --points mediapipe_landmark_embedding.npz

Writes FLAME's arrays (`flame.safetensors`, `config.json`) and the map between ARKit's 52 and its expressions and jaw
(`arkit.safetensors`, `arkit.json`), fitted on this file, with what it leaves on standard output. FLAME is not part of this
program: https://flame.is.tue.mpg.de. Nothing is sent anywhere.

The official file is a pickle, which could run any program; it is read here by a reader that admits arrays and nothing else,
and neither scipy nor chumpy is imported for what it names.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from talkinghead.checkpoints import checkpoint_folder
from talkinghead.errors import CheckpointError, OutputError, TalkingHeadError
from talkinghead.export.flame_fitting import fit_map
from talkinghead.files import whole_folder
from talkinghead.landmarks import FaceTracker
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.flame import JOINTS, NUM_SHAPE, PARENTS, Flame

BROKEN = (pickle.UnpicklingError, EOFError, AttributeError, LookupError, ValueError, TypeError, ImportError, MemoryError)
"""What the reader raises for a file that is cut off or is something else."""
SPARSE = ("csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array")


class Held:
    """What stands where the file has an object of another library: its attributes, and none of its code."""

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError(f"the state of an object is a {type(state).__name__}")
        self.__dict__.update({str(key): value for key, value in state.items()})


class HeldArray(Held):
    """An object of chumpy; only its array `x` is taken."""


class HeldSparse(Held):
    """A sparse matrix of scipy. kind: csc, csr or coo."""

    kind = ""


HELD_SPARSE: dict[str, type] = {kind: type(kind, (HeldSparse,), {"kind": kind}) for kind in ("csc", "csr", "coo")}


def _reconstructed(cls: type, base: object, state: object) -> object:
    """What older files call to make an object: only of the two kinds above."""
    if not (isinstance(cls, type) and issubclass(cls, Held) and base is object and state is None):
        raise pickle.UnpicklingError(f"{cls!r} is not to be made")
    return cls()


def _encoded(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes for Python 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes as {encoding!r}")
    return text.encode("latin1")


def admitted() -> dict[tuple[str, str], Any]:
    """(module, name) -> what stands for it: all that may be in the file, but for chumpy's classes and scipy's matrices."""
    core = np._core.multiarray
    table: dict[tuple[str, str], Any] = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        table |= {(module, "_reconstruct"): core._reconstruct, (module, "scalar"): core.scalar}
    for module in ("__builtin__", "builtins"):
        table |= {(module, "object"): object, (module, "set"): set}
    for module in ("copy_reg", "copyreg"):
        table[module, "_reconstructor"] = _reconstructed
    return table | {("_codecs", "encode"): _encoded}


class ArrayUnpickler(pickle.Unpickler):
    """Numbers, text, lists and arrays; anything else is refused before it is looked for."""

    _admitted = admitted()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self._admitted:
            return self._admitted[module, name]
        if module.split(".")[0] == "chumpy" and name.isidentifier():
            return HeldArray
        if module.startswith("scipy.sparse") and name in SPARSE:
            return HELD_SPARSE[name[:3]]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no array")

    def persistent_load(self, pid: object) -> Any:
        raise pickle.UnpicklingError(f"it refers to something outside ({type(pid).__name__})")


def read_arrays(path: Path) -> dict[str, Any]:
    """The official file -> what it holds by name, arrays and text.

    Raises:
        CheckpointError: no such file, cut off, or anything in it that is no array.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; give FLAME's own, generic_model.pkl or flame2023.pkl.")
    try:
        with path.open("rb") as file:
            content = ArrayUnpickler(file, encoding="latin1").load()
    except BROKEN as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise CheckpointError(f"{path}: not read, for {reason}; give FLAME's own file as it was downloaded.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: holds a {type(content).__name__} and no model; give FLAME's own file.")
    return {str(name): value for name, value in content.items()}


def dense(value: Any) -> np.ndarray:
    """An array, however the file holds it -> itself.

    Raises:
        ValueError: it is none, or not of numbers.
    """
    if isinstance(value, HeldArray):
        value = value.__dict__.get("x")
    if isinstance(value, HeldSparse):
        value = _filled(value)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
        raise ValueError(f"a {type(value).__name__} and no array of numbers")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError("an array with values that are not numbers")
    return value


def _filled(matrix: HeldSparse) -> np.ndarray:
    """A sparse matrix -> (rows, columns), all zeros written out."""
    held = matrix.__dict__
    data = dense(held.get("data"))
    shape = held.get("_shape", held.get("shape"))
    if not (isinstance(shape, tuple) and len(shape) == 2):
        raise ValueError("a sparse matrix without its shape")
    full = np.zeros(tuple(int(size) for size in shape), np.float64)
    if matrix.kind == "coo":
        row, column = held.get("coords") or (held.get("row"), held.get("col"))
        np.add.at(full, (dense(row), dense(column)), data)
        return full
    pointers, inner = dense(held.get("indptr")), dense(held.get("indices"))
    outer = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
    np.add.at(full, (inner, outer) if matrix.kind == "csc" else (outer, inner), data)
    return full


def flame_of(content: dict[str, Any], num_shape: int = NUM_SHAPE) -> Flame:
    """What the official file holds -> the model.

    Args:
        content: by FLAME's own names.
        num_shape: how many of the shape directions are of identity; the others are expressions.

    Raises:
        ValueError: an array is missing or of another shape, or the joints hang together in another way.
    """

    def array(name: str) -> np.ndarray:
        if name not in content:
            raise ValueError(f"it has no {name!r}")
        try:
            return dense(content[name])
        except (ValueError, TypeError, IndexError) as error:
            raise ValueError(f"its {name!r} is {error}") from error

    parents = array("kintree_table").astype(np.int64)[0]
    if tuple(parents[1:]) != PARENTS[1:]:
        raise ValueError(f"its joints hang on {parents[1:].tolist()}, FLAME's on {list(PARENTS[1:])}")
    directions = array("shapedirs")
    if directions.ndim != 3 or directions.shape[2] <= num_shape:
        raise ValueError(f"its shapedirs are {directions.shape}; more than {num_shape} are wanted, the rest expressions")
    corrective = array("posedirs")
    vertices = array("v_template")
    if corrective.size != vertices.size * 9 * (len(JOINTS) - 1):
        raise ValueError(f"its posedirs are {corrective.shape}; FLAME's are ({len(vertices)}, 3, {9 * (len(JOINTS) - 1)})")

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))

    return Flame(
        template=tensor(vertices),
        shape_directions=tensor(directions[..., :num_shape].transpose(2, 0, 1)),
        expression_directions=tensor(directions[..., num_shape:].transpose(2, 0, 1)),
        pose_directions=tensor(corrective.reshape(*vertices.shape, -1).transpose(2, 0, 1)),
        joint_regressor=tensor(array("J_regressor")),
        weights=tensor(array("weights")),
        faces=torch.from_numpy(array("f").astype(np.int64)),
    )


def convert(source: Path, output: Path, num_shape: int = NUM_SHAPE, fit: Callable[[Flame, Path], None] | None = None) -> Flame:
    """Convert the file into a new folder, whole or not at all.

    Args:
        source: FLAME's own file.
        output: the folder.
        num_shape: as `flame_of`.
        fit: writes what else belongs into the folder.

    Raises:
        CheckpointError: the file is refused, or is no FLAME.
        OutputError: the folder is there already, or cannot be written.
    """
    if output.exists():
        raise OutputError(f"output {output}: is there already; give a new name.")
    content = read_arrays(source)
    try:
        model = flame_of(content, num_shape)
    except ValueError as error:
        raise CheckpointError(f"{source}: is no FLAME model: {error}.") from error
    try:
        with whole_folder(output) as part:
            model.save_pretrained(part)
            if fit is not None:
                fit(model, part)
    except OSError as error:
        raise OutputError(f"output {output}: cannot be written ({error.strerror}); choose another place.") from error
    return model


def table(report: dict[str, Any]) -> str:
    """What the map leaves of the motion, as lines."""
    lines = [f"{report['points']} points, FLAME is {report['scale']:g} of our rig's size. Left of the motion of ARKit's 44:"]
    for region, there in report["to_flame"].items():
        back = report["to_flame_and_back"][region]
        lines.append(
            f"  {region}: {there['left_mm']:.2f} of {there['motion_mm']:.2f} mm ({there['left_part']:.0%}); "
            f"there and back {back['left_mm']:.2f} mm ({back['left_part']:.0%})"
        )
    worst = ", ".join(f"{name} {part:.0%}" for name, part in report["hardest"].items())
    return "\n".join([*lines, f"  hardest: {worst}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="generic_model.pkl or flame2023.pkl")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to make; it must not be there")
    parser.add_argument("--num-shape", type=int, default=NUM_SHAPE, help="identity directions; the rest are expressions")
    parser.add_argument("--points", type=Path, help="mediapipe_landmark_embedding.npz, instead of a look at the drawn head")
    parser.add_argument("--checkpoint", type=Path, help="whose rig and tracker the map is for, the installed ones by default")
    options = parser.parse_args()
    reports = []
    try:
        ours = checkpoint_folder(options.checkpoint)
        rig, tracker = FaceRig.from_pretrained(ours / "rig"), FaceTracker(ours / "tracker/face_landmarker.task")

        def fit(flame: Flame, folder: Path) -> None:
            reports.append(fit_map(folder, flame, rig, tracker, options.points))

        model = convert(options.source, options.output, options.num_shape, fit)
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    print(table(reports[0]))
    print(f"{options.output}: {model.num_vertices} vertices, {model.num_shape} of shape, {model.num_expressions} expressions")


if __name__ == "__main__":
    main()
