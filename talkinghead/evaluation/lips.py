"""Held-out talkers -> do the generated lips follow the real ones, do they close, do emotions show.

Lip opening is the distance of the inner lips' middles (points 13 and 14) over the distance of the outer eye corners (33, 263).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.audio.speech_encoder import loudness_dbfs
from talkinghead.audio.waveform import load_audio
from talkinghead.motion.dataset import lip_opening
from talkinghead.pipeline import TalkingHead
from talkinghead.training import read_manifest
from talkinghead.types import EMOTIONS, FPS, SAMPLES_PER_FRAME, Audio, ByteArray, FloatArray, Portrait, TrackedFace
from talkinghead.video.reader import read_frames

MAX_LAG: Final = 2
RENDERED_FRAMES: Final = 75
CLOSED_GAPS: Final = (0.06, 0.035)
"""Lips count as closed when their gap is under this part of the mouth's width, leniently and strictly."""
BEFORE_S, AFTER_S = 0.12, 0.12
"""A p, b or m that begins a word closes the lips somewhere from this long before the word's start to this long after it."""


@dataclass(frozen=True, eq=False)
class TalkingClip:
    """A held-out clip: whose, its sound, first frame, and tracked points, (T, 478, 3) px, NaN where no face was seen."""

    file: str
    source: str
    identity: str
    audio: Audio
    points: FloatArray
    picture: ByteArray


def talking_clips(head: TalkingHead, data: Path, split: str) -> Iterator[TalkingClip]:
    """Clips with sound of people who are in no training clip; a soundtrack of digital silence is no sound."""
    for row in read_manifest(data):
        wanted = row["split"] == split and row["audio"] and not row.get("identity_in_train", False)
        if wanted and np.any(load_audio(data / row["file"]).samples):
            yield load_clip(head, data, row["file"], row["identity"])


def load_clip(head: TalkingHead, data: Path, file: str, identity: str) -> TalkingClip:
    """Sound and tracked points of one clip."""
    picture = next(read_frames(data / file))
    points = _points(head.tracker.track(read_frames(data / file)))
    return TalkingClip(file, file.split("/")[1], identity, load_audio(data / file), points, picture)


def _points(faces: Iterable[TrackedFace | None]) -> FloatArray:
    return np.stack([np.full((478, 3), np.nan, np.float32) if face is None else face.points for face in faces])


def lip_gap(points: FloatArray) -> FloatArray:
    """(T, 478 or more, 3) -> (T,) the gap between the inner lips as it is seen, mean of five places, over the mouth's width.

    Depth does not count: an angry jaw pushed forward leaves no gap between lips that meet.
    """
    upper, lower = points[:, [81, 82, 13, 312, 311], :2], points[:, [178, 87, 14, 317, 402], :2]
    gap = np.linalg.norm(upper - lower, axis=2).mean(1)
    width = np.maximum(np.linalg.norm(points[:, 61, :2] - points[:, 291, :2], axis=1), 1e-9)
    return np.asarray(gap / width, np.float32)


def best_correlation(generated: FloatArray, real: FloatArray, max_lag: int = MAX_LAG) -> float:
    """Pearson r of two curves, the best of lags of up to `max_lag` frames; frames that are not finite are left out.

    0 when the generated curve does not move; NaN when the real one does not, or on ten frames or fewer: nothing to compare.
    """
    length = min(len(generated), len(real))
    best = float("nan")
    for lag in range(-max_lag, max_lag + 1):
        a = generated[max(0, lag) : length + min(0, lag)]
        b = real[max(0, -lag) : length + min(0, -lag)]
        keep = np.isfinite(a) & np.isfinite(b)
        if keep.sum() > 10 and b[keep].std() > 1e-9:
            best = float(np.fmax(best, np.corrcoef(a[keep], b[keep])[0, 1] if a[keep].std() > 1e-9 else 0.0))
    return best


def lip_table(head: TalkingHead, clips: list[TalkingClip], rendered: bool = True) -> dict[str, dict[str, float]]:
    """Row -> source (and "mean", "talkers") -> mean r, one vote a talker.

    The rendered row is a talker's first clip, its first `RENDERED_FRAMES` frames; the motion of those very frames is beside it.
    """
    scores: dict[str, dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    curves = [lip_opening(head.rig(head.animate(clip.audio, "neutral", seed=0)).vertices) for clip in clips]
    drawn: set[str] = set()
    for index, clip in enumerate(clips):
        real, who = lip_opening(clip.points), (clip.source, clip.identity)
        votes = {
            "generated motion": curves[index],
            "loudness": _loudness(clip.audio),
            "uLipSync (pylipsync)": _ulipsync(clip.audio),
        }
        others = zip(clips[index + 1 :] + clips, curves[index + 1 :] + curves, strict=True)
        votes["chance: another clip's sound"] = next((curve for c, curve in others if c.identity != clip.identity), None)
        if rendered and clip.identity not in drawn and np.isfinite(clip.points[0]).all():
            drawn.add(clip.identity)
            votes[f"rendered video, tracked again (first {RENDERED_FRAMES} frames)"] = _rendered(head, clip)
            votes[f"generated motion (first {RENDERED_FRAMES} frames)"] = curves[index][:RENDERED_FRAMES]
        for row, curve in votes.items():
            if curve is not None:
                scores[row][who].append(best_correlation(curve, real))
    return {row: _by_source(votes_of) for row, votes_of in scores.items()}


def _loudness(audio: Audio) -> FloatArray:
    """(T,) dBFS, the last frame filled with silence."""
    return loudness_dbfs(np.pad(audio.samples, (0, audio.num_frames * SAMPLES_PER_FRAME - len(audio.samples))))


def _by_source(votes: dict[tuple[str, str], list[float]]) -> dict[str, float]:
    talkers = {who: float(np.nanmean(values)) for who, values in votes.items() if np.isfinite(values).any()}
    sources = sorted({source for source, _ in talkers})
    table = {source: float(np.mean([v for (s, _), v in talkers.items() if s == source])) for source in sources}
    mean = float(np.mean(list(talkers.values()))) if talkers else float("nan")
    return {"mean": mean, "talkers": float(len(talkers)), **table}


def _rendered(head: TalkingHead, clip: TalkingClip) -> FloatArray:
    """The clip's first frame driven by its sound, (T,) lip opening of the result as the tracker sees it."""
    motion = head.animate(clip.audio, "neutral", seed=0)
    face = head.tracker.detect(clip.picture)[0]
    portrait = Portrait(clip.picture, np.ones(clip.picture.shape[:2], np.float32), face)
    return lip_opening(_points(head.tracker.track(head.render(portrait, motion[:RENDERED_FRAMES]))))


def _ulipsync(audio: Audio) -> FloatArray | None:
    """(T,) mouth opening by uLipSync's port, None when it is not installed (`pip install --no-deps pylipsync`)."""
    try:
        from pylipsync import PhonemeAnalyzer
    except ImportError:
        return None
    segments = PhonemeAnalyzer().extract_phoneme_segments(audio.samples, 16_000, fps=FPS)
    opening = {"aa": 1.0, "ih": 0.4, "ou": 0.4, "ee": 0.5, "oh": 0.7}
    return np.array([sum(opening.get(p.name, 0.0) * p.target for p in s.phonemes) for s in segments], np.float32)


def closure_table(head: TalkingHead, data: Path, split: str) -> dict[str, tuple[float, int]]:
    """Row -> (part of the word-initial p, b, m of GRID's talker s1 at which the lips close, how many there were).

    The sentences of `eval` were never heard in training; other sentences of this talker were.
    """
    words: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    with (data / "grid_align/grid_s1_words.tsv").open() as file:
        for word_row in csv.DictReader(file, delimiter="\t"):
            times = float(word_row["start_s"]), float(word_row["end_s"])
            words[Path(word_row["clip"]).stem].append((*times, word_row["word"]))
    hits: dict[str, list[bool]] = defaultdict(list)
    for video in sorted((data / split / "grid_s1").glob("*.mp4")):
        clip = load_clip(head, data, str(video.relative_to(data)), "grid_s1")
        gaps = {
            "real talker": lip_gap(clip.points),
            "generated motion": lip_gap(head.rig(head.animate(clip.audio, "neutral", seed=0)).vertices),
            "generated, happy at 1": lip_gap(head.rig(head.animate(clip.audio, "happy", 1.0, seed=0)).vertices),
            "chance: the sound turned round": lip_gap(
                head.rig(head.animate(Audio(np.ascontiguousarray(clip.audio.samples[::-1])), "neutral", seed=0)).vertices
            ),
        }
        for start_s, _, word in words[video.stem]:
            if word[0] not in "pbm":
                continue
            span = slice(max(0, round((start_s - BEFORE_S) * FPS)), round((start_s + AFTER_S) * FPS) + 1)
            for row, gap in gaps.items():
                part = gap[span]
                for limit in CLOSED_GAPS:
                    hits[f"{row}, gap under {limit}"].append(bool(part.size) and bool(np.nanmin(part) < limit))
    return {row: (float(np.mean(values)), len(values)) for row, values in hits.items()}


SIGNS: Final[dict[str, tuple[str, ...]]] = {
    "angry": ("browDownLeft", "browDownRight", "eyeSquintLeft"),
    "contempt": ("mouthDimpleLeft", "mouthSmileLeft"),
    "disgusted": ("noseSneerLeft", "noseSneerRight", "mouthUpperUpLeft"),
    "fear": ("browInnerUp", "eyeWideLeft", "mouthStretchLeft"),
    "happy": ("mouthSmileLeft", "mouthSmileRight", "cheekSquintLeft"),
    "sad": ("browInnerUp", "mouthFrownLeft", "mouthFrownRight"),
    "surprised": ("browInnerUp", "browOuterUpLeft", "eyeWideLeft"),
}
"""Which columns say each emotion (EMFACS)."""


def emotion_table(head: TalkingHead, audio: Audio) -> dict[str, list[float]]:
    """Emotion -> mean of its columns at intensity 0, 0.25, 0.5, 0.75, 1, on one sentence."""
    table = {}
    for emotion in EMOTIONS:
        if emotion in SIGNS:
            columns = [arkit.INDEX[name] for name in SIGNS[emotion]]
            steps = (0.0, 0.25, 0.5, 0.75, 1.0)
            table[emotion] = [float(head.animate(audio, emotion, k, seed=0).blendshapes[:, columns].mean()) for k in steps]
    return table
