"""`clips.csv`: a line a clip and system, written as it is scored, so that a killed run goes on where it was.

A line is appended in one write and is there whole or is taken away on reading. Features of whole sets lie beside it, a file a
clip and system, written first. Knows files; knows nothing of what is measured.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead.errors import OutputError
from talkinghead.files import whole
from talkinghead.training import save_arrays
from talkinghead.types import FloatArray

FILE: Final = "clips.csv"
RUN: Final = "run.json"
FEATURES: Final = "features"
ABOUT: Final = ("clip", "system", "identity", "emotion", "intensity", "frames")


class ClipScores:
    """What is scored so far. values: (clip, system) -> metric -> value, NaN where there is none."""

    def __init__(self, folder: Path, metrics: Sequence[str], run: Mapping[str, Any] | None = None) -> None:
        """Open a report's folder, or begin one; without `run` it is only read.

        Args:
            folder: of the report.
            metrics: the columns.
            run: what every score in the folder depends on; another run's folder is not mixed with this one's.

        Raises:
            OutputError: the folder holds another run's scores, or there is none to read.
        """
        self.folder, self.metrics = folder, tuple(metrics)
        self._file = folder / FILE
        self.values: dict[tuple[str, str], dict[str, float]] = {}
        if run is not None:
            self._begin(json.loads(json.dumps(run)))
        elif not self._file.is_file():
            raise OutputError(f"{self._file}: no such file; give the report folder of an earlier evaluation.")
        self._read()

    def append(self, about: Mapping[str, Any], values: Mapping[str, float], features: Mapping[str, FloatArray]) -> None:
        """One clip by one system; about: the columns of `ABOUT`."""
        key = str(about["clip"]), str(about["system"])
        if features:
            save_arrays(self._features_file(*key), **features)
        line = io.StringIO()
        numbers = ["" if math.isnan(value := values.get(name, math.nan)) else repr(float(value)) for name in self.metrics]
        csv.writer(line, lineterminator="\n").writerow([about[name] for name in ABOUT] + numbers)
        self._write(line.getvalue())
        self.values[key] = {name: float(values.get(name, math.nan)) for name in self.metrics}

    def features(self, clip: str, system: str, kind: str) -> FloatArray | None:
        """(n, D) of a clip, None where there are none."""
        file = self._features_file(clip, system)
        if not file.is_file():
            return None
        with np.load(file, allow_pickle=False) as archive:
            return np.asarray(archive[kind], np.float32) if kind in archive else None

    def clips(self, system: str) -> list[str]:
        """The clips that a system is scored on, in the order of the file."""
        return [clip for clip, scored in self.values if scored == system]

    def column(self, metric: str, system: str, clips: Sequence[str]) -> list[float]:
        """A metric of these clips, in their order."""
        return [self.values[clip, system][metric] for clip in clips]

    def _begin(self, run: dict[str, Any]) -> None:
        path = self.folder / RUN
        if path.is_file():
            before = json.loads(path.read_text())
            if other := sorted(key for key in run.keys() | before.keys() if run.get(key) != before.get(key)):
                raise OutputError(
                    f"{self.folder}: holds scores of another {' and '.join(other)}; give another folder, or take this one away."
                )
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            part.write_text(json.dumps(run, indent=1))

    def _read(self) -> None:
        header = ",".join((*ABOUT, *self.metrics)) + "\n"
        content = self._file.read_text(encoding="utf-8") if self._file.is_file() else ""
        lines = content[: content.rfind("\n") + 1]  # what was cut off in the middle is scored again
        if lines != content or not lines:
            with whole(self._file) as part:
                part.write_text(lines or header, encoding="utf-8")
        for row in csv.DictReader(io.StringIO(lines)):
            self.values[row["clip"], row["system"]] = {
                name: float(row[name]) if row.get(name) else math.nan for name in self.metrics
            }

    def _write(self, text: str) -> None:
        handle = os.open(self._file, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(handle, text.encode("utf-8"))
            os.fsync(handle)
        finally:
            os.close(handle)

    def _features_file(self, clip: str, system: str) -> Path:
        return self.folder / FEATURES / system.replace(" ", "_") / f"{clip.replace('/', '__')}.npz"
