"""Held-out people of whom a style can be learnt from a part and measured on the rest: does it help, and does only theirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead.adaptation import speech_clip
from talkinghead.errors import StyleError
from talkinghead.evaluation.clips import HeldOut, LipCurves, TalkingClip
from talkinghead.evaluation.correlation import (
    LAGS,
    MAX_LAG,
    Correlated,
    best_within,
    lag_correlations,
    source_offsets,
    talker_means,
)
from talkinghead.evaluation.table import Table
from talkinghead.motion.adaptation import MIN_S, learn_style
from talkinghead.motion.dataset import SpeechClip
from talkinghead.motion.style import SpeakingStyle
from talkinghead.tracking import tracked_video
from talkinghead.types import FPS

SENTENCE_OF: Final = {"javanese_emotion": 1}
"""Sources that say the same sentences again: which field of a file's name, 0 is the first, is the sentence."""
OWN: Final = "with their own style"
WITHOUT: Final = "without a style"
OTHER: Final = "with another person's style"
REAL: Final = "the real talker"
MEASURES: Final = ("opening", "width")


@dataclass(frozen=True)
class Part:
    """Some frames of a clip (by its index), measured with a style that was learnt without the parts of their fold."""

    clip: int
    frames: slice
    fold: str


def adaptation_tables(held_out: HeldOut) -> list[Table]:
    """r of the lips, and how far they move, in parts of people's speech that their style has not seen."""
    people = _people(held_out)
    watched = {part.clip: _watched(held_out, part.clip) for parts in people.values() for part in parts}
    styles = {
        (person, fold): style
        for person, parts in people.items()
        for fold in dict.fromkeys(part.fold for part in parts)
        if (style := _style(held_out, [_cut(watched[p.clip], p.frames) for p in parts if p.fold != fold])) is not None
    }
    correlated: dict[str, dict[str, list[Correlated]]] = {measure: defaultdict(list) for measure in MEASURES}
    spread: dict[str, dict[str, list[float]]] = {measure: defaultdict(list) for measure in MEASURES}
    asked = [(person, part) for person, parts in people.items() for part in parts if (person, part.fold) in styles]
    for person, part in asked:
        clip, real = held_out.clips[part.clip], held_out.real[part.clip]
        rows = {WITHOUT: None, OWN: styles[person, part.fold], OTHER: _of_another(held_out, styles, person)}
        for row, style in rows.items():
            if row == OTHER and style is None:
                continue
            made = _curves(held_out, part.clip, style)
            for measure in MEASURES:
                ours, theirs = getattr(made, measure)[part.frames], getattr(real, measure)[part.frames]
                found = lag_correlations(ours, theirs, LAGS)
                correlated[measure][row].append(Correlated(clip.file, clip.source, clip.identity, found))
                spread[measure][row].append(float(np.log(np.std(ours) / np.nanstd(theirs))))
    return [_table(correlated, spread, measure) for measure in MEASURES]


def _table(
    correlated: dict[str, dict[str, list[Correlated]]], spread: dict[str, dict[str, list[float]]], measure: str
) -> Table:
    offsets = source_offsets(correlated["opening"].get(WITHOUT, []))
    rows: dict[str, dict[str, float]] = {}
    for row, clips in correlated[measure].items():
        talkers = talker_means(clips, lambda clip: best_within(clip.correlations, offsets[clip.source], MAX_LAG))
        ratio = dict(zip(map(id, clips), spread[measure][row], strict=True))
        rows[row] = {
            "all": float(np.mean(list(talkers.values()))),
            "people": float(len(talkers)),
            "spread": float(np.exp(np.mean(list(talker_means(clips, lambda clip: ratio[id(clip)]).values())))),  # noqa: B023
            **{
                source: float(np.mean([r for (of, _), r in talkers.items() if of == source]))
                for source in sorted({source for source, _ in talkers})
            },
            **{identity: r for (_, identity), r in sorted(talkers.items())},
        }
    if rows:
        rows[REAL] = {column: 1.0 for column in rows[WITHOUT] if column != "people"}
    note = (
        f"Pearson r of the lips' {measure}, the best within {MAX_LAG} frames of the source's offset, which is that of the "
        "motion without a style; spread: deviation over the real talker's, geometric mean. A style is learnt from the person's "
        "other clips or, of who has one clip, from its other half; a sentence that is said again is left out in all its takes. "
        "People of whom "
        f"{MIN_S:g} s are left to learn from. One vote a person."
    )
    return Table(f"Speaking style: {measure} of the lips, held out", note, rows, forms={"people": ".0f"})


def _people(held_out: HeldOut) -> dict[str, list[Part]]:
    """Identity -> parts, whose folds each leave `MIN_S` to learn from."""
    clips: dict[str, list[int]] = defaultdict(list)
    for index, clip in enumerate(held_out.clips):
        clips[clip.identity].append(index)
    people = {}
    for identity, indices in clips.items():
        parts = [Part(i, slice(0, len(held_out.clips[i].points)), _fold(held_out.clips[i])) for i in indices]
        if len(indices) == 1:
            half = parts[0].frames.stop // 2
            parts = [Part(indices[0], slice(0, half), "a"), Part(indices[0], slice(half, parts[0].frames.stop), "b")]
        folds = {part.fold for part in parts}
        if min(_seconds(part for part in parts if part.fold != fold) for fold in folds) >= MIN_S:
            people[identity] = parts
    return people


def _seconds(parts: Iterable[Part]) -> float:
    return float(sum(part.frames.stop - part.frames.start for part in parts)) / FPS


def _fold(clip: TalkingClip) -> str:
    name = Path(clip.file).stem
    return name.split("-")[SENTENCE_OF[clip.source]] if clip.source in SENTENCE_OF else name


def _watched(held_out: HeldOut, index: int) -> SpeechClip:
    """A clip with its tracked points and fitted motion: as `scripts/prepare_data.py` tracked it, or tracked now."""
    clip = held_out.clips[index]
    known = None if held_out.prepared is None else (held_out.prepared / clip.file).with_suffix(".npz")
    if known is None or not known.is_file():
        return speech_clip(
            held_out.head, clip.file, clip.audio, *tracked_video(held_out.head.tracker, held_out.data / clip.file)
        )
    with np.load(known, allow_pickle=False) as archive:
        points, scores = archive["points"].astype(np.float32), archive["scores"].astype(np.float32)
        seen = (archive["presence"] > 0).astype(np.float32)
    return speech_clip(held_out.head, clip.file, clip.audio, points, scores, seen)


def _cut(clip: SpeechClip, frames: slice) -> SpeechClip:
    features = replace(clip.features, content=clip.features.content[frames], loudness=clip.features.loudness[frames])
    return replace(clip, features=features, motion=clip.motion[frames], points=clip.points[frames], seen=clip.seen[frames])


def _style(held_out: HeldOut, clips: list[SpeechClip]) -> SpeakingStyle | None:
    """None where none can be learnt: too little of the face is seen, or the lips do not follow the sound."""
    try:
        return learn_style(clips, held_out.head.motion.articulator, held_out.head.motion.gestures)
    except StyleError:
        return None


def _of_another(held_out: HeldOut, styles: dict[tuple[str, str], SpeakingStyle], person: str) -> SpeakingStyle | None:
    """The first style of the next person of the same source, or of the next person; None where there is nobody else."""
    source = {clip.identity: clip.source for clip in held_out.clips}
    people = list(dict.fromkeys(identity for identity, _ in styles))
    place = people.index(person)
    others = people[place + 1 :] + people[:place]
    others.sort(key=lambda other: source[other] != source[person])
    return next((style for other in others for (identity, _), style in styles.items() if identity == other), None)


def _curves(held_out: HeldOut, index: int, style: SpeakingStyle | None) -> LipCurves:
    if style is None:
        return held_out.generated[index]
    head, features = held_out.head, held_out.features[index]
    motion = head.motion.with_style(style)(features, head.felt("neutral", None, features))
    return LipCurves.of(head.rig(motion).vertices)
