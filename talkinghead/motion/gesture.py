"""What a talker's head, lids and eyes do by themselves: sampled, by a seed, from statistics of tracked people.

Head: stationary autoregressive motion, livelier where the voice is, with nods on its stressed syllables. Blinks: a renewal
process whose intervals are log-normal beyond a shortest one; lids shut faster than they open. Gaze: fixations near the camera
joined by saccades. Nothing here accumulates, so nothing drifts. Sources: Lee, Badler, Badler, "Eyes Alive", SIGGRAPH 2002
(saccades); Bentivoglio et al., "Analysis of blink rate patterns in normal subjects", 1997.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import CheckpointError
from talkinghead.motion.smoothing import slow_noise
from talkinghead.types import FPS, FloatArray


@dataclass(frozen=True)
class GestureStatistics:
    """Numbers fitted on tracked training clips by `scripts/train.py gesture`.

    head_deviation_rad: pitch, yaw, roll of a talking head about its mean over minutes; within seconds it moves less.
    head_period_s: of the livelier motion of the same axes (`two_paces`). sway_m: right, up, forward, as the deviations.
    silent_share: how much of the head's motion is left in silence. nod_rad: pitch on a stressed syllable.
    blinks_per_minute, blink_spread: log-normal intervals.
    closing_s, shut_s, opening_s: a blink's phases. fixation_s, gaze_deviation_rad, saccade_s: eyes.
    """

    head_deviation_rad: tuple[float, ...] = (0.03, 0.035, 0.02)
    head_period_s: tuple[float, ...] = (2.5, 3.5, 3.5)
    sway_m: tuple[float, ...] = (0.003, 0.002, 0.003)
    silent_share: float = 0.4
    nod_rad: float = 0.02
    blinks_per_minute: float = 17.0
    blink_spread: float = 0.6
    closing_s: float = 0.08
    shut_s: float = 0.04
    opening_s: float = 0.16
    fixation_s: float = 1.4
    gaze_deviation_rad: tuple[float, ...] = (0.035, 0.025)
    saccade_s: float = 0.05

    def save_pretrained(self, folder: Path) -> None:
        """Write `config.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @staticmethod
    def from_pretrained(folder: Path) -> GestureStatistics:
        """Read `config.json`; raises CheckpointError when it is missing or holds something else."""
        try:
            content = json.loads((Path(folder) / "config.json").read_text())
            values = {k: tuple(map(float, v)) if isinstance(v, list) else float(v) for k, v in content.items()}
            return GestureStatistics(**values)  # type: ignore[arg-type]
        except (OSError, ValueError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(
                f"{folder}: holds no gesture statistics ({reason}); reinstall talkinghead or point to a whole checkpoint."
            ) from error


MAX_BLINKS_PER_MINUTE: Final = 60.0
SWAY_PERIOD_S: Final = 3.5
SLOW_SHARE: Final = 0.65
SLOW_OVER_QUICK: Final = 4.0
"""`two_paces`: the slow pace's part of the variance, and its period over the quick one's."""
_FREE_HEAD_RAD: Final = 0.07
_MAX_HEAD_RAD: Final = 0.14
_SETTLE_S: Final = 0.5
_FIRST_BLINK_S: Final = (0.4, 1.6)
_SHORTEST_INTERVAL_S: Final = 0.6
_SECOND_BLINK_S: Final = (0.35, 0.5)
_SECOND_BLINK_SHARE: Final = 0.08


def move_head(loudness: FloatArray, statistics: GestureStatistics, amount: float, seed: int) -> tuple[FloatArray, FloatArray]:
    """loudness: (T,) dBFS -> head_rotation (T, 3) axis-angle rad and head_translation (T, 3) m, both 0 at the first frame.

    amount: 0 holds the head still, 1 moves it as tracked talkers did.
    """
    generator = np.random.default_rng([seed, 0])
    num_frames = len(loudness)
    frames = np.arange(num_frames)
    # It starts from the portrait's own pose and then is free.
    settle = np.clip(frames / (_SETTLE_S * FPS), 0, 1)[:, None]
    settle = settle * settle * (3 - 2 * settle)
    effort = vocal_effort(loudness)
    # The deviations are those of talkers who talk: a voice of the usual effort makes it 1, loud words more.
    voiced = effort[effort > 0]
    usual = float(np.sqrt((voiced**2).mean())) if len(voiced) else 1.0
    lively = statistics.silent_share + (1 - statistics.silent_share) * _lagged(effort / usual, 0.6)
    rotation = np.stack([two_paces(num_frames, period, generator) for period in statistics.head_period_s], 1)
    rotation = rotation * statistics.head_deviation_rad * lively[:, None]
    stress = np.maximum(_lagged(effort, 0.12) - _lagged(effort, 0.7), 0)
    rotation[:, 0] += statistics.nod_rad * 2.5 * stress * (1 + 0.4 * slow_noise(num_frames, 1, 4.0, generator)[:, 0])
    beyond = np.maximum(np.abs(rotation) - _FREE_HEAD_RAD, 0) / (_MAX_HEAD_RAD - _FREE_HEAD_RAD)
    held = np.minimum(np.abs(rotation), _FREE_HEAD_RAD) + (_MAX_HEAD_RAD - _FREE_HEAD_RAD) * np.tanh(beyond)
    rotation = np.copysign(held, rotation)
    sway = slow_noise(num_frames, 3, SWAY_PERIOD_S, generator) * statistics.sway_m * lively[:, None]
    return (amount * settle * rotation).astype(np.float32), (amount * settle * sway).astype(np.float32)


def two_paces(num_frames: int, period_s: float, generator: np.random.Generator) -> FloatArray:
    """(T,) of deviation 1: shifts of posture that last, and on them the livelier motion that clips of seconds show."""
    slow = slow_noise(num_frames, 1, SLOW_OVER_QUICK * period_s, generator)[:, 0]
    quick = slow_noise(num_frames, 1, period_s, generator)[:, 0]
    curve: FloatArray = np.sqrt(SLOW_SHARE) * slow + np.sqrt(1 - SLOW_SHARE) * quick
    return curve


def vocal_effort(loudness: FloatArray) -> FloatArray:
    """loudness: (T,) dBFS -> (T,) 0 in silence, about 1 on the loud syllables of this recording."""
    loud = np.percentile(loudness, 95)
    effort = np.clip((loudness - loud + 25) / 25, 0, 1) * (loudness > -55)
    return np.asarray(effort, np.float32)


def _lagged(curve: FloatArray, width_s: float) -> FloatArray:
    """A centred moving average by a raised cosine."""
    half = max(1, round(width_s * FPS))
    window = np.hanning(2 * half + 1)
    smooth: FloatArray = np.convolve(np.pad(curve, half, mode="edge"), window / window.sum(), "valid").astype(np.float32)
    return smooth


def blinks(num_frames: int, statistics: GestureStatistics, per_minute: float | None, seed: int) -> FloatArray:
    """(T, 2) how far the left and the right lid are shut, in [0, 1]; the first blink falls into the first two seconds.

    per_minute: 0 to `MAX_BLINKS_PER_MINUTE`; None takes that of the statistics.
    """
    generator = np.random.default_rng([seed, 1])
    lids = np.zeros((num_frames, 2), np.float32)
    rate = statistics.blinks_per_minute if per_minute is None else per_minute
    if rate <= 0:
        return lids
    length_s = num_frames / FPS
    time_s = generator.uniform(*_FIRST_BLINK_S) if length_s > _FIRST_BLINK_S[1] else generator.uniform(0.2, 0.6) * length_s
    frames_s = (np.arange(num_frames) / FPS).astype(np.float32)
    spread, share = statistics.blink_spread, _SECOND_BLINK_SHARE
    # Means of all intervals, of those that no second blink ends, and of what these are beyond the shortest.
    mean_s = (60 / rate - share * float(np.mean(_SECOND_BLINK_S))) / (1 - share)
    mean_beyond_s = max(0.0, mean_s - _SHORTEST_INTERVAL_S)
    is_first = True
    while time_s < length_s:
        pace, depth, lead = generator.uniform(0.85, 1.2), generator.uniform(0.9, 1.0), generator.normal(0, 0.006)
        for side in range(2):
            shape = blink_shape(frames_s - time_s - (lead if side else 0.0), pace, statistics)
            lids[:, side] = np.maximum(lids[:, side], depth * shape)
        follows, is_first = generator.uniform() < share and not is_first, False
        if follows:  # a second one at once, but not where a short clip would have little else
            time_s += generator.uniform(*_SECOND_BLINK_S)
            continue
        time_s += _SHORTEST_INTERVAL_S + mean_beyond_s * np.exp(spread * generator.standard_normal() - spread**2 / 2)
    return lids


def blink_shape(time_s: FloatArray, pace: float, statistics: GestureStatistics) -> FloatArray:
    """Seconds since the lids began to move -> how far they are shut: down fast, a moment shut, up slowly."""
    closing, shut, opening = (pace * x for x in (statistics.closing_s, statistics.shut_s, statistics.opening_s))
    down = np.clip(time_s / closing, 0, 1)
    up = np.clip((time_s - closing - shut) / opening, 0, 1)
    # The way up ends gently: the last part of the opening takes half its time.
    shape: FloatArray = (down * down * (3 - 2 * down) * (1 - (1 - (1 - up) ** 2) * np.sqrt(up))).astype(np.float32)
    return shape


def gaze_motion(num_frames: int, statistics: GestureStatistics, head_rotation: FloatArray, seed: int) -> FloatArray:
    """(T, 2) yaw and pitch of the eyes against the head, rad: on the camera, now and then beside it, while the head moves."""
    generator = np.random.default_rng([seed, 2])
    target = np.zeros((num_frames, 2), np.float32)
    deviation = np.array(statistics.gaze_deviation_rad)
    frame, away = 0, False
    while frame < num_frames:
        hold_s = statistics.fixation_s * (0.5 if away else 1.0) * np.exp(0.5 * generator.standard_normal())
        stop = frame + max(3, round(hold_s * FPS))
        spread = deviation * (2.0 if away else 0.3)
        target[frame:stop] = np.clip(generator.standard_normal(2) * spread, -0.2, 0.2)
        if frame == 0:
            target[frame:stop] = 0
        frame, away = stop, not away and generator.uniform() < 0.3
    # A saccade of a few degrees lasts a frame or two.
    step = max(1, round(statistics.saccade_s * FPS))
    kernel = np.hanning(2 * step + 3)[1:-1]
    kernel /= kernel.sum()
    pad = len(kernel) // 2
    eyes = np.stack([np.convolve(np.pad(target[:, i], pad, mode="edge"), kernel, "valid") for i in range(2)], 1)
    eyes += 0.002 * slow_noise(num_frames, 2, 0.3, generator) * np.minimum(np.arange(num_frames) / FPS, 1)[:, None]
    # The eyes hold the camera against the head: yaw about y is to the subject's left, pitch about x is down.
    eyes += np.stack([-head_rotation[:, 1], head_rotation[:, 0]], 1)
    result: FloatArray = np.clip(eyes, -0.35, 0.35).astype(np.float32)
    return result


def eye_look(gaze: FloatArray, lids: FloatArray) -> dict[int, FloatArray]:
    """gaze: (T, 2), lids: (T, 2) left, right -> ARKit columns: the eight `eyeLook*` and the two `eyeBlink*`."""
    yaw = gaze[:, 0] / arkit.EYE_LOOK_YAW_RAD
    up, down = gaze[:, 1] / arkit.EYE_LOOK_UP_RAD, -gaze[:, 1] / arkit.EYE_LOOK_DOWN_RAD
    left, right = np.clip(yaw, 0, 1), np.clip(-yaw, 0, 1)
    columns = {
        "eyeLookOutLeft": left, "eyeLookInRight": left, "eyeLookInLeft": right, "eyeLookOutRight": right,
        "eyeLookUpLeft": np.clip(up, 0, 1), "eyeLookUpRight": np.clip(up, 0, 1),
        "eyeLookDownLeft": np.clip(down, 0, 1), "eyeLookDownRight": np.clip(down, 0, 1),
        "eyeBlinkLeft": lids[:, 0], "eyeBlinkRight": lids[:, 1],
    }  # fmt: skip
    return {arkit.INDEX[name]: value.astype(np.float32) for name, value in columns.items()}
