"""A curve of the lids -> when it blinks, and blinks at given times -> how far the lids are shut.

Lids shut faster than they open. Knows lids; knows no network. Sources: Bentivoglio et al., "Analysis of blink rate patterns in
normal subjects", 1997 (rates); Evinger, Manning, Sibony, "Eyelid movements", 1991 (phases).
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import Final

import numpy as np

from talkinghead.motion.gesture_dataset import LIDS, GestureClip
from talkinghead.motion.knobs import BlinkRate
from talkinghead.types import FPS, FloatArray

BLINK_DEPTH: Final = 0.4
SHUT_S: Final = 0.02
SHORTEST_INTERVAL_S: Final = 0.6
FIRST_BLINK_S: Final = (0.4, 1.6)
USUAL_RATES: Final = (12.0, 22.0)
"""Blinks a minute between which most people are, and between which ours are kept when nobody asks otherwise."""
PACES, DEPTHS = (0.85, 1.2), (0.94, 1.0)
"""Of its own phases each blink takes so much, and shuts so far."""
LEAD_S: Final = 0.003
"""Deviation of what one lid is ahead of the other: a tenth of a frame is seen as a wink already."""
_LONGEST_S: Final = 0.5
_HALF, _STEEP, _UP = 0.35, 1.8, 2.2
"""Of the time that opening takes: when a lid is half open again; how steeply it opens then; when it is wholly open."""


@dataclass(frozen=True)
class BlinkHabits:
    """How often, and how long the lids take to shut and to open."""

    per_minute: float = 17.0
    closing_s: float = 0.08
    opening_s: float = 0.16


def blink_habits(clips: list[GestureClip]) -> BlinkHabits:
    """Of the clips' talkers. Rates of talkers seen for seconds only are coarse: all their blinks over all their time, none for
    more than a minute; phases are medians over all blinks."""
    seconds: dict[str, float] = {}
    blinks: dict[str, list[tuple[int, float, float]]] = {}
    for clip in clips:
        seconds[clip.talker] = seconds.get(clip.talker, 0) + len(clip) / FPS
        blinks.setdefault(clip.talker, []).extend(find_blinks(clip.curves[:, LIDS]))
    share = {talker: min(1.0, 60 / seconds[talker]) for talker in seconds}
    rate = 60 * sum(share[t] * len(blinks[t]) for t in share) / sum(share[t] * seconds[t] for t in share)
    phases = np.array([blink[1:] for rows in blinks.values() for blink in rows])
    closing, opening = np.median(phases, axis=0) if len(phases) else (0.08, 0.16)
    return BlinkHabits(
        per_minute=round(float(np.clip(rate, 12, 24)), 1),
        closing_s=round(float(np.clip(closing, 0.06, 0.12)), 3),
        opening_s=round(float(np.clip(opening, 0.1, 0.24)), 3),
    )


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
            if stop - start <= _LONGEST_S * FPS:
                found.append((frame, (frame - start) / FPS, (stop - frame) / FPS))
            frame = stop
        frame += 1
    return found


def blink_times(lids: FloatArray, habits: BlinkHabits, rate: BlinkRate, seed: int) -> FloatArray:
    """When the lids begin to shut, (N,) seconds, in order.

    Blinks come where the model's lids blink, kept within what people do and the first one within two seconds; what a rate
    asks beyond is added in the longest pauses, what it forbids is left out at random.

    Args:
        lids: (T,) the model's.
        habits: of the training clips' talkers.
        rate: what the user asked.
        seed: which to add and which to leave out.
    """
    length_s = len(lids) / FPS
    if rate.times_s is not None:
        return np.array([time for time in rate.times_s if time < length_s], np.float32)
    random = np.random.default_rng([seed, 1])
    own = np.array([frame / FPS - habits.closing_s for frame, _, _ in find_blinks(lids)])
    times = list(own[(np.diff(own, prepend=-1.0) > SHORTEST_INTERVAL_S) & (own > 0.2)])
    low, high = (rate_limit * length_s / 60 for rate_limit in USUAL_RATES)
    count = float(np.clip(len(times), low, high))
    if rate.per_minute is not None:
        count = rate.per_minute * length_s / 60
    elif rate.factor is not None:
        count *= rate.factor
    wanted = int(count + random.uniform())
    if count > 0 and (not times or times[0] > FIRST_BLINK_S[1]):
        first = random.uniform(*FIRST_BLINK_S) if length_s > 2 else random.uniform(0.2, 0.6) * length_s
        times = [first, *(time for time in times if time > first + SHORTEST_INTERVAL_S)]
        wanted = max(wanted, 1)
    while len(times) > wanted:
        times.pop(int(random.integers(1 if len(times) > 1 else 0, len(times))))
    return np.array(_with_more(times, wanted, length_s, random), np.float32)


def _with_more(times: list[float], wanted: int, length_s: float, random: np.random.Generator) -> list[float]:
    """More blinks at random, none close to another, until there are enough or none can be placed."""
    more = sorted(times)
    for time in random.uniform(min(FIRST_BLINK_S[0], length_s), length_s, 20 * max(0, wanted - len(more))):
        if len(more) >= wanted:
            break
        place = bisect.bisect(more, time)
        if all(abs(time - near) > SHORTEST_INTERVAL_S for near in more[max(0, place - 1) : place + 1]):
            more.insert(place, float(time))
    return more


def blinks(num_frames: int, times_s: FloatArray, habits: BlinkHabits, seed: int) -> FloatArray:
    """times_s: (N,) -> (T, 2) how far the left and the right lid are shut, in [0, 1]; each blink a little its own."""
    lids = np.zeros((num_frames, 2), np.float32)
    random = np.random.default_rng([seed, 7])
    for time_s in times_s:
        pace, depth, lead = random.uniform(*PACES), random.uniform(*DEPTHS), random.normal(0, LEAD_S)
        first = max(0, int((time_s - 0.1) * FPS))
        frames = np.arange(first, min(num_frames, first + round((longest_blink_s(habits) + 0.2) * FPS)))
        for side in range(2):
            shape = blink_shape(frames / FPS - time_s - (lead if side else 0.0), pace, habits)
            lids[frames, side] = np.maximum(lids[frames, side], depth * shape)
    return lids


def longest_blink_s(habits: BlinkHabits) -> float:
    """From the first to the last bit of the slowest blink."""
    return PACES[1] * (habits.closing_s + SHUT_S + _UP * habits.opening_s)


def blink_shape(time_s: FloatArray, pace: float, habits: BlinkHabits) -> FloatArray:
    """Seconds since the lids began to move -> how far they are shut: down fast, a moment shut, up at first fast, then slowly.

    Fitted to 1,347 blinks of training clips: in the frames after the deepest, lids are .79 .42 .23 .16 .16 as far shut,
    ours .77 .42 .24 .15 .10.
    """
    closing, shut, opening = (pace * x for x in (habits.closing_s, SHUT_S, habits.opening_s))
    down = np.clip(time_s / closing, 0, 1)
    up = np.maximum(0, time_s - closing - shut) / opening
    end = np.clip((_UP - up) / (_UP - 1), 0, 1)
    opened = end * end * (3 - 2 * end) / (1 + (up / _HALF) ** _STEEP)
    shape: FloatArray = (down * down * (3 - 2 * down) * opened).astype(np.float32)
    return shape
