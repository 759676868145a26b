"""A person's speaking style: what their lips do otherwise than everybody's, how much their head moves, how often they blink.

A style is a change of the articulator's linear read-out, so it belongs to one articulator, whose fingerprint it carries. On
disk it is a folder of two files. How a style is learnt is `motion.adaptation`'s.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from talkinghead.errors import OutputError, StyleError
from talkinghead.files import beside
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.knobs import MAX_BLINKS_PER_MINUTE, BlinkRate
from talkinghead.types import FloatArray

FORMAT: Final = 1
FILES: Final = ("style.json", "style.safetensors")
_TENSORS: Final = {"weights": np.float16, "scale": np.float32, "centre": np.float32, "gain": np.float32}
_LEARN_AGAIN: Final = "learn it again with: talkinghead adapt clip.mp4 -o"


@dataclass(frozen=True)
class Habits:
    """What a style says in numbers.

    articulator: the fingerprint of the articulator that the style belongs to.
    seconds: of video that it was learnt from.
    head_motion: how much the head moves, 1 as everybody's.
    blinks_per_minute: None as everybody's.
    held_out: r of the opening and the width of the lips in parts of the video that were left out in turn, "opening before",
        "opening", "width before", "width".
    """

    articulator: str
    seconds: float
    head_motion: float = 1.0
    blinks_per_minute: float | None = None
    held_out: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SpeakingStyle:
    """A speaking style for an articulator of K columns, C content features and windows of W frames.

    weights: (K + 2, C, W) float16, scale: (K + 2,) float32; their product is added to the read-out of blendshapes, opening and
        width. Closures are everybody's: lips that do not meet at a p are no style.
    centre: (K + 2,) what the person's outputs are about. gain: (K + 2,) by how much they are stretched about it.
    habits: the rest.
    """

    weights: npt.NDArray[np.float16]
    scale: FloatArray
    centre: FloatArray
    gain: FloatArray
    habits: Habits

    @staticmethod
    def of(change: FloatArray, centre: FloatArray, gain: FloatArray, habits: Habits) -> SpeakingStyle:
        """change: (K + 2, C, W) of the read-out -> the style, each output's weights as parts of its largest."""
        scale = np.maximum(np.abs(change).max((1, 2)), 1e-12).astype(np.float32)
        weights = (change / scale[:, None, None]).astype(np.float16)
        return SpeakingStyle(weights, scale, centre.astype(np.float32), gain.astype(np.float32), habits)

    def applied_to(self, articulator: Articulator) -> Articulator:
        """An articulator that speaks in this style; the one given stays as it is.

        Raises:
            StyleError: the style belongs to another articulator, or is damaged.
        """
        ours, theirs = fingerprint(articulator), self.habits.articulator
        if ours != theirs:
            raise StyleError(
                f"style: belongs to articulator {theirs}, and this checkpoint's is {ours}: another version of talkinghead or "
                f"another checkpoint; {_LEARN_AGAIN} the same folder."
            )
        if self.weights.shape != (len(articulator.centre), *articulator.readout.weight.shape[1:]):
            raise StyleError(f"style: damaged (weights of shape {self.weights.shape}); {_LEARN_AGAIN} the same folder.")
        model: Articulator = Articulator.from_config(articulator.config)
        model.load_state_dict(articulator.state_dict())
        change = torch.from_numpy(self.weights.astype(np.float32) * self.scale[:, None, None])
        centre = torch.from_numpy(self.centre)
        with torch.no_grad():
            model.readout.weight[:-1] += change
            model.readout.bias[:-1] += centre - model.centre  # type: ignore[index]
            model.centre.copy_(centre)
        model.register_to_config(gain=tuple(float(value) for value in self.gain))
        result: Articulator = model.to(articulator.centre.device).eval()
        return result

    def describe(self) -> str:
        """What was learnt, in a line for a person."""
        habits, r = self.habits, self.habits.held_out
        lips = [f"{name} r {r[f'{name} before']:.2f} -> {r[name]:.2f}" for name in ("opening", "width") if name in r]
        blinks = "" if habits.blinks_per_minute is None else f", {habits.blinks_per_minute:.0f} blinks a minute"
        held_out = f"in parts left out lips follow by {' and '.join(lips)}; " if lips else ""
        return f"of {habits.seconds:.0f} s; {held_out}head moves {habits.head_motion:.2f} times as usual{blinks}"

    def blink_rate(self, asked: BlinkRate) -> BlinkRate:
        """The person's where no number or times were asked for."""
        own = self.habits.blinks_per_minute
        if own is None or asked.per_minute is not None or asked.times_s is not None:
            return asked
        return BlinkRate(per_minute=own if asked.factor is None else own * asked.factor)

    def save(self, folder: Path) -> None:
        """Write the two files of `FILES`; what is there is replaced only when the new ones are whole.

        Raises:
            OutputError: the folder cannot be written.
        """
        folder = Path(folder)
        settings, tensors = (folder / name for name in FILES)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with beside(tensors) as tensors_part, beside(settings) as settings_part:
                settings_part.write_text(json.dumps({"format": FORMAT} | asdict(self.habits), indent=1) + "\n")
                tensors_part.write_bytes(save({name: np.ascontiguousarray(getattr(self, name)) for name in _TENSORS}))
        except OSError as error:
            raise OutputError(f"output {folder}: cannot be written ({error.strerror}); choose another place.") from error

    @staticmethod
    def load(folder: Path | str) -> SpeakingStyle:
        """Read a folder that `save` wrote.

        Raises:
            StyleError: no such folder, another version's, or damaged.
        """
        folder = Path(folder)
        if not folder.is_dir() or not all((folder / name).is_file() for name in FILES):
            what = "holds no style" if folder.is_dir() else "is a file" if folder.exists() else "no such folder"
            raise StyleError(f"style {folder}: {what}; give a folder that `talkinghead adapt clip.mp4 -o {folder}` wrote.")
        try:
            settings = json.loads((folder / FILES[0]).read_text())
            if not isinstance(settings, dict):
                raise ValueError(f"{FILES[0]} holds no settings")
            if (form := settings.pop("format", None)) != FORMAT:
                raise StyleError(
                    f"style {folder}: is of format {form}, and this version of talkinghead reads {FORMAT}; "
                    f"{_LEARN_AGAIN} {folder}."
                )
            habits = _checked(settings)
            tensors = load_file(folder / FILES[1])
            _check_tensors(tensors)
        except (OSError, SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, StyleError):
                raise
            reason = " ".join(str(error).split())[:120]
            raise StyleError(f"style {folder}: damaged ({reason}); {_LEARN_AGAIN} {folder}.") from error
        return SpeakingStyle(**{name: tensors[name] for name in _TENSORS}, habits=habits)


def fingerprint(articulator: Articulator) -> str:
    """Of what the linear read-out is: twelve hexadecimal digits, the same for the same weights."""
    digest = hashlib.sha256()
    for tensor in (articulator.readout.weight, articulator.readout.bias, articulator.centre):
        assert tensor is not None
        digest.update(np.ascontiguousarray(tensor.detach().float().cpu().numpy()).tobytes())
    return digest.hexdigest()[:12]


def check_style_output(folder: Path) -> None:
    """Raise OutputError for a place where no style can be written, or one that holds something else."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"output {folder}: is a file; give the name of a folder, such as styles/ana.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / FILES[0]).is_file():
        raise OutputError(f"output {folder}: holds something else; give the name of a new folder, such as styles/ana.")


def _checked(settings: dict[str, Any]) -> Habits:
    """Raises ValueError for numbers that no style has."""
    if unknown := set(settings) - {each.name for each in fields(Habits)}:
        raise ValueError(f"{', '.join(sorted(unknown))}: unknown")
    habits = Habits(**settings)
    if not isinstance(habits.articulator, str):
        raise ValueError("articulator: no fingerprint")
    if not 0 < float(habits.head_motion) <= 2:
        raise ValueError(f"head_motion is {habits.head_motion}, 0 to 2 is wanted")
    if habits.blinks_per_minute is not None and not 0 <= float(habits.blinks_per_minute) <= MAX_BLINKS_PER_MINUTE:
        raise ValueError(f"blinks_per_minute is {habits.blinks_per_minute}, 0 to {MAX_BLINKS_PER_MINUTE:g} is wanted")
    if not all(math.isfinite(value) for value in (habits.seconds, *habits.held_out.values())):
        raise ValueError("a number is not finite")
    return habits


def _check_tensors(tensors: dict[str, Any]) -> None:
    for name, kind in _TENSORS.items():
        tensor = tensors[name]
        if tensor.dtype != kind or not np.isfinite(tensor).all():
            raise ValueError(f"{name}: not finite numbers of {np.dtype(kind)}")
        if len(tensor) != len(tensors["weights"]) or tensor.ndim != (3 if name == "weights" else 1):
            raise ValueError(f"{name}: of shape {tensor.shape}")
