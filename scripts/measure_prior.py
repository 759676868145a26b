"""What the motion prior is worth, on training talkers who taught it nothing: how near motions are to what people do, and what
generated lips lose and gain by being moved there.

    python scripts/measure_prior.py --prior runs/prior/prior --config configs/prior.yaml

Distances: root mean square over the columns of the lower face, in people's usual deviations. Chance: a real motion whose
columns are each another talker's; its frames in another order; white noise of a tenth of the columns' range upon it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.signal import welch

from talkinghead.audio.waveform import load_audio
from talkinghead.emotion.track import emotion_track
from talkinghead.evaluation.clips import lip_width
from talkinghead.motion.dataset import lip_opening
from talkinghead.motion.expression import compose, expression
from talkinghead.motion.lips import touch_lips
from talkinghead.motion.prior import INDICES, MotionPrior
from talkinghead.motion.prior_trainer import PriorConfig, talkers_of
from talkinghead.pipeline import TalkingHead
from talkinghead.training import load_config
from talkinghead.types import FaceMotion, FloatArray

MAX_LAG = 3
EMOTIONS = {
    "neutral": ("neutral", None),
    "happy 1": ("happy", 1.0),
    "angry 1": ("angry", 1.0),
    "sad 1": ("sad", 1.0),
    "disgusted 1": ("disgusted", 1.0),
    "mix happy 1, angry 1": ("happy:0.5,angry:0.5", 1.0),
    "mix surprised 1, disgusted 1": ("surprised:0.5,disgusted:0.5", 1.0),
}


def best_r(ours: FloatArray, real: FloatArray) -> float:
    """(T,) each -> the highest r within `MAX_LAG` frames."""
    found = []
    for lag in range(-MAX_LAG, MAX_LAG + 1):
        a, b = ours[max(0, lag) : len(ours) + min(0, lag)], real[max(0, -lag) : len(real) - max(0, lag)]
        seen = np.isfinite(a) & np.isfinite(b)
        found.append(np.corrcoef(a[seen], b[seen])[0, 1])
    return float(np.nanmax(found))


def trembling(blendshapes: FloatArray) -> float:
    """(T, 52) -> power above 8 Hz over the lower face."""
    frequencies, power = welch(blendshapes[:, INDICES], 25, nperseg=min(48, len(blendshapes)), axis=0)
    return float(power[frequencies > 8].sum())


def placed(head: TalkingHead, blendshapes: FloatArray) -> FloatArray:
    """(T, 52) -> vertices of the still head."""
    motion = FaceMotion.neutral(len(blendshapes))
    return head.rig(FaceMotion(blendshapes, motion.head_rotation, motion.head_translation, motion.gaze)).vertices


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prior", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True, help="the run's: it says who was held out")
    parser.add_argument("--max-clips", type=int, default=3, help="a talker")
    options = parser.parse_args()
    torch.set_num_threads(1)
    config, prior, head = (
        load_config(options.config, PriorConfig),
        MotionPrior.load(options.prior),
        TalkingHead.from_pretrained(),
    )
    console, random = Console(width=120), np.random.default_rng(0)
    talkers = [clips[: options.max_clips] for _, clips in sorted(talkers_of(config, held_out=True).items())]
    distances: dict[str, list[float]] = {}

    def note(row: str, blendshapes: FloatArray) -> None:
        distances.setdefault(row, []).append(float(prior.distance(blendshapes).mean()))

    everybody = [blendshapes for clips in talkers for _, blendshapes in clips]
    for blendshapes in everybody:
        note("real", blendshapes)
        note("real, frames in another order", random.permutation(blendshapes))
        note("real with noise", np.clip(blendshapes + random.normal(0, 0.1, blendshapes.shape), 0, 1).astype(np.float32))
        length = min(len(blendshapes), 48)
        mixed = blendshapes[:length].copy()
        for column in INDICES:
            mixed[:, column] = everybody[random.integers(len(everybody))][:48][:length, column][: len(mixed)]
        note("real, each column another's", mixed)
    scores: dict[str, dict[str, list[float]]] = {}
    variants: dict[str, Callable[[FloatArray], FloatArray]] = {"as it is": lambda x: x, "nearest in the prior": prior.nearest}
    variants["half way"] = lambda x: 0.5 * (x + prior.nearest(x))
    heard = 0
    for clips in talkers:
        for file, real in clips:
            try:
                audio = load_audio(Path(config.data) / file)
            except ValueError:
                continue
            if not audio.samples.any():
                continue
            with np.load((Path(config.prepared) / "prepared" / file).with_suffix(".npz")) as archive:
                points = archive["points"].astype(np.float32)
                points[archive["presence"] <= 0] = np.nan
            heard += 1
            features = head.heard(audio)
            talking, contacts = head.motion.articulator.articulate(features)
            count = min(len(talking), len(points), len(real))
            for name, (emotion, strength) in EMOTIONS.items():
                felt = expression(emotion_track(emotion, strength, len(talking)), 0)
                composed = compose(talking, felt)
                for variant, change in variants.items():
                    final = touch_lips(np.clip(change(composed), 0, 1), contacts, head.motion.travel)[:count]
                    row = scores.setdefault(f"{name}, {variant}", {})
                    row.setdefault("distance", []).append(float(prior.distance(final).mean()))
                    row.setdefault("trembling / real", []).append(trembling(final) / trembling(real[:count]))
                    vertices = placed(head, final)
                    row.setdefault("opening r", []).append(best_r(lip_opening(vertices), lip_opening(points[:count])))
                    row.setdefault("width r", []).append(best_r(lip_width(vertices), lip_width(points[:count])))
                    row.setdefault("expression kept", []).append(_kept(final, composed[:count], talking[:count]))
    table = Table("motion", "distance", title=f"{len(talkers)} held-out talkers, {len(everybody)} clips")
    for name, values in distances.items():
        table.add_row(name, f"{np.mean(values):.3f}")
    console.print(table)
    columns = list(next(iter(scores.values())))
    table = Table("generated", *columns, title=f"{heard} clips with sound; trembling: median, the rest means")
    for name, row in scores.items():
        cells = [np.nanmedian(row[c]) if "trembling" in c else np.nanmean(row[c]) for c in columns]
        table.add_row(name, *(f"{value:.3f}" for value in cells))
    console.print(table)


def _kept(final: FloatArray, composed: FloatArray, talking: FloatArray) -> float:
    """How much of what the emotion added to the lower face is still there, 1 all; NaN where it added nothing."""
    added = (composed - talking)[:, INDICES].mean(0)
    if np.abs(added).max() < 0.05:
        return float("nan")
    return float(((final - talking)[:, INDICES].mean(0) @ added) / (added @ added))


if __name__ == "__main__":
    main()
