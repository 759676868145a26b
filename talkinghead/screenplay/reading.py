"""A scene's file -> a `Screenplay` that can be performed, or one line that names the line, the column and what is allowed.

Checks all that can be known without speaking, loading a model or making a picture.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from talkinghead.audio.speaker import check_voice, voice_files
from talkinghead.audio.waveform import check_audio_file
from talkinghead.emotion.grammar import parse_emotion
from talkinghead.emotion.prompt import read_prompt
from talkinghead.errors import AudioError, EmotionError, ImageError, ScreenplayError, StyleError
from talkinghead.screenplay.cues import CueError, Script, read_script
from talkinghead.screenplay.play import read_play
from talkinghead.screenplay.schema import CastMember, Line, Scene
from talkinghead.screenplay.schema_errors import SHOWN, schema_errors
from talkinghead.screenplay.source import PLAY_SUFFIXES, Source, Where, read_text, read_yaml, speakers_first
from talkinghead.screenplay.subtitles import missing_letter
from talkinghead.synthesis.portrait import check_image_file

_Result = TypeVar("_Result")
MIN_SIDE_PX: Final = 64
MAX_SIDE_PX: Final = 4096
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, eq=False)
class Screenplay:
    """scene: as written. scripts: of each line, its words and cues. folder: where its files are. source: for errors."""

    scene: Scene
    scripts: tuple[Script, ...]
    folder: Path
    source: Source

    def file(self, path: Path | str) -> Path:
        """A file that the scene names, which may be given beside it."""
        return self.folder / Path(path).expanduser()

    def files(self) -> list[Path]:
        """The scene's own file, and every file and folder that it names."""
        scene = self.scene
        named: list[Path | str | None] = [scene.font]
        named += [] if scene.background is None or _COLOUR.fullmatch(scene.background) else [scene.background]
        named += [path for member in scene.cast.values() for path in (member.portrait, member.style)]
        named += [line.recording for line in scene.lines]
        voices = [*(member.voice for member in scene.cast.values()), *(line.voice for line in scene.lines if line.voice)]
        found = [self.file(path) for path in named if path is not None]
        return [self.source.path, *found, *(path for voice in voices for path in voice_files(voice, self.folder))]


def read_scene(path: Path | str) -> Screenplay:
    """Read a scene of YAML or written like a play.

    Raises:
        ScreenplayError: a file that is none, or what in it cannot be performed; its `others` are what else cannot.
    """
    path = Path(path)
    text = read_text(path)
    source = Source(path, text)
    if path.suffix.lower() in PLAY_SUFFIXES:
        read_play(path, text.replace("\r\n", "\n"), source)
    else:
        read_yaml(path, text, source)
    speakers_first(source)
    try:
        scene = Scene.model_validate(source.values)
    except ValidationError as error:
        raise _together([*schema_errors(error, source), *_cue_errors(source)]) from error
    found: list[ScreenplayError] = []
    cast = tuple(scene.cast)
    scripts = [_tried(found, _script, source, index, line.text, cast) for index, line in enumerate(scene.lines)]
    play = Screenplay(scene, tuple(script for script in scripts if script is not None), path.parent, source)
    _tried(found, _check_scene, play)
    for name, member in scene.cast.items():
        _tried(found, _check_member, play, name, member)
    for index, script in enumerate(scripts):
        for check in _OF_A_LINE:
            _tried(found, check, play, index)
        if script is not None:
            _tried(found, _check_words, play, index, script)
    if found:
        raise _together(found)
    return play


def _tried(found: list[ScreenplayError], check: Callable[..., _Result], *given: Any) -> _Result | None:
    """What a check returns; None when it fails, with its error in `found`."""
    try:
        return check(*given)
    except ScreenplayError as error:
        found += [error, *error.others]
        return None


def _together(found: list[ScreenplayError]) -> ScreenplayError:
    """The first in the file, which holds the others; of what is wrong at one place one thing is told."""
    by_place = {error.place: error for error in reversed(found)}
    first, *others = (by_place[place] for place in sorted(by_place))
    first.others = tuple(others)
    return first


def _script(source: Source, index: int, text: str, cast: tuple[str, ...]) -> Script:
    mistakes: list[CueError] = []
    script = None
    try:
        script = read_script(text, cast, mistakes)
    except CueError as error:
        mistakes.append(error)
    if script is None or mistakes:
        raise _together([source.error(("lines", index, "text"), str(error), error.inside) for error in mistakes])
    return script


def _cue_errors(source: Source) -> list[ScreenplayError]:
    """What of the texts can be told to be wrong in a scene that is none yet."""
    found: list[ScreenplayError] = []
    cast, lines = (source.values.get(name) for name in ("cast", "lines"))
    if isinstance(cast, dict) and isinstance(lines, list):
        for index, line in enumerate(lines):
            if isinstance(line, dict) and isinstance(text := line.get("text"), str):
                _tried(found, _script, source, index, text, tuple(map(str, cast)))
    return found


def _check_scene(play: Screenplay) -> None:
    scene, source = play.scene, play.source
    for index, side in enumerate(scene.size):
        if not MIN_SIDE_PX <= side <= MAX_SIDE_PX:
            raise source.error(("size", index), f"size has {side}; give {MIN_SIDE_PX} to {MAX_SIDE_PX} px.")
        if side % 2:
            raise source.error(("size", index), f"size has {side}; a video's sides are even: give {side + 1}.")
    for name in scene.cast:
        if name in Line.model_fields:
            raise source.error(
                ("cast", name), f"{name!r} is the name of a line's field; call the person otherwise.", at_key=True
            )
    if scene.background is not None and not _COLOUR.fullmatch(scene.background):
        _check_file(play, ("background",), play.file(scene.background), check_image_file, ' or a colour such as "#203040"')
    _check_letters(play)


def _check_letters(play: Screenplay) -> None:
    """The font can be read, and has the letters that are burnt into the picture."""
    scene, source = play.scene, play.source
    font = None if scene.font is None else play.file(scene.font)
    if font is not None and not font.is_file():
        raise source.error(("font",), f"font {font}: no such file; give a .ttf or .otf.")
    try:
        found = missing_letter([script.text for script in play.scripts] if "burn" in scene.subtitles else [], font)
    except OSError as error:
        raise source.error(("font",), f"font {font}: cannot be read ({error}); give a .ttf or .otf.") from error
    if found is not None:
        index, letter = found
        name = "the built-in font" if font is None else f"font {font}"
        message = f"subtitles: {name} has no {letter!r}; give font: a .ttf or .otf that has it."
        raise source.error(("lines", index, "text"), message, letter)


def _check_file(play: Screenplay, where: Where, path: Path, check: Any, otherwise: str = "") -> None:
    try:
        check(path)
    except (ImageError, AudioError, StyleError) as error:
        raise play.source.error(where, f"{where[-1]} {str(error).rstrip('.')}{otherwise}.") from error
    except OSError as error:
        raise play.source.error(
            where, f"{where[-1]} {str(path)[:SHOWN]}: cannot be opened ({error.strerror}); give a file."
        ) from error


def _check_member(play: Screenplay, name: str, member: CastMember) -> None:
    where = ("cast", name)
    _check_file(play, (*where, "portrait"), play.file(member.portrait), check_image_file)
    if member.style is not None:
        from talkinghead.motion.style import SpeakingStyle  # imports torch

        _check_file(play, (*where, "style"), play.file(member.style), SpeakingStyle.load)
    _check_voice(play, (*where, "voice"), member.voice)
    _check_emotion(play, (*where, "emotion"), member.emotion or "neutral")


def _check_speaker(play: Screenplay, index: int) -> None:
    line = play.scene.lines[index]
    if line.speaker not in play.scene.cast:
        message = f"speaker {line.speaker[:SHOWN]!r} is not in the cast; choose from {', '.join(play.scene.cast)}."
        raise play.source.error(("lines", index, "speaker"), message)


def _check_feeling(play: Screenplay, index: int) -> None:
    source, where, line = play.source, ("lines", index), play.scene.lines[index]
    if line.emotion is not None and line.direction is not None:
        raise source.error(
            (*where, "direction"), "direction and emotion both say what the face feels; drop one of them.", "", True
        )
    if line.emotion is not None:
        _check_emotion(play, (*where, "emotion"), line.emotion)
    if line.direction is not None:
        try:
            read_prompt(line.direction)
        except EmotionError as error:
            raise source.error((*where, "direction"), str(error).replace("prompt", "direction", 1)) from error


def _check_line_voice(play: Screenplay, index: int) -> None:
    if (voice := play.scene.lines[index].voice) is not None:
        _check_voice(play, ("lines", index, "voice"), voice)


def _check_overlap(play: Screenplay, index: int) -> None:
    source, where, line = play.source, ("lines", index, "overlap"), play.scene.lines[index]
    if line.overlap is not None and (index == 0 or line.pause is not None):
        why = "there is no line before it" if index == 0 else "it has a pause as well"
        raise source.error(where, f"overlap has nothing to act on, {why}; leave it out.", "", True)
    if line.overlap is not None and play.scene.lines[index - 1].speaker == line.speaker:
        raise source.error(where, f"overlap: {line.speaker} speaks the line before as well; leave it out.", at_key=True)


def _check_recording(play: Screenplay, index: int) -> None:
    if (recording := play.scene.lines[index].recording) is not None:
        _check_file(play, ("lines", index, "recording"), play.file(recording), check_audio_file)


def _check_words(play: Screenplay, index: int, script: Script) -> None:
    source, where, line = play.source, ("lines", index), play.scene.lines[index]
    if line.recording is not None and script.pauses:
        raise source.error((*where, "text"), "a recording has its own pauses; leave [pause] out.", "[pause")
    if line.recording is None and not script.words and not script.pauses:
        at = (*where, "text") if line.text else where
        raise source.error(at, "nothing is said and nothing lasts; write a text, or [pause 1] with the cues of a silent line.")
    if line.fit is not None and not script.words and line.recording is None:
        raise source.error((*where, "fit"), "fit has no words to act on; leave it out, or change the pauses.", "", True)


_OF_A_LINE: Final = (_check_speaker, _check_feeling, _check_line_voice, _check_overlap, _check_recording)


def _check_emotion(play: Screenplay, where: Where, emotion: str) -> None:
    try:
        parse_emotion(emotion)
    except EmotionError as error:
        raise play.source.error(where, str(error)) from error


def _check_voice(play: Screenplay, where: Where, voice: str) -> None:
    try:
        check_voice(voice, play.folder)
    except AudioError as error:
        raise play.source.error(where, str(error)) from error
