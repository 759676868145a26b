"""A screenplay -> its video, line by line: what is there is kept, what changed is made again, the rest is joined.

The work folder stands beside the video (`scene.mp4.work`). In it each line's sound and picture have names made of all that they
depend on: the line and whoever is seen, their files, the models, and this package's own code. So a scene goes on where it was
stopped, and a changed line costs itself. Knows files and the order of things.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from talkinghead.errors import OutputError
from talkinghead.screenplay.reading import Screenplay
from talkinghead.screenplay.rehearsal import Rehearsal, rehearse
from talkinghead.screenplay.studio import Load, Loading, Studio
from talkinghead.screenplay.subtitles import check_own, subtitle_files, write_subtitles
from talkinghead.types import FPS
from talkinghead.video.joining import join_videos
from talkinghead.video.reader import read_frames
from talkinghead.video.writer import VideoWriter, check_output

Tell = Callable[[str], None]
"""Called with what begins."""


@dataclass(frozen=True)
class Production:
    """What was made: which lines' sounds and pictures anew, how many were there already."""

    output: Path
    num_frames: int
    rendered: tuple[int, ...]
    kept: int


def work_folder(output: Path) -> Path:
    """Where the parts of a video are kept: scene.mp4.work."""
    return output.with_name(f"{output.name}.work")


def perform(
    play: Screenplay,
    output: Path,
    begin: Tell,
    quality: str | None = None,
    checkpoint: Path | None = None,
    device: str | None = None,
    loading: Loading = contextlib.nullcontext,
    load: Load | None = None,
    note: Tell = lambda _: None,
) -> Production:
    """Make the scene's video, and its subtitles beside it.

    Args:
        play: of `read_scene`.
        output: .mp4, .mov or .mkv; it appears when it is whole.
        begin: called with the name of what begins.
        quality: instead of the scene's.
        checkpoint: folder of models, None for the one installed.
        device: as `TalkingHead.from_pretrained`.
        loading: entered while the models load, which happens only when something is to be filmed.
        load: gives the models of that checkpoint and device, for callers that have them already.
        note: called with what of a portrait will not go well, before it is drawn.

    Raises:
        ScreenplayError: a line that cannot be performed, named by its place.
        OutputError: something cannot be written.
    """
    check_output(output)
    work = work_folder(output)
    _check_inputs(play, output)
    check_own(play.scene.subtitles, output, work)
    try:
        work.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{work}: cannot be made ({error.strerror}); remove what has its name, or write elsewhere."
        ) from error
    rehearsal = rehearse(play, work, begin)
    studio = Studio(play, rehearsal, quality or play.scene.quality, checkpoint, device, loading, load, note)
    rendered: list[int] = []
    parts: list[Path] = []
    for index, line in enumerate(play.scene.lines):
        part = work / f"part-{studio.key(index)}.mp4"
        parts.append(part)
        if not part.is_file():
            begin(f"line {index + 1} of {len(play.scene.lines)}: {line.speaker}")
            studio.film(index, part)
            rendered.append(index)
    begin(f"putting {len(parts)} lines together")
    _assemble(play, rehearsal, parts, output)
    write_subtitles(studio.captions, play.scene.subtitles, output, work)
    _clear(work, {part.name for part in parts} | {f"sound-{line.digest}.npz" for line in rehearsal.lines})
    return Production(output, rehearsal.num_frames, tuple(rendered), len(parts) - len(rendered))


def _assemble(play: Screenplay, rehearsal: Rehearsal, parts: list[Path], output: Path) -> None:
    if play.scene.fps == FPS:
        join_videos(parts, output, rehearsal.sound())
        return
    with VideoWriter(output, rehearsal.sound(), play.scene.fps) as video:
        for part in parts:
            for frame in read_frames(part):
                video.write(frame)


def _check_inputs(play: Screenplay, output: Path) -> None:
    written = [output, *subtitle_files(play.scene.subtitles, output)]
    for path in (path for path in written if path.exists()):
        if any(given.exists() and path.samefile(given) for given in play.files()):
            raise OutputError(f"{path}: is one of the scene's files and would be overwritten; write to another name.")


def _clear(work: Path, needed: set[str]) -> None:
    """Parts of earlier versions go when the new one stands."""
    for pattern in ("part-*.mp4", "sound-*.npz", ".sound-*.part", ".part-*.mp4"):
        for file in work.glob(pattern):
            if file.name not in needed:
                file.unlink(missing_ok=True)
