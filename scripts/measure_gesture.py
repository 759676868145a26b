"""Blinks, gaze, pose, brows, vocal effort and trembling of generated motion, each beside tracked real talkers.

    python scripts/measure_gesture.py ../shared/data --prepared data

Generates from the sound of the clips of a split (one vote a talker), from 100 utterances of RAVDESS and EmoDB, and from the
split's speech in a row for half an hour. Needs what scripts/prepare_speech.py wrote.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from talkinghead.checkpoints import default_folder
from talkinghead.emotion.track import emotion_track
from talkinghead.errors import InputError, TalkingHeadError
from talkinghead.evaluation import gesture as measure
from talkinghead.motion.dataset import SpeechClip, speech_clips
from talkinghead.motion.lips import LipTravel
from talkinghead.motion.pipeline import MotionPipeline
from talkinghead.types import FPS, FaceMotion, FloatArray, SpeechFeatures

UTTERANCES = 100
DRIFT_PART_S = 300
Clips = list[tuple[SpeechClip, FaceMotion]]


def perform(pipeline: MotionPipeline, features: SpeechFeatures, seed: int) -> FaceMotion:
    """A neutral performance."""
    whole = SpeechFeatures(features.content.astype(np.float32), features.loudness)
    return pipeline(whole, emotion_track("neutral", 0, len(whole)), seed=seed)


def row(name: str, values: FloatArray, form: str = "8.4f") -> str:
    return f"{name:<24}" + " ".join(f"{value:{form}}" for value in values)


def spread_table(pairs: Clips) -> Iterator[str]:
    """Deviation within a clip, of the same clips."""
    real, ours = (measure.per_talker([(c.talker, measure.spread(m)) for c, m in side]) for side in _sides(pairs))
    yield f"\nspread within a clip, median of {len({c.talker for c, _ in pairs})} talkers: " + ", ".join(measure.SPREADS)
    yield from (row("real", real), row("ours", ours), row("ours / real (0.5 to 2)", ours / real, "8.2f"))


def blink_table(pairs: Clips, long: FaceMotion) -> Iterator[str]:
    """Rates and lengths; a talker of a few seconds has no rate of their own."""
    yield "\nblinks                   a minute   length s: 2.5 %, median, 97.5 %"
    rows = [measure.blink_statistics(clip.motion) for clip, _ in pairs]
    minutes = sum(len(clip) for clip, _ in pairs) / FPS / 60
    yield _blinks("real, all clips", sum(len(lengths) for _, lengths in rows) / minutes, np.concatenate([x for _, x in rows]))
    ten = long[: 600 * FPS]
    yield _blinks("ours, 10 min", *measure.blink_statistics(ten))
    firsts = [np.flatnonzero(motion.blendshapes[:, measure.LIDS].mean(1) > 0.5) for _, motion in pairs]
    late = max(frames[0] / FPS if len(frames) else np.inf for frames in firsts)
    yield f"ours, latest first blink of {len(pairs)} clips: {late:.2f} s"


def _blinks(name: str, rate: float, lengths: FloatArray) -> str:
    return f"{name:<24} {rate:8.1f}   " + " ".join(f"{x:.2f}" for x in np.percentile(lengths, [2.5, 50, 97.5]))


def drift_table(motion: FaceMotion) -> Iterator[str]:
    """The first and the last minutes."""
    first_mean, first_spread, last_mean, last_spread = measure.drift(motion, DRIFT_PART_S)
    yield f"\n{len(motion) / FPS / 60:.0f} min, its first and last 5: pitch yaw roll, right up forward, gaze yaw pitch"
    yield from (row("mean, first", first_mean), row("mean, last", last_mean))
    yield from (row("deviation, first", first_spread), row("deviation, last", last_spread))
    for name, part in (("first", motion[: DRIFT_PART_S * FPS]), ("last", motion[-DRIFT_PART_S * FPS :])):
        yield f"blinks a minute, {name}: {measure.blink_statistics(part)[0]:.1f}"


def effort_table(pairs: Clips, pipeline: MotionPipeline, voices: list[Path]) -> Iterator[str]:
    """Pearson r within an utterance, mean and 95 % interval over utterances."""
    yield "\nvocal effort, r with     brows                      head's speed"
    found = [measure.effort_correlations(clip.motion, clip.features.loudness) for clip, _ in pairs]
    yield _efforts(f"real, {len(found)} clips", found)
    talkers = sorted({clip.talker for clip, _ in pairs})
    votes = [np.nanmean([f for f, (c, _) in zip(found, pairs, strict=True) if c.talker == name], axis=0) for name in talkers]
    yield _efforts(f"real, {len(talkers)} talkers", [(float(a), float(b)) for a, b in votes])
    yield _efforts("ours, the same clips", [measure.effort_correlations(m, c.features.loudness) for c, m in pairs])
    ours, others = [], []
    features = [load_features(path) for path in voices]
    for seed, heard in enumerate(features):
        motion = perform(pipeline, heard, seed)
        ours.append(measure.effort_correlations(motion, heard.loudness))
        other = features[(seed + 1) % len(features)].loudness
        shorter = min(len(other), len(motion))
        others.append(measure.effort_correlations(motion[:shorter], other[:shorter]))
    yield _efforts(f"ours, {len(ours)} utterances", ours)
    yield _efforts("chance: another's voice", others)


def _efforts(name: str, pairs: list[tuple[float, float]]) -> str:
    brows, head = (measure.mean_correlation([pair[i] for pair in pairs]) for i in range(2))
    return f"{name:<24} " + "   ".join(f"{x.mean:+.3f} [{x.low:+.3f}, {x.high:+.3f}]" for x in (brows, head))


def trembling_table(pairs: Clips, travel: LipTravel) -> Iterator[str]:
    """Power above 8 Hz of the same clips, median over talkers."""

    def powers(motion: FaceMotion) -> FloatArray:
        lips = measure.trembling((motion.blendshapes @ travel.parting)[:, None])
        head = [measure.trembling(x) for x in (motion.head_rotation, motion.head_translation)]
        return np.array([lips, *head], np.float64) * 1e6

    real, ours = (measure.per_talker([(c.talker, powers(m)) for c, m in side]) for side in _sides(pairs))
    yield "\npower above 8 Hz x 1e6: opening of the lips (eye distances), head rotation (rad), head translation (m)"
    yield from (row("real", real, "8.3f"), row("ours", ours, "8.3f"), row("ours / real (at most 1.2)", ours / real, "8.2f"))


def _sides(pairs: Clips) -> tuple[Clips, Clips]:
    return [(clip, clip.motion) for clip, _ in pairs], pairs


def load_features(path: Path) -> SpeechFeatures:
    with np.load(path) as file:
        return SpeechFeatures(file["content"].astype(np.float32), file["loudness"])


def in_a_row(clips: list[SpeechClip], minutes: float) -> SpeechFeatures:
    """The split's speech, again and again, content left out but for its width: gestures do not hear it."""
    loudness = np.concatenate([clip.features.loudness for clip in clips])
    num_frames = round(minutes * 60 * FPS)
    loudness = np.resize(loudness, num_frames)
    return SpeechFeatures(np.zeros((num_frames, clips[0].features.content.shape[1]), np.float32), loudness)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds manifest.jsonl")
    parser.add_argument("--prepared", type=Path, default=Path("data"), help="folder that holds prepared, features and motion")
    parser.add_argument("--split", default="eval", help="which clips: eval or train")
    parser.add_argument("--minutes", type=float, default=30, help="of the long performance")
    parser.add_argument("--checkpoint", type=Path, default=default_folder(), help="folder of models")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        pipeline = MotionPipeline.from_pretrained(options.checkpoint)
        found = speech_clips(options.data, options.prepared, options.split, aligned=True)
        clips = [clip for clip in found if measure.long_enough(clip.motion) and not clip.known_talker]
        if not clips:
            raise InputError(f"{options.prepared}: no prepared clip of {options.split}; run scripts/prepare_speech.py first.")
        voices = [path for name in ("ravdess", "emodb") for path in _spaced(options.prepared / "features/voices" / name)]
        if pipeline.travel is None:
            raise InputError(f"{options.checkpoint}: its articulator knows no lips; train one with a rig.")
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    pairs = [(clip, perform(pipeline, clip.features, seed)) for seed, clip in enumerate(clips)]
    long = perform(pipeline, in_a_row(clips, options.minutes), 0)
    for table in (
        spread_table(pairs),
        blink_table(pairs, long),
        drift_table(long),
        effort_table(pairs, pipeline, voices),
        trembling_table(pairs, pipeline.travel),
    ):
        print("\n".join(table), flush=True)


def _spaced(folder: Path) -> list[Path]:
    """As many utterances of a folder as its half of `UTTERANCES`, evenly over its names."""
    files = sorted(folder.glob("*.npz"))
    picks = np.unique(np.linspace(0, len(files) - 1, UTTERANCES // 2).round().astype(int)) if files else []
    return [files[pick] for pick in picks]


if __name__ == "__main__":
    main()
