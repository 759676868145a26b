"""A rehearsed line -> what everybody's face does while it is spoken: the speaker's emotion and cues, the listeners.

Each part of the scene begins and ends with every head at rest, looking at whoever spoke: so a part depends on its own line, on
one that overlaps it, and on who speaks before, and on nothing else. Knows times and motions; makes no picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from talkinghead import arkit
from talkinghead.emotion.easing import EASE_S, ease, frame_times
from talkinghead.emotion.grammar import parse_emotion
from talkinghead.emotion.prompt import prompt_activation
from talkinghead.emotion.track import DEFAULT_INTENSITY
from talkinghead.errors import EmotionError
from talkinghead.motion.acting import TURN_S, Act, Look, acted, come_to_rest, looking
from talkinghead.motion.listening import mirrored, nods, over_mood, silence
from talkinghead.motion.own_smile import at_ease
from talkinghead.screenplay.blocking import attention, direction_to, person_seed, span
from talkinghead.screenplay.cues import EXPRESSION_S, EXPRESSIONS, LOOK_S, Cue
from talkinghead.screenplay.reading import Screenplay
from talkinghead.screenplay.rehearsal import EDGES_S, Rehearsal
from talkinghead.types import EMOTIONS, FPS, SAMPLES_PER_FRAME, Audio, EmotionTrack, FaceMotion, FloatArray, SpeechFeatures

if TYPE_CHECKING:
    from talkinghead.pipeline import TalkingHead

AHEAD_S: Final = {"emotion": 0.06, "other": 0.02}
"""What comes slowly begins a little before its word, so that it is seen at the word."""
RISE_S: Final = 0.2
FALL_S: Final = 0.35
LOOK_RAD: Final[dict[str, tuple[float, float]]] = {
    "left": (-0.34, 0.0), "right": (0.34, 0.0), "up": (0.0, 0.2), "down": (0.0, -0.26), "camera": (0.0, 0.0),
}  # fmt: skip
TURN_TO_SPEAKER_S: Final = 0.25
GLANCES: Final = 0.7
STRESS_BROW: Final = 0.45
STRESS_NOD: Final = 0.4
SILENCE_S: Final = 2.0


@dataclass(frozen=True, eq=False)
class Performers:
    """Plays the parts of a scene; what the models make of silence is kept."""

    head: TalkingHead
    play: Screenplay
    rehearsal: Rehearsal
    _spoken: dict[int, FaceMotion] = field(default_factory=dict, init=False)

    def motion(self, index: int, name: str) -> FaceMotion:
        """What somebody's face does during a line's part of the scene."""
        first, stop = self.rehearsal.part(index)
        for spoken in range(index + 1):
            if self.play.scene.lines[spoken].speaker == name:
                begin, end = span(self.rehearsal, spoken)
                if begin <= first and stop <= end:
                    if spoken not in self._spoken:
                        self._spoken[spoken] = self._speaking(spoken)
                    return self._spoken[spoken][first - begin : stop - begin]
        return self._listening(index, name)

    def activation(self, index: int) -> FloatArray:
        """(T, 3, 8) what the speaker of a line feels over its span."""
        return spoken_activation(self.play, self.rehearsal, index)

    def _speaking(self, index: int) -> FaceMotion:
        line, rehearsed = self.play.scene.lines[index], self.rehearsal.lines[index]
        begin, end = span(self.rehearsal, index)
        samples = np.zeros((end - begin) * SAMPLES_PER_FRAME, np.float32)
        offset = (rehearsed.start - begin) * SAMPLES_PER_FRAME
        own = rehearsed.delivery.audio.samples[: len(samples) - offset]
        samples[offset : offset + len(own)] = own
        features = self.head.heard(Audio(samples))
        track = EmotionTrack.from_activation(self.activation(index))
        motion = self._moved(line.speaker, index, features, track)
        looks = self._looks(index, line.speaker, 0.0)
        lead_s = (rehearsed.start - begin) / FPS
        acts = []
        for cue, time_s in cue_times(self.play, self.rehearsal, index):
            if cue.kind == "gesture":
                acts.append(Act(cue.name, lead_s + time_s, 1.0 if cue.strength is None else cue.strength, cue.duration_s))
            elif cue.kind == "look":
                # Where the one before was to come back from, this one takes over.
                looks = [look for look in looks if look.start_s < lead_s + time_s]
                looks += self._look_cue(index, cue, lead_s + time_s, (end - begin) / FPS)
        for word in sorted(self.play.scripts[index].stressed):
            start_s = rehearsed.delivery.words[word].start_s
            acts.append(Act("nod", lead_s + start_s, STRESS_NOD, 0.32))
        return acted(
            looking(motion, sorted(looks, key=lambda look: look.start_s), GLANCES), acts, self.head.motion.gestures.habits
        )

    def _listening(self, index: int, name: str) -> FaceMotion:
        first, stop = self.rehearsal.part(index)
        begin, _ = span(self.rehearsal, index)
        felt = mirrored(self.activation(index)[: stop - first])
        settle = ease(frame_times(len(felt))[::-1].copy(), 0, EASE_S)[:, None, None]
        track = EmotionTrack.from_activation(over_mood(settle * felt, mood(self.play, name)))
        motion = self._moved(name, index, silence(self._silence, stop - first), track)
        shift_s = (self.rehearsal.lines[index].start - begin) / FPS
        ends = [shift_s + word.end_s for word in self.rehearsal.lines[index].delivery.words if word.text[-1] in ".,!?;:…"]
        ends = [end_s for end_s in ends if end_s < (stop - first) / FPS - 1.0]
        seed = person_seed(self.play, name, index)
        delay_s = TURN_TO_SPEAKER_S + 0.2 * float(np.random.default_rng([seed, 12]).uniform())
        motion = looking(motion, self._looks(index, name, shift_s + delay_s), GLANCES)
        return acted(motion, nods(ends, seed), self.head.motion.gestures.habits)

    def _moved(self, name: str, index: int, features: SpeechFeatures, track: EmotionTrack) -> FaceMotion:
        member = self.play.scene.cast[name]
        style = None if member.style is None else self.play.file(member.style)
        pipeline = self.head.motion.with_style(style)
        seed, person = person_seed(self.play, name, index), person_seed(self.play, name)
        motion = come_to_rest(pipeline(features, track, seed=seed, person=person, head_motion=member.head_motion))
        # By frames alone, since the parts of a scene join.
        ease = at_ease(track.activation, lastingly=False) if name in self._smiling else np.zeros_like(motion.at_ease)
        return replace(motion, at_ease=ease)

    @cached_property
    def _smiling(self) -> set[str]:
        return who_smiles(self.play)

    @cached_property
    def _silence(self) -> SpeechFeatures:
        return self.head.heard(Audio(np.zeros(round(SILENCE_S * FPS) * SAMPLES_PER_FRAME, np.float32)))

    def _looks(self, index: int, name: str, turns_s: float) -> list[Look]:
        """From where the line before left the eyes to where this line wants them."""
        before = direction_to(self.play, name, attention(self.play, index - 1, name))
        now = direction_to(self.play, name, attention(self.play, index, name))
        return [Look(0.0, *before), *([Look(max(turns_s, 0.2), *now)] if now != before else [])]

    def _look_cue(self, index: int, cue: Cue, start_s: float, end_s: float) -> list[Look]:
        speaker = self.play.scene.lines[index].speaker
        back = direction_to(self.play, speaker, attention(self.play, index, speaker))
        if cue.name == "away":
            there = (LOOK_RAD["right" if back[0] < 0 else "left"][0], -0.1)
        elif cue.name in LOOK_RAD:
            there = LOOK_RAD[cue.name]
        else:
            there = direction_to(self.play, speaker, cue.name)
        size = 1.0 if cue.strength is None else cue.strength
        lasts_s = LOOK_S if cue.duration_s is None else cue.duration_s
        back_s = max(start_s + 0.04, min(start_s + lasts_s, end_s - TURN_S))
        return [Look(start_s, size * there[0], size * there[1]), Look(back_s, *back)]


def cue_times(play: Screenplay, rehearsal: Rehearsal, index: int) -> Iterator[tuple[Cue, float]]:
    """Each cue of a line, and when it acts, s from the start of the line's sound."""
    delivery = rehearsal.lines[index].delivery
    for cue in play.scripts[index].cues:
        if cue.word < len(delivery.words):
            time_s = delivery.words[cue.word].start_s
        else:
            time_s = delivery.audio.duration_s - EDGES_S[1]
            if delivery.words:
                time_s = delivery.end_s + play.scripts[index].pauses.get(len(delivery.words), 0.0)
        ahead_s = AHEAD_S["emotion" if cue.kind == "emotion" else "other"]
        yield cue, max(0.0, time_s - cue.lead_s - ahead_s)


def mood(play: Screenplay, name: str) -> FloatArray:
    """(3, 8) what somebody feels when nothing else is said."""
    member, nothing = play.scene.cast[name], np.zeros((len(arkit.REGIONS), len(EMOTIONS)), np.float32)
    return nothing if member.emotion is None else parse_emotion(member.emotion).over(nothing, member.strength)


def who_smiles(play: Screenplay) -> set[str]:
    """Of whom the scene asks no emotion but joy: a portrait's smile may stay throughout. A frown in passing is no emotion."""
    serious = {name for name, member in play.scene.cast.items() if member.emotion is not None and not _is_joy(member.emotion)}
    for line, script in zip(play.scene.lines, play.scripts, strict=True):
        asked = [line.emotion, line.direction, *(cue.name for cue in script.cues if cue.kind == "emotion")]
        if not all(_is_joy(text) for text in asked if text is not None):
            serious.add(line.speaker)
    return set(play.scene.cast) - serious


def _is_joy(text: str) -> bool:
    """Of the notation of emotions, or of words."""
    try:
        felt = parse_emotion(text).over(np.zeros((len(arkit.REGIONS), len(EMOTIONS)), np.float32), 1.0)
    except EmotionError:
        felt = prompt_activation(text, FPS)
    others = [index for index, name in enumerate(EMOTIONS) if name not in ("happy", "neutral")]
    return bool(felt[..., EMOTIONS.index("happy")].any() and not felt[..., others].any())


def spoken_activation(play: Screenplay, rehearsal: Rehearsal, index: int) -> FloatArray:
    """(T, 3, 8) what the speaker of a line feels over its span."""
    return line_activation(play, rehearsal, index, mood(play, play.scene.lines[index].speaker))


def line_activation(play: Screenplay, rehearsal: Rehearsal, index: int, mood: FloatArray) -> FloatArray:
    """(T, 3, 8) over the line's span: the mood, the line's emotion over it, what its cues change at their words."""
    line, rehearsed = play.scene.lines[index], rehearsal.lines[index]
    begin, end = span(rehearsal, index)
    times_s = frame_times(end - begin)
    lead_s = (rehearsed.start - begin) / FPS
    held = np.repeat(mood[None], end - begin, axis=0)
    num_spoken = rehearsed.stop - rehearsed.start
    own: FloatArray | None = None
    if line.direction is not None:
        own = np.zeros_like(held)
        own[rehearsed.start - begin : rehearsed.stop - begin] = _directed(line.direction, line.strength, num_spoken)
    elif line.emotion is not None:
        strength = DEFAULT_INTENSITY if line.strength is None else line.strength
        own = np.repeat(parse_emotion(line.emotion).over(mood, strength)[None], end - begin, axis=0)
    # It has come when the first word begins, and goes with the last.
    stop_s = lead_s + num_spoken / FPS - EASE_S
    if own is not None:
        held = _blend(held, own, ease(times_s, lead_s, EASE_S / 2))
    cues = list(cue_times(play, rehearsal, index))
    for cue, time_s in cues:
        if cue.kind == "emotion":
            held = _blend(held, _cue_emotion(cue, held, lead_s + time_s), ease(times_s, lead_s + time_s, EASE_S))
    held = _blend(held, np.repeat(mood[None], end - begin, axis=0), ease(times_s, stop_s, EASE_S))
    for cue, time_s in cues:
        if cue.kind == "expression":
            held = _with_expression(held, times_s - lead_s - time_s, cue)
    return _with_stress(play, rehearsal, index, held, times_s - lead_s)


def _directed(direction: str, strength: float | None, num_frames: int) -> FloatArray:
    activation = prompt_activation(direction, num_frames)
    peak = float(activation.sum(2).max())
    return activation if strength is None or not peak else np.asarray(activation * (strength / peak), np.float32)


def _cue_emotion(cue: Cue, held: FloatArray, from_s: float) -> FloatArray:
    """(T, 3, 8) what the face goes over to; words play from the cue's time to the end."""
    try:
        emotion = parse_emotion(cue.name)
    except EmotionError:
        first = min(len(held) - 1, int(from_s * FPS))
        result = np.zeros_like(held)
        result[first:] = _directed(cue.name, cue.strength, len(held) - first)
        return result
    return emotion.over(held, DEFAULT_INTENSITY if cue.strength is None else cue.strength)


def _with_expression(held: FloatArray, since_s: FloatArray, cue: Cue) -> FloatArray:
    lasts_s = EXPRESSION_S if cue.duration_s is None else cue.duration_s
    share = ease(since_s, 0, RISE_S) * (1 - ease(since_s, max(RISE_S, lasts_s - FALL_S), FALL_S))
    shown = parse_emotion(EXPRESSIONS[cue.name]).over(held, 1.0)
    return _blend(held, shown, share * (1.0 if cue.strength is None else cue.strength))


def _with_stress(play: Screenplay, rehearsal: Rehearsal, index: int, held: FloatArray, since_s: FloatArray) -> FloatArray:
    """Brows rise on stressed words."""
    brow, surprised = list(arkit.REGIONS).index("brow"), EMOTIONS.index("surprised")
    raised = np.zeros(len(held), np.float32)
    for word in play.scripts[index].stressed:
        spoken = rehearsal.lines[index].delivery.words[word]
        share = ease(since_s, spoken.start_s - 0.04, 0.12) * (1 - ease(since_s, spoken.end_s, 0.25))
        raised = np.maximum(raised, STRESS_BROW * share)
    result = held.copy()
    room = np.clip(1 - held[:, brow].sum(-1), 0, 1)
    result[:, brow, surprised] += np.minimum(raised, room)
    return result


def _blend(before: FloatArray, after: FloatArray, share: FloatArray) -> FloatArray:
    mixed: FloatArray = (before + share[:, None, None] * (after - before)).astype(np.float32)
    return mixed
