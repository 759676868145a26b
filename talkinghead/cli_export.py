"""`talkinghead export`, and what `animate` and `track` share with it: a motion -> a file of the format that its name ends in.

Heavy modules are imported inside the functions, so that `--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talkinghead.cli_options import CheckpointOption, MotionOutput, check_motion_output
from talkinghead.cli_progress import say
from talkinghead.errors import InputError

if TYPE_CHECKING:
    from talkinghead.export.character import Character
    from talkinghead.types import FaceMotion

MotionInput = Annotated[Path, typer.Argument(help="What `animate` or `track` wrote, or Live Link Face: .npz, .csv or .json.")]
MotionFpsOption = Annotated[float, typer.Option("--fps", help="Frames a second of the motion: 24, 25, 30, 60 ...")]
CharacterOption = Annotated[
    Path | None,
    typer.Option("--character", help="A .glb or .vrm to animate, into a .glb: its morph targets named as ARKit's or VRM's."),
]
NamesOption = Annotated[
    Path | None, typer.Option("--names", help="YAML for a character's other names, such as: Mouth_Open: jawOpen")
]


def export(
    motion: MotionInput,
    output: MotionOutput,
    fps: MotionFpsOption = 25.0,
    character: CharacterOption = None,
    names: NamesOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """A motion -> a file for another tool: Live Link Face, glTF, USD, FLAME, BVH, JSON; or on somebody's character."""
    check_motion_output(output, [motion, character, names])
    driven = checked_character(output, fps, character, names)
    from talkinghead.export.formats import read_motion

    save(output, read_motion(motion), fps, driven, checkpoint)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: talkinghead export motion.npz --fps 60 -o face.csv; or -o face.glb, face.usda ...")(export)


def checked_character(output: Path, fps: float, character: Path | None, names: Path | None) -> Character | None:
    """The character that was asked for, read and matched, before anything slow is done.

    Raises:
        InputError: a rate out of range; names without a character; a character that goes to another format than .glb.
        MotionError: a character that cannot be read, or has nothing that can be driven.
    """
    from talkinghead.motion.resampling import MAX_FPS, MIN_FPS

    if not MIN_FPS <= fps <= MAX_FPS:
        raise InputError(f"--fps {fps:g}: out of range; give {MIN_FPS:g} to {MAX_FPS:g}.")
    if character is None:
        if names is not None:
            raise InputError(f"--names {names}: these are a character's; give it with --character.")
        return None
    if output.suffix.lower() != ".glb":
        raise InputError(f"--character {character}: goes to a .glb, not {output.name}; give a name such as hero_talking.glb.")
    from talkinghead.export.character import load_character

    return load_character(character, names)


def save(output: Path, motion: FaceMotion, fps: float, character: Character | None, checkpoint: Path | None) -> None:
    """Write a motion of 25 frames a second, and say what was written and what it lacks."""
    from talkinghead.checkpoints import checkpoint_folder
    from talkinghead.export.formats import ending_of, write_motion
    from talkinghead.motion.resampling import resample
    from talkinghead.rig.face_rig import FaceRig
    from talkinghead.types import FPS

    if character is not None:
        character.write(output, resample(motion, FPS, fps), fps)
        if character.missing:  # said even where nobody watches
            typer.echo(f"talkinghead: {character.describe()}", err=True)
        else:
            say(character.describe())
    else:
        write_motion(output, motion, lambda: FaceRig.from_pretrained(checkpoint_folder(checkpoint) / "rig"), fps)
    if ending_of(output) == ".flame.npz":
        say("expression coefficients are 0: no FLAME model is here to fit a map to; head, jaw and eyes are written.")
    rate = "" if fps == FPS else f" at {fps:g} a second"
    say(f"{output}: {max(1, round(len(motion) * fps / FPS))} frames{rate}")
