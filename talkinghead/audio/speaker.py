"""One interface of every voice: words and how to say them -> sound, with the time of each word and each phoneme.

A voice is named "en-us+f3" (espeak-ng), "piper" or "piper:voice.onnx" (extra `voice`), or "command: program {text} {output}".
Knows which is which; each is in a file of its own.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Protocol

from talkinghead.audio.prosody import Prosody
from talkinghead.audio.voice import Phoneme, check_espeak_voice
from talkinghead.errors import AudioError
from talkinghead.types import FloatArray

PIPER: Final = "piper"
COMMAND: Final = "command:"
_FIELDS: Final = ("text", "output", "rate")


@dataclass(frozen=True, eq=False)
class Utterance:
    """What was said in one breath, with no silence around it.

    samples: (N,) float32, 16 kHz. phonemes: in order, without gaps. words: start and end, s, one for each word that was given.
    """

    samples: FloatArray
    phonemes: tuple[Phoneme, ...]
    words: tuple[tuple[float, float], ...]


class Speaker(Protocol):
    """A voice that speaks."""

    def say(self, words: Sequence[str], stressed: Collection[int], prosody: Prosody) -> Utterance:
        """Words as written, with their punctuation, and which of them are stressed -> how they sound.

        A voice without noise of its own gives the same samples again.
        """
        ...


def check_voice(voice: str, folder: Path) -> None:
    """Raise AudioError for a voice that there is not, or whose file is missing; files may be given beside `folder`.

    Raises:
        DependencyError: the extra that it needs is not installed.
    """
    if voice.startswith(COMMAND):
        _check_command(voice)
    elif voice == PIPER or voice.startswith(f"{PIPER}:"):
        from talkinghead.audio.piper_voice import piper_files

        piper_files(_piper_file(voice, folder))
    else:
        _check_espeak(voice)


@cache
def open_voice(voice: str, folder: Path) -> Speaker:
    """The voice of a name, kept for its next line; raises as `check_voice`."""
    check_voice(voice, folder)
    if voice.startswith(COMMAND):
        from talkinghead.audio.command_voice import CommandSpeaker

        return CommandSpeaker(voice.removeprefix(COMMAND).strip())
    if voice == PIPER or voice.startswith(f"{PIPER}:"):
        from talkinghead.audio.piper_voice import PiperSpeaker

        return PiperSpeaker.load(_piper_file(voice, folder))
    from talkinghead.audio.espeak_voice import EspeakSpeaker

    return EspeakSpeaker(voice)


def voice_files(voice: str, folder: Path) -> tuple[Path, ...]:
    """The files that a voice is made of, beside what is installed."""
    file = _piper_file(voice, folder) if voice.startswith(f"{PIPER}:") else None
    return () if file is None else (file, file.with_name(f"{file.name}.json"))


def _piper_file(voice: str, folder: Path) -> Path | None:
    name = voice.removeprefix(PIPER).removeprefix(":").strip()
    return folder / Path(name).expanduser() if name else None


@cache
def _check_espeak(voice: str) -> None:
    check_espeak_voice(voice)


def _check_command(voice: str) -> None:
    template = voice.removeprefix(COMMAND)
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise AudioError(f"voice: {voice[:60]!r} has a brace without its other half; write {{text}} and {{output}}.") from error
    unknown = sorted(names - set(_FIELDS))
    if unknown or not {"text", "output"} <= names:
        said = f"has {{{unknown[0][:20]}}}" if unknown else "names no {text} and {output}"
        raise AudioError(
            f"voice: {voice[:60]!r} {said}; write command: program {{text}} {{output}}; {{rate}} is words a minute."
        )
