"""Seconds of a person speaking -> their speaking style: the articulator's read-out, moved as little as explains this person.

Ridge regression with the shipped weights for its prior: minimise |Y - X (W + D)|^2 + penalty |D|^2 for the change D, solved in
its dual form, for there are fewer frames than features. Knows clips and read-outs; knows no files. Sources: Saunders et al.,
"Ridge Regression Learning Algorithm in Dual Variables", 1998; Gan et al., "EAT: Efficient Emotional Adaptation for Audio-Driven
Talking-Head Generation", 2023 (a light change to a frozen network).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import StyleError
from talkinghead.motion.articulator import SILENT_DBFS, Articulator
from talkinghead.motion.dataset import SpeechClip, shifted
from talkinghead.motion.gesture import GestureModel
from talkinghead.motion.gesture_blinks import find_blinks
from talkinghead.motion.gesture_dataset import CHANNELS, HEAD, LIDS, gesture_curves, head_speed
from talkinghead.motion.gesture_face import head_pose
from talkinghead.motion.lip_correlation import pearson
from talkinghead.motion.readout import gains, predict
from talkinghead.motion.ridge import with_neighbours
from talkinghead.motion.smoothing import binomial
from talkinghead.motion.style import Habits, SpeakingStyle, fingerprint
from talkinghead.motion.training_clips import TrainingClip, training_clip
from talkinghead.types import EMOTIONS, FPS, EmotionTrack, FloatArray, SpeechFeatures

MIN_S: Final = 10.0
MAX_S: Final = 120.0
PENALTY: Final = 6.5
"""Of z-scored features, for each of them. Chosen on talkers of `train`, each left out of the read-out that was adapted to them:
2 is best for ten seconds of GRID, where a grammar repeats itself, 6.5 to 13 for halves of five-second clips in the wild, and 22
loses a third of what GRID gains. Chosen for each person by their own left-out blocks it does worse in the wild."""
MAX_LEAD: Final = 5
MIN_R: Final = 0.25
"""What 95 in 100 pairs of ten seconds of sound and of another person's lips stay under at their best lag."""
NUM_BLOCKS: Final = 5
LEAST_DEVIATION: Final = 1e-3

HEAD_SHRINKAGE: Final = 0.9
"""How much of the difference in log speed is the person's: heads differ by .42 between talkers of `train` in the wild, and the
halves of their clips by .32, which is .16 for ten seconds."""
HEAD_LIMITS: Final = (0.5, 1.6)
NUM_SEEDS: Final = 6
SETTLED_FRAMES: Final = 15
MIN_BLINKS: Final = 3
BLINK_PRIOR_S: Final = 10.6
"""Blink rates are spread as a gamma distribution of mean 17 and deviation 10 a minute, which weighs as much as so many seconds
of watching. Source: Bentivoglio et al., "Analysis of blink rate patterns in normal subjects", 1997."""
MIN_BLINK_S: Final = 20.0
BLINK_LIMITS: Final = (6.0, 40.0)

OPENING: Final = -2
"""Column of the opening of the lips among the outputs without the score of closed lips; the width is the last."""


@dataclass(frozen=True, eq=False)
class _Rows:
    """Frames in which the face was seen, each clip's about their mean.

    features: (N, D) frames with their neighbours. targets: (N, K + 2) what the person did. said: (N, K + 2) what the
    articulator says of it.
    """

    features: FloatArray
    targets: FloatArray
    said: FloatArray

    def __len__(self) -> int:
        return len(self.features)


def learn_style(clips: Sequence[SpeechClip], articulator: Articulator, gestures: GestureModel) -> SpeakingStyle:
    """Clips of one person, sound and picture as they were recorded -> the style.

    Raises:
        StyleError: less than `MIN_S` of the person, no sound, or lips that do not follow the sound.
    """
    seconds = sum(float((clip.seen > 0).sum()) for clip in clips) / FPS
    if seconds < MIN_S:
        raise StyleError(f"{_names(clips)}: a speaking face is seen for {seconds:.1f} s, at least {MIN_S:g} s are wanted.")
    for clip in clips:
        check_heard(clip.name, clip.features.loudness)
    leads = [lead(clip, articulator) for clip in clips]
    shares = [len(clip) for clip in clips]
    if (r := float(np.average([r for _, r in leads], weights=shares))) < MIN_R:
        raise StyleError(
            f"{_names(clips)}: the lips do not follow the sound (r {r:.2f}); use a video in which who is seen is who is heard."
        )
    taught = [training_clip(in_step(clip, frames)) for clip, (frames, _) in zip(clips, leads, strict=True)]
    rows = _rows(taught, articulator)
    change, left_out = _fit(rows)
    centre = articulator.centre.float().cpu().numpy().copy()
    centre[OPENING] = np.average([clip.mean[:-1][OPENING] for clip in taught], weights=[clip.seen.sum() for clip in taught])
    window = 2 * articulator.context + 1
    habits = Habits(
        fingerprint(articulator), round(seconds, 2), _head_motion(clips, gestures), _blinks(clips), _held_out(rows, left_out)
    )
    return SpeakingStyle.of(
        change.T.reshape(len(centre), window, -1).transpose(0, 2, 1), centre, _gains(rows, left_out), habits
    )


def check_heard(name: str, loudness: FloatArray) -> None:
    """loudness: (T,) dBFS of a clip; raises StyleError when it is silent throughout."""
    if loudness.max(initial=-np.inf) < SILENT_DBFS:
        raise StyleError(f"{name}: the sound is silent; use a video in which the person is heard.")


def lead(clip: SpeechClip, articulator: Articulator) -> tuple[int, float]:
    """By how many frames the picture is early, at most `MAX_LEAD`, and Pearson r of the lips' opening when that is undone."""
    content = clip.features.content.astype(np.float32)
    said = predict(articulator, content - content.mean(0))[:, :-1][:, OPENING]
    taught = training_clip(clip)
    best = 0, -1.0
    for frames in sorted(range(-MAX_LEAD, MAX_LEAD + 1), key=abs):
        sound, picture = shifted(len(clip), frames)
        seen = taught.seen[picture]
        r = pearson(said[sound][seen], taught.targets[picture][seen][:, :-1][:, OPENING])
        best = max(best, (frames, r), key=lambda pair: pair[1])
    return best


def in_step(clip: SpeechClip, frames: int) -> SpeechClip:
    """The same clip with its picture so many frames later."""
    sound, picture = shifted(len(clip), frames)
    features = SpeechFeatures(clip.features.content[sound], clip.features.loudness[sound])
    return replace(clip, features=features, motion=clip.motion[picture], points=clip.points[picture], seen=clip.seen[picture])


def _rows(clips: Sequence[TrainingClip], articulator: Articulator) -> _Rows:
    features: list[FloatArray] = []
    targets: list[FloatArray] = []
    said: list[FloatArray] = []
    for clip in clips:
        for rows, of_clip in (
            (features, with_neighbours(clip.content, articulator.context)),
            (targets, clip.targets[:, :-1]),
            (said, predict(articulator, clip.content)[:, :-1]),
        ):
            rows.append(of_clip[clip.seen] - of_clip[clip.seen].mean(0))
    return _Rows(np.concatenate(features), np.concatenate(targets), np.concatenate(said))


def _fit(rows: _Rows) -> tuple[FloatArray, FloatArray]:
    """-> the change of the weights, (D, K + 2) on raw features, and what is said of each block of frames, (N, K + 2), with a
    change that was learnt without that block."""
    deviation = rows.features.std(0) + LEAST_DEVIATION
    scaled = rows.features / deviation
    kernel, missing = scaled @ scaled.T, rows.targets - rows.said
    kernel /= rows.features.shape[1]
    change: FloatArray = (scaled.T @ _dual(kernel, missing) / (deviation[:, None] * rows.features.shape[1])).astype(np.float32)
    left_out = rows.said.copy()
    block = np.arange(len(rows)) * NUM_BLOCKS // len(rows)
    for number in range(NUM_BLOCKS):
        inside, outside = np.flatnonzero(block == number), np.flatnonzero(block != number)
        left_out[inside] += kernel[np.ix_(inside, outside)] @ _dual(kernel[np.ix_(outside, outside)], missing[outside])
    return change, left_out


def _dual(kernel: FloatArray, missing: FloatArray) -> FloatArray:
    """kernel: (N, N), missing: (N, K) -> (N, K) the weights of the frames."""
    weights: FloatArray = np.linalg.solve(kernel + np.float32(PENALTY) * np.eye(len(kernel), dtype=np.float32), missing)
    return weights


def _gains(rows: _Rows, left_out: FloatArray) -> FloatArray:
    """(K + 2,) as the articulator's own, of what is said of frames that were not learnt from."""
    spread = np.stack([(rows.targets**2).sum(0), ((left_out - left_out.mean(0)) ** 2).sum(0)])
    # `gains` takes the score of closed lips too, and gives nothing for it.
    return np.array(gains(np.pad(spread, ((0, 0), (0, 1))).astype(np.float32)), np.float32)


def _held_out(rows: _Rows, left_out: FloatArray) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, column in (("opening", OPENING), ("width", OPENING + 1)):
        found[f"{name} before"] = round(pearson(rows.said[:, column], rows.targets[:, column]), 3)
        found[name] = round(pearson(left_out[:, column], rows.targets[:, column]), 3)
    return found


def _head_motion(clips: Sequence[SpeechClip], gestures: GestureModel) -> float:
    """How fast this head moves against what is generated for the same voice."""
    logs, weights = [], []
    for clip in clips:
        real = _posed_speed(binomial(gesture_curves(clip.motion)[:, HEAD]), gestures)
        calm = EmotionTrack.from_activation(np.zeros((len(clip), len(arkit.REGIONS), len(EMOTIONS)), np.float32))
        poses = [head_pose(gestures(clip.features, calm, seed), 1.0) for seed in range(NUM_SEEDS)]
        logs.append(np.log(real) - np.mean([np.log(_posed_speed(np.concatenate(pose, axis=1), gestures)) for pose in poses]))
        weights.append(len(clip))
    factor = np.exp(HEAD_SHRINKAGE * np.average(logs, weights=weights))
    return round(float(np.clip(factor, *HEAD_LIMITS)), 3)


def _posed_speed(pose: FloatArray, gestures: GestureModel) -> float:
    """pose: (T, 6) rad and m -> usual deviations a frame, once the head has settled."""
    curves = np.zeros((len(pose), len(CHANNELS)), np.float32)
    curves[:, HEAD] = pose
    return float(head_speed(curves, gestures.scale)[min(SETTLED_FRAMES, len(pose) - 1) :].mean())


def _blinks(clips: Sequence[SpeechClip]) -> float | None:
    """Blinks a minute, drawn to the usual rate; None where too few are seen to be sure that they are seen at all."""
    count = sum(len(find_blinks(gesture_curves(clip.motion)[:, LIDS])) for clip in clips)
    seconds = sum(map(len, clips)) / FPS
    if count < MIN_BLINKS or seconds < MIN_BLINK_S:
        return None
    prior = BLINK_PRIOR_S * 17 / 60
    return round(float(np.clip(60 * (count + prior) / (seconds + BLINK_PRIOR_S), *BLINK_LIMITS)), 1)


def _names(clips: Sequence[SpeechClip]) -> str:
    return ", ".join(clip.name for clip in clips)
