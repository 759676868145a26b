"""A talker's tracked motion beside the one that is made from the same sound: mouth, brows, gaze and head over the waveform.

    python scripts/plot_motion.py clip.mp4 -o plot.png                 # needs matplotlib: pip install matplotlib
    python scripts/plot_motion.py clip.mp4 --emotion happy --seed 3 -o plot.png --start 2 --seconds 4

The lips should lie on one another, but for what the sound does not say; brows, gaze and head should not: no sound says where
a person looks. What to see there is whether ours move as much, as fast and as seldom. Angles are from each motion's median.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talkinghead import arkit
from talkinghead.audio.waveform import load_audio
from talkinghead.errors import TalkingHeadError
from talkinghead.evaluation.clips import LipCurves, tracked_points
from talkinghead.evaluation.correlation import MAX_LAG, best_correlation
from talkinghead.pipeline import TalkingHead
from talkinghead.rig.fitting import fit_motion
from talkinghead.types import FPS, SAMPLE_RATE, Audio, FaceMotion, FloatArray
from talkinghead.video.reader import read_frames

REAL, OURS = "#222222", "#c2410c"
BROWS = ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")
FROWNS = ("browDownLeft", "browDownRight")


@dataclass(frozen=True, eq=False)
class Curves:
    """What is drawn, (T,) each: `title` says in which unit."""

    title: str
    real: FloatArray
    ours: FloatArray


def curves(real: FaceMotion, ours: FaceMotion, real_lips: LipCurves, our_lips: LipCurves) -> list[Curves]:
    """Two performances and their lips -> the panels, from the mouth up."""

    def brows(motion: FaceMotion) -> FloatArray:
        raised = motion.blendshapes[:, [arkit.INDEX[name] for name in BROWS]].mean(1)
        lowered = motion.blendshapes[:, [arkit.INDEX[name] for name in FROWNS]].mean(1)
        return np.asarray(raised - lowered, np.float32)

    def degrees(angle: FloatArray) -> FloatArray:
        return np.asarray(np.degrees(angle - np.median(angle)), np.float32)

    panels = [
        Curves("lip opening / eye distance", real_lips.opening, our_lips.opening),
        Curves("lip width / eye distance", real_lips.width, our_lips.width),
        Curves("brows, up less down", brows(real), brows(ours)),
    ]
    for name, column in (("gaze to the left, deg", 0), ("gaze up, deg", 1)):
        panels.append(Curves(name, degrees(real.gaze[:, column]), degrees(ours.gaze[:, column])))
    for name, column in (("head nod, deg", 0), ("head turn, deg", 1), ("head tilt, deg", 2)):
        panels.append(Curves(name, degrees(real.head_rotation[:, column]), degrees(ours.head_rotation[:, column])))
    return panels


def draw(audio: Audio, panels: list[Curves], output: Path, title: str, start_s: float, seconds: float) -> None:
    """The waveform and a panel a curve, from `start_s` for `seconds`, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1.4 * (len(panels) + 1)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels) + 1, 1, sharex=True)
    samples = audio.samples[:: SAMPLE_RATE // 2000]
    axes[0].plot(np.arange(len(samples)) / 2000, samples, color="#8a8a8a", linewidth=0.5)
    axes[0].set_ylabel("sound", fontsize=7)
    axes[0].set_title(title, fontsize=9, loc="left")
    for axis, panel in zip(axes[1:], panels, strict=True):
        for name, curve, colour in (("tracked", panel.real, REAL), ("generated", panel.ours, OURS)):
            axis.plot(np.arange(len(curve)) / FPS, curve, color=colour, linewidth=1, label=name)
        axis.set_ylabel(panel.title.replace(", ", "\n").replace(" / ", "\n/ "), fontsize=7)
    for axis in axes:
        axis.tick_params(labelsize=6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[1].legend(loc="upper right", fontsize=7, frameon=False, ncols=2)
    axes[-1].set_xlabel("s", fontsize=7)
    axes[-1].set_xlim(start_s, start_s + seconds)
    figure.savefig(output, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, help="a video of one talker, with sound")
    parser.add_argument("-o", "--output", type=Path, required=True, help="a .png")
    parser.add_argument("--emotion", default="neutral")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=float, default=0.0, help="s")
    parser.add_argument("--seconds", type=float, help="how much is drawn (default: to the end)")
    parser.add_argument("--checkpoint", type=Path)
    options = parser.parse_args()
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        sys.exit("plot_motion: matplotlib is not installed; run: pip install matplotlib")
    try:
        head = TalkingHead.from_pretrained(options.checkpoint)
        audio = load_audio(options.clip)
        faces = list(head.tracker.track(read_frames(options.clip)))
        seen = np.array([face is not None for face in faces])
        if not seen.any():
            sys.exit(f"plot_motion: {options.clip}: no face is seen in it; use a video that shows one.")
        first = next(face for face in faces if face is not None)
        points = np.stack([(face or first).points for face in faces])
        scores = np.stack([(face or first).scores for face in faces])
        real, _ = fit_motion(points, scores, head.rig, seen.astype(np.float32))
        ours = head.animate(audio, options.emotion, seed=options.seed)
    except TalkingHeadError as error:
        sys.exit(f"plot_motion: {error}")
    real_lips, our_lips = LipCurves.of(tracked_points(faces)), LipCurves.of(head.rig(ours).vertices)
    r = best_correlation(our_lips.opening, real_lips.opening)
    title = f"{options.clip.name}: lip opening r {r:.2f}, lag at most {MAX_LAG} frames"
    seconds = options.seconds or audio.duration_s - options.start
    draw(audio, curves(real, ours, real_lips, our_lips), options.output, title, options.start, seconds)


if __name__ == "__main__":
    main()
