"""Tracked training clips -> the numbers of `GestureStatistics`: one vote a talker, the median of the talkers.

Clips are a few seconds long, and a head moves more in minutes: within a clip, neither deviation nor autocorrelation is that of
the motion. How far a curve gets within a few frames (the variogram) is, so the sampler's own is fitted to it. Source: Matheron,
"Principles of geostatistics", 1963. Fixation and saccade times stay those of the literature: at 25 frames a second and 256
pixels they cannot be measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import ConfigError
from talkinghead.motion.gesture import SLOW_OVER_QUICK, SLOW_SHARE, SWAY_PERIOD_S, GestureStatistics
from talkinghead.motion.io import load_motion
from talkinghead.motion.smoothing import slow_noise_correlation
from talkinghead.training import read_manifest
from talkinghead.types import FPS, FaceMotion, FloatArray

MIN_FRAMES: Final = 60
BLINK_DEPTH: Final = 0.4
LAGS: Final = np.array([4, 6, 9, 13, 18, 25, 36, 50])
"""Frames. Within fewer, the tracker's noise moves as far as a head does."""
_PERIODS_S: Final = np.geomspace(0.8, 6, 200)
_LIDS: Final = [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]


@dataclass(frozen=True)
class GestureConfig:
    """One run. Flat, so that a YAML file is one of these."""

    data: str = "../shared/data"
    prepared: str = "data"
    output: str = "runs/gesture"


def fit_gesture(config: GestureConfig) -> Path:
    """Fit the statistics on the training clips and write them; returns the folder.

    Raises:
        InputError: no manifest, or no clip that is long enough.
    """
    rows = read_manifest(Path(config.data))
    files = ((row["identity"], Path(config.prepared, "motion", row["file"]).with_suffix(".npz"), row["split"]) for row in rows)
    found = ((talker, load_motion(file)) for talker, file, split in files if split == "train" and file.is_file())
    fit_gestures(found).save_pretrained(Path(config.output))
    return Path(config.output)


def fit_gestures(motions: Iterable[tuple[str, FaceMotion]]) -> GestureStatistics:
    """Pairs of a talker and a tracked clip -> statistics. Clips under 2.4 s are left out.

    Raises:
        ConfigError: no clip is long enough.
    """
    heads: dict[str, list[FloatArray]] = defaultdict(list)
    eyes: dict[str, list[FloatArray]] = defaultdict(list)
    blinks: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
    seconds: dict[str, float] = defaultdict(float)
    for talker, motion in motions:
        if len(motion) < MIN_FRAMES:
            continue
        heads[talker].append(np.c_[variogram(motion.head_rotation), variogram(motion.head_translation)])
        eyes[talker].append(motion.gaze.std(0))
        blinks[talker] += find_blinks(motion.blendshapes[:, _LIDS].mean(1))
        seconds[talker] += len(motion) / FPS
    if not heads:
        raise ConfigError(f"motion: no clip of at least {MIN_FRAMES} frames; run scripts/prepare_speech.py first.")
    typical = np.median([np.mean(rows, axis=0) for rows in heads.values()], axis=0)
    turns = [fitted_paces(typical[:, axis]) for axis in range(3)]
    sway = [fitted_sway(typical[:, axis]) for axis in range(3, 6)]
    glances = np.median([np.median(rows, axis=0) for rows in eyes.values()], axis=0)
    # Rates of talkers seen for seconds only are coarse: all talkers' blinks over all their time, none for more than a minute.
    share = {talker: min(1.0, 60 / seconds[talker]) for talker in seconds}
    rate = 60 * sum(share[t] * len(blinks[t]) for t in share) / sum(share[t] * seconds[t] for t in share)
    phases = np.array([blink[1:] for rows in blinks.values() for blink in rows])
    closing, opening = np.median(phases, axis=0) if len(phases) else (0.08, 0.16)
    return replace(
        GestureStatistics(),
        head_deviation_rad=_rounded(deviation for deviation, _ in turns),
        head_period_s=_rounded(period_s for _, period_s in turns),
        sway_m=_rounded(sway),
        blinks_per_minute=round(float(np.clip(rate, 12, 24)), 1),
        closing_s=round(float(np.clip(closing, 0.06, 0.12)), 3),
        opening_s=round(float(np.clip(opening, 0.1, 0.24)), 3),
        gaze_deviation_rad=_rounded(glances),
    )


def variogram(curves: FloatArray) -> FloatArray:
    """(T, N) -> (len(LAGS), N) half the mean square of what each curve has moved by `LAGS` frames later."""
    moved = [curves[lag:] - curves[:-lag] for lag in LAGS]
    result: FloatArray = np.stack([(change.astype(np.float64) ** 2).mean(0) / 2 for change in moved]).astype(np.float32)
    return result


def fitted_paces(curve: FloatArray) -> tuple[float, float]:
    """A variogram (len(LAGS),) -> deviation and period of the `two_paces` that come nearest to it."""
    fits = []
    for period_s in _PERIODS_S:
        slow = slow_noise_correlation(LAGS, SLOW_OVER_QUICK * period_s)
        correlation = SLOW_SHARE * slow + (1 - SLOW_SHARE) * slow_noise_correlation(LAGS, period_s)
        ratio = np.log(np.maximum(curve, 1e-12) / (1 - correlation))
        fits.append((float(ratio.var()), float(np.exp(ratio.mean() / 2)), float(period_s)))
    return min(fits)[1:]


def fitted_sway(curve: FloatArray) -> float:
    """A variogram (len(LAGS),) -> the deviation with which sway, whose period is given, gets as far in a second or two."""
    moved = 1 - slow_noise_correlation(LAGS, SWAY_PERIOD_S)
    return float(np.sqrt(curve @ moved / (moved @ moved)))


def find_blinks(lids: FloatArray) -> list[tuple[int, float, float]]:
    """(T,) how far the lids are shut -> frame, seconds to shut and seconds to open of each blink."""
    resting = np.median(lids)
    found: list[tuple[int, float, float]] = []
    frame = 1
    while frame < len(lids) - 1:
        peak = lids[frame] - resting
        if peak > BLINK_DEPTH and lids[frame] >= lids[frame - 1] and lids[frame] > lids[frame + 1]:
            low = resting + 0.15 * peak
            start, stop = frame, frame
            while start > 0 and lids[start] > low:
                start -= 1
            while stop < len(lids) - 1 and lids[stop] > low:
                stop += 1
            if stop - start <= 0.5 * FPS:
                found.append((frame, (frame - start) / FPS, (stop - frame) / FPS))
            frame = stop
        frame += 1
    return found


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)
