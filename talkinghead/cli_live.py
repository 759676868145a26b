"""What `talkinghead stream` reads and where it sends: a file or a pipe of sound in, lines of JSON and OSC datagrams out.

Heavy modules are imported inside the functions, so that `--help` answers at once.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from talkinghead.errors import AudioError, InputError

if TYPE_CHECKING:
    from talkinghead.cli_stream import Stream
    from talkinghead.export.live import LiveSender
    from talkinghead.types import FaceMotion

PIPE = "-"
SoundOption = Annotated[str, typer.Option("--audio", "-a", help="A recording, or - for raw sound on standard input.")]
OscOption = Annotated[
    str | None,
    typer.Option("--osc", help="Where an avatar listens, host:port: 127.0.0.1:39539 for VMC. A terminal then gets no JSON."),
]
OscFormatOption = Annotated[
    str | None,
    typer.Option(help="vmc: ARKit's names over VMC; vrm: VRM's own expressions over VMC; arkit: plain. (Default: vmc.)"),
]
LiveFpsOption = Annotated[float | None, typer.Option("--fps", help="OSC frames a second, 10 to 120. (Default: 25.)")]
BufferOption = Annotated[
    float | None, typer.Option("--buffer", help="Seconds that OSC stays behind, for evenness, 0 to 2. (Default: 0.1.)")
]


def opened_sound(audio: str) -> BinaryIO:
    """The raw sound that `cli_stream` reads, from the pipe or from a recording.

    Raises:
        AudioError: a terminal or a sound file instead of raw sound, or a recording that cannot be read.
    """
    from talkinghead.cli_stream import check_source

    if audio == PIPE:
        check_source(sys.stdin)
        sound = sys.stdin.buffer
        if isinstance(sound, io.BufferedReader) and sound.peek(4)[:4] in (b"RIFF", b"fLaC", b"OggS"):
            raise AudioError("standard input is a sound file, where raw 16-bit samples are read; give it with --audio.")
        return sound
    import numpy as np

    from talkinghead.audio.waveform import load_audio

    samples = load_audio(Path(audio)).samples
    return io.BytesIO(np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes())


def opened_sender(osc: str | None, osc_format: str | None, fps: float | None, buffer_s: float | None) -> LiveSender | None:
    """The sender that was asked for.

    Raises:
        InputError: no such address, format, rate or buffer; one of these without an address.
    """
    if osc is None:
        for option, value in (("--osc-format", osc_format), ("--fps", fps), ("--buffer", buffer_s)):
            if value is not None:
                given = value if isinstance(value, str) else f"{value:g}"
                raise InputError(f"{option} {given}: is of what --osc sends; give --osc 127.0.0.1:39539 too.")
        return None
    from talkinghead.export.live import BUFFER_S, LiveSender
    from talkinghead.types import FPS

    try:
        return LiveSender(osc, osc_format or "vmc", FPS if fps is None else fps, BUFFER_S if buffer_s is None else buffer_s)
    except InputError as error:
        raise InputError(f"--{str(error).replace('osc format', 'osc-format', 1)}") from error


def play(source: BinaryIO, stream: Stream, sender: LiveSender | None) -> None:
    """Read sound to its end; frames go to the avatar and, as lines of JSON, to standard output.

    With an avatar a terminal gets no lines.
    """
    from talkinghead.cli_stream import motions_of, write_lines

    motions = motions_of(source, stream)
    if sender is None:
        write_lines(motions, sys.stdout)
        return
    with sender:
        sent = _sent(motions, sender)
        if sys.stdout.isatty():
            for _ in sent:
                pass
        else:
            write_lines(sent, sys.stdout)


def _sent(motions: Iterable[FaceMotion], sender: LiveSender) -> Iterator[FaceMotion]:
    for motion in motions:
        sender.send(motion)
        yield motion
