"""`talkinghead perform`: a written scene -> its video. Knows options; the rest is `screenplay`'s."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from talkinghead.cli_options import CheckpointOption, DeviceOption
from talkinghead.cli_progress import loading, say, stages
from talkinghead.errors import InputError, ScreenplayError


def register(app: typer.Typer) -> None:
    """Add the commands of scenes."""
    app.command(epilog="Example: talkinghead perform scene.yaml -o scene.mp4")(perform)


def perform(
    scene: Annotated[Path | None, typer.Argument(help="The scene: .yaml, or .md written like a play.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Video to write: .mp4, .mov or .mkv.")] = None,
    quality: Annotated[
        str | None, typer.Option("--quality", "-q", help="draft, standard or best. (Default: the scene's.)")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Read the scene, say what is wrong with it, place by place, and stop.")
    ] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of a scene, and stop.")] = False,
    device: DeviceOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """A written scene -> a video: who says what, how they feel, what they do at which word. See docs/screenplay.md.

    Stopped and called again, it goes on; after a change it makes only what changed.
    """
    if schema:
        from talkinghead.screenplay.schema import json_schema

        typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return
    if scene is None:
        raise InputError("scene: none came; give a file such as scene.yaml or scene.md.")
    from talkinghead.cli_values import QUALITIES

    if quality is not None and quality not in QUALITIES:
        raise InputError(f"--quality {quality}: unknown; choose from {', '.join(QUALITIES)}.")
    if output is None and not check:
        raise InputError("--output: none came; give a video such as -o scene.mp4, or --check to read the scene only.")
    from talkinghead.screenplay.reading import read_scene

    if check or output is None:
        try:
            play = read_scene(scene)
        except ScreenplayError as error:
            *earlier, last = (error, *error.others)
            for one in earlier:
                typer.echo("talkinghead: " + " ".join(str(one).split()), err=True)
            raise last from None
        say(f"{scene}: {len(play.scene.lines)} lines of {len(play.scene.cast)} people")
        return
    from talkinghead.types import FPS
    from talkinghead.video.writer import check_output

    check_output(output)
    play = read_scene(scene)
    with stages() as begin:
        from talkinghead.screenplay.production import perform as produce

        made = produce(play, output, begin, quality, checkpoint, device, loading, note=say)
    lines = f"{len(made.rendered)} of {len(play.scene.lines)} lines rendered, {made.kept} kept"
    say(f"{output}: {made.num_frames / FPS:.1f} s, {lines}")
