"""`talkinghead export`, and what `animate` and `track` share with it: a motion -> a file of the format that its name ends in.

Heavy modules are imported inside the functions, so that `--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from talkinghead.cli_options import CheckpointOption, MotionOutput
from talkinghead.cli_progress import say
from talkinghead.cli_values import check_motion_output
from talkinghead.errors import InputError

if TYPE_CHECKING:
    from talkinghead.export.character import Character
    from talkinghead.export.flame_character import FlameCharacter
    from talkinghead.types import FaceMotion

FLAME: Final = "flame"
"""Before a colon: the folder after it is a converted FLAME model."""
MotionInput = Annotated[Path, typer.Argument(help="What `animate` or `track` wrote, or Live Link Face: .npz, .csv or .json.")]
MotionFpsOption = Annotated[float, typer.Option("--fps", help="Frames a second of the motion: 24, 25, 30, 60 ...")]
CharacterOption = Annotated[
    Path | None,
    typer.Option(
        "--character",
        help="A .glb or .vrm to animate, into a .glb: its morph targets named as ARKit's or VRM's. flame:FOLDER is your FLAME.",
    ),
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
    is_flame = motion.name.lower().endswith(".flame.npz")
    driven = checked_character(output, fps, character, names, any_format=is_flame)
    from talkinghead.export.formats import read_motion

    if driven is not None and is_flame and motion.is_file():
        from talkinghead.export.flame_character import ENDINGS, FlameCharacter

        if isinstance(driven, FlameCharacter):
            shown = driven if output.name.lower().endswith(ENDINGS) else None
            return save(output, driven.read(motion), fps, shown, checkpoint)
    return save(output, read_motion(motion), fps, driven, checkpoint)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: talkinghead export motion.npz --fps 60 -o face.csv; or -o face.glb, face.usda ...")(export)


def checked_character(
    output: Path, fps: float, character: Path | None, names: Path | None, any_format: bool = False
) -> Character | FlameCharacter | None:
    """The character that was asked for, read and matched, before anything slow is done.

    any_format: FLAME is only to say what a motion means, wherever that goes.

    Raises:
        InputError: a rate out of range; names without a character; a character that goes to a format that holds none.
        MotionError: a character that cannot be read, or has nothing that can be driven.
        CheckpointError: a folder after `flame:` that holds no converted model.
    """
    from talkinghead.motion.resampling import MAX_FPS, MIN_FPS

    if not MIN_FPS <= fps <= MAX_FPS:
        raise InputError(f"--fps {fps:g}: out of range; give {MIN_FPS:g} to {MAX_FPS:g}.")
    if character is None:
        if names is not None:
            raise InputError(f"--names {names}: these are a character's; give it with --character.")
        return None
    if str(character).startswith(FLAME):
        from talkinghead.export.flame_character import ENDINGS, FlameCharacter, flame_folder

        folder = flame_folder(character)
        if folder is not None:
            if names is not None:
                raise InputError(f"--names {names}: FLAME has no morph targets to name; leave it out.")
            if not any_format and not output.name.lower().endswith(ENDINGS):
                raise InputError(f"--character {character}: goes to {', '.join(ENDINGS)}, not {output.name}; give such a name.")
            return FlameCharacter.load(folder)
    if output.suffix.lower() != ".glb":
        raise InputError(f"--character {character}: goes to a .glb, not {output.name}; give a name such as hero_talking.glb.")
    from talkinghead.export.character import load_character

    return load_character(character, names)


def save(
    output: Path, motion: FaceMotion, fps: float, character: Character | FlameCharacter | None, checkpoint: Path | None
) -> None:
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
            say("expression coefficients are 0: give your FLAME with --character flame:FOLDER (scripts/convert_flame.py).")
    rate = "" if fps == FPS else f" at {fps:g} a second"
    say(f"{output}: {max(1, round(len(motion) * fps / FPS))} frames{rate}")
