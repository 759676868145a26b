"""The networks that some metrics need, as the user's own ONNX files in one folder. None is shipped, none is downloaded.

ONNX holds a graph and numbers and runs no code of its file, as a pickled or TorchScript module would. docs/metrics.md has the
line that exports each. Runs on onnxruntime (extra `evaluate`). Knows files and shapes; knows nothing of how values are pooled.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import yaml

from talkinghead.errors import CheckpointError, ConfigError, DependencyError, install_command
from talkinghead.types import EMOTIONS, ByteArray, FloatArray

SETTINGS: Final = "networks.yaml"
CHANNELS: Final = ("rgb", "bgr")


@dataclass(frozen=True)
class Expected:
    """What a network takes, an axis each with 0 for the batch; how many values it gives, 0 for any; how many inputs it has."""

    metric: str
    shape: tuple[int, ...]
    outputs: int = 0
    inputs: int = 1


EXPECTED: Final[dict[str, Expected]] = {
    "inception": Expected("FID", (0, 3, 299, 299)),
    "i3d": Expected("FVD", (0, 3, 16, 224, 224)),
    "lpips": Expected("LPIPS", (0, 3, 256, 256), 1, inputs=2),
    "syncnet_picture": Expected("LSE-C, LSE-D", (0, 3, 5, 224, 224)),
    "syncnet_sound": Expected("LSE-C, LSE-D", (0, 1, 13, 20)),
    "arcface": Expected("CSIM", (0, 3, 112, 112)),
    "emotion": Expected("emotion accuracy", (0, 3, 224, 224), 8),
}
"""Name -> what it is for and takes; the file is `<name>.onnx`. Heights and widths of pictures are usual ones: a file that fixes
others is given those."""
BATCH: Final = 16
PROVIDERS: Final = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""Of onnxruntime, those that are there, the first one first."""


@dataclass(frozen=True)
class Settings:
    """What `networks.yaml` may say of a network; pictures are RGB in [0, 1] before it.

    file: its name in the folder. mean, deviation: taken off and divided by, one number or three. channels: rgb or bgr.
    labels: of `emotion`, the classes in the order of its outputs.
    """

    file: str = ""
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    channels: str = "rgb"
    labels: tuple[str, ...] = field(default=EMOTIONS)


class Network:
    """One ONNX file: batches in, values out."""

    def __init__(self, file: Path, name: str, settings: Settings) -> None:
        """Raises CheckpointError when the file is no network, or takes or gives another shape."""
        try:
            import onnxruntime
        except ImportError as error:
            raise DependencyError(
                f"onnxruntime is not installed, which runs {file}; run: {install_command('evaluate')}."
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.file, self.name, self.settings = file, name, settings
        try:
            there = onnxruntime.get_available_providers()
            self._session = onnxruntime.InferenceSession(str(file), options, [name for name in PROVIDERS if name in there])
        except Exception as error:  # onnxruntime's errors share no base of their own
            raise CheckpointError(f"{file}: is no ONNX network ({_first_line(error)}); export it again.") from error
        self._inputs = self._session.get_inputs()
        expected = EXPECTED[name]
        shapes = [list(each.shape) for each in self._inputs]
        if len(shapes) != expected.inputs or any(not _fits(shape, expected.shape) for shape in shapes):
            raise CheckpointError(
                f"{file}: takes {_shown(shapes)}; export one that takes {_shown([list(expected.shape)] * expected.inputs)} "
                f"(docs/metrics.md)."
            )

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the pictures that it takes."""
        fixed, usual = self._inputs[0].shape[-2:], EXPECTED[self.name].shape[-2:]
        height, width = (f if isinstance(f, int) and f > 0 else u for f, u in zip(fixed, usual, strict=True))
        return height, width

    def __call__(self, *batches: FloatArray) -> FloatArray:
        """Batches of its inputs, (N, ...) each -> (N, D) float32; a scalar a sample is (N, 1).

        Raises:
            CheckpointError: it does not run on what it says it takes, or gives something else than numbers a sample.
        """
        parts = []
        for start in range(0, len(batches[0]), BATCH):
            feed = {
                each.name: np.ascontiguousarray(batch[start : start + BATCH], np.float32)
                for each, batch in zip(self._inputs, batches, strict=True)
            }
            count = len(next(iter(feed.values())))
            try:
                given = np.asarray(self._session.run(None, feed)[0], np.float32)
            except Exception as error:  # as above
                raise CheckpointError(f"{self.file}: does not run ({_first_line(error)}); export it again.") from error
            wanted = EXPECTED[self.name].outputs or given.size // count
            if given.shape[:1] != (count,) or not wanted or given.size != count * wanted:
                shape = list(given.shape)
                raise CheckpointError(f"{self.file}: gives {shape} for {count} samples; export ({count}, {wanted or 'D'}).")
            parts.append(given.reshape(count, -1))
        return np.concatenate(parts)

    def pictures(self, frames: list[ByteArray]) -> FloatArray:
        """(H, W, 3) uint8 RGB each -> (N, 3, h, w), in the size, order of colours and range that it takes."""
        height, width = self.size_px
        resized = [_resized(frame, height, width) for frame in frames]
        stacked = np.stack(resized).astype(np.float32) / 255
        mean, deviation = (np.array(x, np.float32) for x in (self.settings.mean, self.settings.deviation))
        scaled = (stacked - mean) / deviation
        ordered = scaled[..., ::-1] if self.settings.channels == "bgr" else scaled
        return np.ascontiguousarray(ordered.transpose(0, 3, 1, 2), np.float32)


class Networks:
    """Those of a folder; what is not there is None, and `missing` says its file's name."""

    def __init__(self, folder: Path | None) -> None:
        """Raises CheckpointError: no such folder, or a file is another network; ConfigError: settings that do not exist."""
        if folder is not None and not folder.is_dir():
            raise CheckpointError(f"networks {folder}: no such folder; give the one with inception.onnx and the like.")
        self.folder = folder
        self._settings = _settings(folder)
        self.loaded: dict[str, Network] = {}
        for name in EXPECTED if folder is not None else ():
            assert folder is not None
            file = folder / self._file(name)
            if file.is_file():
                self.loaded[name] = Network(file, name, self._settings.get(name, Settings()))
            elif self._settings.get(name, Settings()).file:
                raise CheckpointError(f"{file}: no such file, though {folder / SETTINGS} names it; put it there.")
        if "emotion" in self.loaded and sorted(self.loaded["emotion"].settings.labels) != sorted(EMOTIONS):
            raise ConfigError(f"{folder}/{SETTINGS}: emotion: labels must be {', '.join(EMOTIONS)}, each once, in its order.")

    def __getitem__(self, name: str) -> Network | None:
        return self.loaded.get(name)

    def missing(self, *names: str) -> list[str]:
        """Of these, the files that are not there."""
        return [self._file(name) for name in names if name not in self.loaded]

    def fingerprint(self) -> dict[str, str]:
        """Name -> sha256 of the file and its settings: what a score depends on."""
        return {
            name: hashlib.sha256(network.file.read_bytes() + repr(network.settings).encode()).hexdigest()[:16]
            for name, network in self.loaded.items()
        }

    def _file(self, name: str) -> str:
        return self._settings.get(name, Settings()).file or f"{name}.onnx"


def _settings(folder: Path | None) -> dict[str, Settings]:
    path = folder / SETTINGS if folder is not None else None
    if path is None or not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: is not YAML ({_first_line(error)}).") from error
    if not isinstance(content, dict) or not all(isinstance(value, dict) for value in content.values()):
        raise ConfigError(f"{path}: write `arcface: {{file: w600k_r50.onnx, mean: 0.5, deviation: 0.5}}`, a network a line.")
    if unknown := sorted(set(map(str, content)) - set(EXPECTED)):
        raise ConfigError(f"{path}: unknown {', '.join(unknown)}; the networks are {', '.join(EXPECTED)}.")
    known = [each.name for each in fields(Settings)]
    read = {}
    for name, keys in content.items():
        if unknown := sorted(set(map(str, keys)) - set(known)):
            raise ConfigError(f"{path}: {name}: unknown {', '.join(unknown)}; the keys are {', '.join(known)}.")
        read[name] = Settings(**{key: _value(value, key, f"{path}: {name}") for key, value in keys.items()})
    return read


def _value(value: Any, key: str, where: str) -> Any:
    if key in ("mean", "deviation"):
        numbers = value if isinstance(value, list) else [value]
        if not all(isinstance(x, int | float) and not isinstance(x, bool) for x in numbers) or len(numbers) not in (1, 3):
            raise ConfigError(f"{where}: {key} is {value!r}; give a number, or three.")
        if key == "deviation" and not all(numbers):
            raise ConfigError(f"{where}: deviation is {value!r}; give numbers other than 0.")
        return tuple(float(x) for x in numbers)
    if key == "labels":
        if not isinstance(value, list):
            raise ConfigError(f"{where}: labels is {value!r}; give a list such as [{', '.join(EMOTIONS[:3])}, ...].")
        return tuple(str(label) for label in value)
    if key == "channels" and value not in CHANNELS:
        raise ConfigError(f"{where}: channels is {value!r}; give rgb or bgr.")
    if key == "file" and (not isinstance(value, str) or not value):
        raise ConfigError(f"{where}: file is {value!r}; give a name in this folder.")
    return value


def _fits(shape: list[Any], expected: tuple[int, ...]) -> bool:
    """Whether axes agree; height and width of pictures may be others, and the batch must be free."""
    if len(shape) != len(expected) or (isinstance(shape[0], int) and shape[0] > 0):
        return False
    fixed = range(1, len(shape)) if expected[1] == 1 else range(1, len(shape) - 2)
    return all(not isinstance(shape[axis], int) or shape[axis] <= 0 or shape[axis] == expected[axis] for axis in fixed)


def _resized(frame: ByteArray, height: int, width: int) -> ByteArray:
    if frame.shape[:2] == (height, width):
        return frame
    how = cv2.INTER_AREA if frame.shape[0] > height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(frame, (width, height), interpolation=how), np.uint8)


def _shown(shapes: list[list[Any]]) -> str:
    axes = [[str(x) if isinstance(x, int) and x > 0 else "N" for x in shape] for shape in shapes]
    return " and ".join(f"({', '.join(names)})" for names in axes)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
