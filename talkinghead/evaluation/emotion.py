"""The judge: which emotion a face shows, learnt from the tracked motion of acted clips, asked about ours.

It measures only: it learns from clips of `eval`, and nothing that is made may be chosen by it. A clip is the mean and the
deviation of each blendshape over time, less the mean of all clips of that person, for a resting face tells more of whose it
is than of how they feel; so it needs people of whom there are several emotions. Knows blendshapes; head and gaze are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead import arkit
from talkinghead.audio.waveform import load_audio
from talkinghead.emotion.easing import EASE_S
from talkinghead.errors import InputError
from talkinghead.evaluation.classifier import Labels, fit_linear, unweighted_recall
from talkinghead.motion.io import load_motion
from talkinghead.pipeline import TalkingHead
from talkinghead.rig.fitting import fit_motion
from talkinghead.training import read_manifest
from talkinghead.types import EMOTIONS, FPS, FaceMotion, FloatArray, Portrait

ACTED: Final = ("mead_", "javanese_emotion")
"""How the folders of acted clips begin."""
LEAST_CLIPS: Final = 6
PENALTY: Final = 0.1
"""Chosen by the judge's own figure on real clips, people held out: of .003, .01, .03 and .1."""
RENDERED_PX: Final = 256
RENDERED_FRAMES: Final = 50
_COLUMNS: Final = [index for index in range(len(arkit.BLENDSHAPES)) if index not in arkit.EYE_LOOK]


@dataclass(frozen=True, eq=False)
class Acted:
    """Acted clips: x (N, F) with the person's mean taken out, label (N,), person (N,), row of the manifest each."""

    x: FloatArray
    label: Labels
    person: np.ndarray[tuple[int], np.dtype[np.str_]]
    rows: list[dict[str, Any]]


def clip_statistics(motion: FaceMotion) -> FloatArray:
    """(F,) mean and deviation over time of every blendshape but where the eyes look."""
    values = motion.blendshapes[:, _COLUMNS]
    statistics: FloatArray = np.concatenate([values.mean(0), values.std(0)]).astype(np.float32)
    return statistics


def load_acted(data: Path, motion: Path, split: str = "eval") -> Acted:
    """Clips of acted emotions of people who have at least six.

    data: folder of the manifest; motion: what `scripts/prepare_speech.py` fitted.

    Raises:
        InputError: there are none.
    """
    of_person: dict[str, list[tuple[FloatArray, dict[str, Any]]]] = defaultdict(list)
    for row in read_manifest(data):
        folder = Path(row["file"]).parts[1] if len(Path(row["file"]).parts) > 1 else ""
        file = motion / Path(row["file"]).with_suffix(".npz")
        if row["split"] == split and folder.startswith(ACTED) and row.get("emotion") in EMOTIONS and file.is_file():
            of_person[row["identity"]].append((clip_statistics(load_motion(file)), row))
    x, person, rows = [], [], []
    for name, clips in of_person.items():
        if len(clips) >= LEAST_CLIPS:
            x += [statistics - np.mean([s for s, _ in clips], axis=0) for statistics, _ in clips]
            person += [name] * len(clips)
            rows += [row for _, row in clips]
    if not rows:
        raise InputError(f"motion {motion}: holds no acted clips of {split}; run scripts/prepare_speech.py first.")
    label = np.array([EMOTIONS.index(row["emotion"]) for row in rows])
    return Acted(np.stack(x).astype(np.float32), label, np.array(person), rows)


def judged_real(acted: Acted) -> Labels:
    """(N,) what each real clip is taken for by a judge that has not seen its person."""
    said = np.zeros_like(acted.label)
    for name in np.unique(acted.person):
        own = acted.person == name
        judge = fit_linear(acted.x[~own], acted.label[~own], len(EMOTIONS), PENALTY)
        said[own] = judge(acted.x[own]).argmax(1)
    return said


def judged_ours(
    head: TalkingHead, acted: Acted, sounds: dict[str, list[Path]], portraits: list[Path], intensity: float = 1.0
) -> tuple[Labels, Labels]:
    """(meant, said) for each of the eight on every sound, by a judge of all the real clips.

    sounds: person -> recordings of plain speech; each person gets a seed, as each is somebody else.
    portraits: whose faces show it, a person each in turn: rendered, and tracked again as the real clips were, for the tracker
        sees little of cheeks and nose. None: the motion as it was generated.
    """
    judge = fit_linear(acted.x, acted.label, len(EMOTIONS), PENALTY)
    meant: list[int] = []
    x: list[FloatArray] = []
    for seed, files in enumerate(sounds.values()):
        portrait = head.load_portrait(portraits[seed % len(portraits)], size=RENDERED_PX) if portraits else None
        own = list(_shown(head, files, intensity, seed, portrait))
        middle = np.mean([statistics for _, statistics in own], axis=0)
        meant += [label for label, _ in own]
        x += [statistics - middle for _, statistics in own]
    return np.array(meant), judge(np.stack(x)).argmax(1)


def _shown(
    head: TalkingHead, files: list[Path], intensity: float, seed: int, portrait: Portrait | None
) -> Iterator[tuple[int, FloatArray]]:
    for file in files if portrait is None else files[:1]:
        features = head.heard(load_audio(file))
        for label, emotion in enumerate(EMOTIONS):
            motion = head.motion(features, head.felt(emotion, intensity, features), seed=seed)
            yield label, clip_statistics(motion if portrait is None else tracked_again(head, portrait, motion))


def tracked_again(head: TalkingHead, portrait: Portrait, motion: FaceMotion) -> FaceMotion:
    """A motion -> what the tracker sees of it on a portrait, the first seconds, without the onset."""
    onset = round(EASE_S * FPS)
    faces = list(head.tracker.track(head.render(portrait, motion[: RENDERED_FRAMES + onset], quality="draft")))[onset:]
    seen = [face for face in faces if face is not None]
    return fit_motion(np.stack([face.points for face in seen]), np.stack([face.scores for face in seen]), head.rig)[0]


def plain_sounds(data: Path, acted: Acted) -> dict[str, list[Path]]:
    """Person -> the recordings of their clips that were to be neutral, where there is sound."""
    sounds: dict[str, list[Path]] = defaultdict(list)
    for row in acted.rows:
        if row["emotion"] == "neutral" and row["audio"]:
            sounds[row["identity"]].append(data / row["file"])
    return dict(sounds)


def judge_table(head: TalkingHead, data: Path, motion: Path, portraits: list[Path]) -> dict[str, dict[str, Any]]:
    """Row -> recall (unweighted), accuracy, how many, and confusion (8, 8), rows meant, columns said.

    Raises:
        InputError: no acted clips, or none of them neutral with sound.
    """
    acted = load_acted(data, motion)
    sounds = plain_sounds(data, acted)
    if not sounds:
        raise InputError(f"{data}: of the acted clips none is neutral with sound; there is nothing for our face to say.")
    return {
        "real clips, person held out": _row(acted.label, judged_real(acted)),
        "generated, rendered, tracked again": _row(*judged_ours(head, acted, sounds, portraits)),
        "generated motion as it is": _row(*judged_ours(head, acted, sounds, [])),
    }


def _row(meant: Labels, said: Labels) -> dict[str, Any]:
    confusion = np.zeros((len(EMOTIONS), len(EMOTIONS)), int)
    np.add.at(confusion, (meant, said), 1)
    each = {EMOTIONS[k]: float((said[meant == k] == k).mean()) for k in np.unique(meant)}
    return {
        "recall": unweighted_recall(meant, said),
        "accuracy": float((meant == said).mean()),
        "chance": 1 / len(each),
        "count": len(meant),
        "each": each,
        "confusion": confusion.tolist(),
    }


def judge_markdown(table: dict[str, dict[str, Any]]) -> str:
    """The table as Markdown: recall of each emotion."""
    lines = ["| judge | recall | chance | " + " | ".join(EMOTIONS) + " | clips |", "|---" * (len(EMOTIONS) + 4) + "|"]
    for name, row in table.items():
        cells = [f"{row['each'][e]:.2f}" if e in row["each"] else "" for e in EMOTIONS]
        lines.append(f"| {name} | {row['recall']:.2f} | {row['chance']:.2f} | " + " | ".join(cells) + f" | {row['count']} |")
    return "\n".join(lines)
