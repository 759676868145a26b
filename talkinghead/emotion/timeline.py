"""A file of cues -> what the face shows at each moment.

Ours is a YAML list of cues; Audio2Face's `emotion_with_timecode_list` is read too (`audio2face`). From a cue's time on, the
face goes over to the cue's emotion and keeps it until the next. Every error names the file and the line. Knows cues and
times; what a cue asks for is written in the notation of `grammar`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead.emotion import audio2face
from talkinghead.emotion.easing import EASE_S, EASINGS, ease, frame_times
from talkinghead.emotion.grammar import Emotion, parse_emotion
from talkinghead.emotion.marked_yaml import Marked, read_yaml
from talkinghead.errors import EmotionError
from talkinghead.types import FPS, FloatArray

KEYS: Final = ("time", "emotion", "intensity", "ease", "easing")
MAX_TIME_S: Final = 86_400.0
_TIME: Final = re.compile(r"(?:(\d{1,5}):(?=[0-5]?\d(?:\.|$)))?(\d{1,5}(?:\.\d*)?|\.\d+)")


@dataclass(frozen=True, eq=False)
class Cue:
    """time_s, and the emotion from then on. intensity, ease_s: None where the file leaves them. where: file and line."""

    time_s: float
    emotion: Emotion
    intensity: float | None
    ease_s: float | None
    easing: str
    where: str


@dataclass(frozen=True, eq=False)
class Timeline:
    """Cues in the order of time. is_audio2face: then, as there, transitions are cut short and cues past the end left out."""

    cues: tuple[Cue, ...]
    is_audio2face: bool = False

    def activation(self, before: FloatArray, intensity: float, num_frames: int) -> FloatArray:
        """before: (3, 8) until the first cue; intensity: where a cue says none -> (T, 3, 8).

        Raises:
            EmotionError: a cue is past the clip's end.
        """
        duration_s = num_frames / FPS
        for cue in self.cues:
            if cue.time_s >= duration_s and not self.is_audio2face:
                wanted = f"give 0 to less than {duration_s:g} s"
                raise EmotionError(f"{cue.where}: time {cue.time_s:g} is past the clip's end; {wanted}.")
        times_s = frame_times(num_frames)
        result = np.repeat(before[None], num_frames, axis=0)
        for cue, next_s in zip(self.cues, [*(cue.time_s for cue in self.cues[1:]), np.inf], strict=True):
            frames = slice(*np.searchsorted(times_s, [cue.time_s, next_s]))
            ease_s = min(EASE_S if cue.ease_s is None else cue.ease_s, next_s - cue.time_s)
            share = ease(times_s[frames], cue.time_s, ease_s, cue.easing)[:, None, None]
            asked = cue.emotion.over(np.zeros_like(before), intensity if cue.intensity is None else cue.intensity)
            result[frames] = (1 - share) * before + share * asked
            before = asked
        return result


def load_timeline(path: Path | str) -> Timeline:
    """Read a file of cues.

    Raises:
        EmotionError: not such a file; a key, an emotion or a number that is none; cues that go back in time or overlap.
    """
    content = read_yaml(Path(path))
    if isinstance(content.value, dict) and audio2face.TIMECODES in content.value:
        timeline = _read_audio2face(content.value)
    elif isinstance(content.value, list):
        timeline = Timeline(tuple(_read_cue(cue) for cue in content.value))
    else:
        raise content.error(
            "holds no list of cues; write one cue a line, such as - {time: 2.5, emotion: happy}, "
            f"or Audio2Face's {audio2face.TIMECODES}."
        )
    if not timeline.cues:
        raise content.error("holds no cue; write one a line, such as - {time: 2.5, emotion: happy}.")
    _check_order(timeline)
    return timeline


def _read_cue(cue: Marked) -> Cue:
    fields = cue.fields("a cue", KEYS, wanted=("time", "emotion"))
    emotion = _read_emotion(fields["emotion"])
    intensity = fields["intensity"].number("intensity", 0, 1) if "intensity" in fields else None
    if intensity is not None and not emotion.needs_intensity:
        raise fields["intensity"].error(
            f"intensity has nothing to act on, {emotion.text!r} says every strength itself; drop one of them."
        )
    easing = fields["easing"].text("easing") if "easing" in fields else "smooth"
    if easing not in EASINGS:
        raise fields["easing"].error(f"easing {easing!r} is unknown; choose from {', '.join(EASINGS)}.")
    ease_s = fields["ease"].number("ease", 0, MAX_TIME_S) if "ease" in fields else None
    if easing == "hold" and ease_s:
        raise fields["ease"].error(f"ease is {ease_s:g} and easing is hold, which changes at once; drop one of them.")
    return Cue(_read_time(fields["time"]), emotion, intensity, ease_s, easing, cue.where)


def _read_emotion(emotion: Marked) -> Emotion:
    try:
        return parse_emotion(emotion.text("emotion"))
    except EmotionError as error:
        if str(error).startswith(emotion.where):
            raise
        raise emotion.error(str(error)) from error


def _read_time(time: Marked) -> float:
    """Seconds, or minutes:seconds."""
    written = time.text("time")
    found = _TIME.fullmatch(written)
    if found is None:
        raise time.error(f"time is {written[:20] or 'empty'}; give seconds such as 62.5, or minutes:seconds such as 1:02.5.")
    return 60 * int(found[1] or 0) + float(found[2])


def _read_audio2face(content: dict[str, Marked]) -> Timeline:
    entries = content[audio2face.TIMECODES].value
    if isinstance(entries, str):
        raise content[audio2face.TIMECODES].error(
            f"{audio2face.TIMECODES} is {entries!r}; give entries of time_code and emotions."
        )
    ease_s = None
    if audio2face.TRANSITION in content:
        ease_s = content[audio2face.TRANSITION].number(audio2face.TRANSITION, 0, audio2face.MAX_TRANSITION_S)
    cues = []
    for entry in entries.values() if isinstance(entries, dict) else entries:
        fields = entry.fields("an entry", ("time_code", "emotions"), wanted=("time_code", "emotions"))
        emotion, intensity = audio2face.read_emotions(fields["emotions"])
        time_s = fields["time_code"].number("time_code", 0, MAX_TIME_S)
        cues.append(Cue(time_s, emotion, intensity, ease_s, "smooth", entry.where))
    if audio2face.BEGINNING in content and cues and cues[0].time_s > 0:
        emotion, intensity = audio2face.read_emotions(content[audio2face.BEGINNING])
        cues.insert(0, Cue(0, emotion, intensity, None, "hold", content[audio2face.BEGINNING].where))
    return Timeline(tuple(cues), is_audio2face=True)


def _check_order(timeline: Timeline) -> None:
    for cue, after in pairwise(timeline.cues):
        gap_s = after.time_s - cue.time_s
        if gap_s <= 0:
            before = f"is not after the cue before it, at {cue.time_s:g} s"
            raise EmotionError(f"{after.where}: time {after.time_s:g} {before}; put the cues in the order of time.")
        if not timeline.is_audio2face and cue.ease_s is not None and cue.ease_s > gap_s + 1e-6:
            raise EmotionError(
                f"{cue.where}: ease {cue.ease_s:g} overlaps the next cue, at {after.time_s:g} s; give at most {gap_s:g} s."
            )
