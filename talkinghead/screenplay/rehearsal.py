"""A screenplay -> each line's sound with the times of its words, and when in the scene each line stands.

A line's sound is kept in the work folder under a name made of all that it depends on. Knows sounds and times; sees nobody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead.audio.delivery import Delivery, SpokenWord, deliver
from talkinghead.audio.prosody import Prosody, prosody_of
from talkinghead.audio.speaker import open_voice, voice_files
from talkinghead.audio.voice import Phoneme
from talkinghead.emotion.grammar import parse_emotion
from talkinghead.emotion.prompt import prompt_activation
from talkinghead.emotion.track import DEFAULT_INTENSITY
from talkinghead.errors import AudioError, ScreenplayError
from talkinghead.files import whole
from talkinghead.screenplay.reading import Screenplay
from talkinghead.screenplay.schema import Line, ProsodyChange
from talkinghead.types import EMOTIONS, FPS, SAMPLES_PER_FRAME, Audio, FloatArray

EDGES_S: Final = (0.1, 0.2)
"""Silence before and after a line's words: two lines are at least so far apart, unless they overlap."""


@dataclass(frozen=True, eq=False)
class Rehearsed:
    """One line in the scene.

    start: frame at which its sound begins. stop: frame after its sound. begin: frame at which its part of the scene begins.
    digest: of its sound.
    """

    delivery: Delivery
    start: int
    stop: int
    begin: int
    digest: str

    @property
    def num_frames(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """Every line, and how many frames the scene has."""

    lines: tuple[Rehearsed, ...]
    num_frames: int

    def part(self, index: int) -> tuple[int, int]:
        """First frame of a line's part of the scene, and the frame after it."""
        end = self.lines[index + 1].begin if index + 1 < len(self.lines) else self.num_frames
        return self.lines[index].begin, end

    def sound(self) -> Audio:
        """All lines at their times, those that overlap added."""
        samples = np.zeros(self.num_frames * SAMPLES_PER_FRAME, np.float32)
        for line in self.lines:
            first = line.start * SAMPLES_PER_FRAME
            own = line.delivery.audio.samples[: len(samples) - first]
            samples[first : first + len(own)] += own
        peak = float(np.abs(samples).max(initial=0))
        return Audio(samples if peak <= 1 else (samples / np.float32(peak)).astype(np.float32))

    def words(self, index: int) -> list[SpokenWord]:
        """The words of a line at their times in the scene."""
        shift_s = self.lines[index].start / FPS
        return [SpokenWord(w.text, w.start_s + shift_s, w.end_s + shift_s) for w in self.lines[index].delivery.words]


def digest(value: Any) -> str:
    """Anything of JSON, and paths -> sixteen letters that change when it does."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """A file, or all files of a folder -> sixteen letters."""
    if path.is_dir():
        return digest([(str(file.relative_to(path)), file_digest(file)) for file in sorted(path.rglob("*")) if file.is_file()])
    stat = path.stat()
    return _content_digest(path, stat.st_size, stat.st_mtime_ns)


@cache
def _content_digest(path: Path, *_state: int) -> str:
    """Read again when its size or its time has changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def rehearse(play: Screenplay, work: Path, begin: Callable[[str], None]) -> Rehearsal:
    """Speak every line that is not in the work folder yet, and place all of them.

    Raises:
        ScreenplayError: a line that cannot be spoken, or that overlaps what it cannot.
    """
    lines: list[Rehearsed] = []
    for index in range(len(play.scene.lines)):
        delivery, key = _line(play, index, work, begin)
        lines.append(_placed(play, index, delivery, key, lines))
    return Rehearsal(tuple(lines), lines[-1].stop + round(play.scene.end * FPS))


def _placed(play: Screenplay, index: int, delivery: Delivery, key: str, before: list[Rehearsed]) -> Rehearsed:
    line, where = play.scene.lines[index], ("lines", index)
    num_frames = delivery.audio.num_frames
    pause_s = play.scene.pause if line.pause is None else line.pause
    if not before:
        start = round((line.pause or 0.0) * FPS)
        return Rehearsed(delivery, start, start + num_frames, 0, key)
    last = before[-1]
    if line.overlap is None:
        # Of a pause, what the silences around the words do not give already.
        start = last.stop + round(max(0.0, pause_s - sum(EDGES_S)) * FPS)
        return Rehearsed(delivery, start, start + num_frames, last.stop, key)
    spoken_s = last.delivery.end_s - (last.delivery.words[0].start_s if last.delivery.words else 0.0)
    if line.overlap >= spoken_s:
        message = f"overlap is {line.overlap:g} s, and the line before it lasts {spoken_s:.1f} s; give less than that."
        raise play.source.error((*where, "overlap"), message)
    start = max(last.begin + 1, last.start + round((last.delivery.end_s - line.overlap - EDGES_S[0]) * FPS))
    for other, earlier in zip(play.scene.lines[:index], before, strict=False):
        if other.speaker == line.speaker and earlier.stop > start:
            raise play.source.error((*where, "overlap"), f"{line.speaker} is still speaking an earlier line; give less.")
    return Rehearsed(delivery, start, start + num_frames, start, key)


def line_prosody(play: Screenplay, index: int) -> Prosody:
    """How a line is spoken: the voice's own way, and what the line's first feeling does to it."""
    line = play.scene.lines[index]
    change = line.prosody or play.scene.cast[line.speaker].prosody
    return _change(change).then(prosody_of(first_feeling(play, index)))


def first_feeling(play: Screenplay, index: int) -> FloatArray:
    """(8,) what is felt most in the line itself, before its cues change it; regions do not sound."""
    line = play.scene.lines[index]
    member = play.scene.cast[line.speaker]
    if line.direction is not None:
        whole = prompt_activation(line.direction, FPS).mean(1)
        felt = whole[int(whole.sum(1).argmax())]
        return felt if line.strength is None else _scaled(felt, line.strength)
    emotion, strength = member.emotion, member.strength
    if line.emotion is not None:
        emotion, strength = line.emotion, DEFAULT_INTENSITY if line.strength is None else line.strength
    mix = None if emotion is None else parse_emotion(emotion).mix
    return np.zeros(len(EMOTIONS), np.float32) if mix is None else np.asarray(strength * mix, np.float32)


def _scaled(felt: FloatArray, strength: float) -> FloatArray:
    total = float(felt.sum())
    return felt if not total else np.asarray(felt * strength / total, np.float32)


def _change(change: ProsodyChange) -> Prosody:
    return Prosody(change.rate, change.pitch, change.range, change.volume)


def _line(play: Screenplay, index: int, work: Path, begin: Callable[[str], None]) -> tuple[Delivery, str]:
    line, script = play.scene.lines[index], play.scripts[index]
    voice = line.voice or play.scene.cast[line.speaker].voice
    prosody = line_prosody(play, index)
    recording = None if line.recording is None else file_digest(play.file(line.recording))
    files = [file_digest(file) for file in voice_files(voice, play.folder)]
    depends = [
        _code_of_voices(), voice, files, recording, script.words, sorted(script.stressed), sorted(script.pauses.items()),
        None if recording else asdict(prosody), line.fit, EDGES_S,
    ]  # fmt: skip
    key = digest(depends)
    path = work / f"sound-{key}.npz"
    if path.is_file():
        return _load(path), key
    begin(f"line {index + 1}: {line.speaker} speaks")
    try:
        delivery = _speak(play, line, index, voice, prosody)
    except AudioError as error:
        name = "recording" if line.recording else "fit" if str(error).startswith("fit") else "text"
        raise play.source.error(("lines", index, name), str(error)) from error
    _save(path, delivery)
    return delivery, key


def _speak(play: Screenplay, line: Line, index: int, voice: str, prosody: Prosody) -> Delivery:
    script = play.scripts[index]
    if line.recording is not None:
        from talkinghead.audio.alignment import recorded

        language = voice.partition("+")[0] if ":" not in voice and voice != "piper" else "en-us"
        return recorded(play.file(line.recording), script.words, language, line.fit)
    return deliver(
        open_voice(voice, play.folder), script.words, script.stressed, script.pauses, prosody, line.fit, edges_s=EDGES_S
    )


@cache
def _code_of_voices() -> str:
    return digest([file_digest(file) for file in sorted((Path(__file__).parents[1] / "audio").glob("*.py"))])


def _save(path: Path, delivery: Delivery) -> None:
    names = list(_symbols(delivery.phonemes))
    arrays: dict[str, Any] = {
        "samples": delivery.audio.samples,
        "words": np.array([word.text for word in delivery.words], np.str_),
        "word_times": np.array([(word.start_s, word.end_s) for word in delivery.words], np.float64).reshape(-1, 2),
        "phonemes": np.array(names, np.str_),
        "phoneme_times": np.array([(p.start_s, p.end_s) for p in delivery.phonemes], np.float64).reshape(-1, 2),
    }
    with whole(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)


def _symbols(phonemes: tuple[Phoneme, ...]) -> Iterator[str]:
    return (phoneme.symbol for phoneme in phonemes)


def _load(path: Path) -> Delivery:
    try:
        with np.load(path, allow_pickle=False) as file:
            words = zip(file["words"].tolist(), file["word_times"].tolist(), strict=True)
            phonemes = zip(file["phonemes"].tolist(), file["phoneme_times"].tolist(), strict=True)
            return Delivery(
                Audio(file["samples"]),
                tuple(SpokenWord(text, *times) for text, times in words),
                tuple(Phoneme(symbol, *times) for symbol, times in phonemes),
            )
    except (OSError, ValueError, KeyError) as error:
        raise ScreenplayError(f"{path}: is damaged; remove it, and it is made again.") from error
