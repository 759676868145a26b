"""The options of the command line: their names and help. What comes in them is checked by `cli_values`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

ImageOption = Annotated[Path, typer.Option("--image", "-i", help="Portrait: jpg, png, webp, tif ...")]
AudioOption = Annotated[Path | None, typer.Option("--audio", "-a", help="Speech: wav, mp3, m4a, ogg, flac, a video ...")]
TextOption = Annotated[str | None, typer.Option("--text", "-t", help="What to say, instead of --audio.")]
VoiceOption = Annotated[
    str,
    typer.Option(
        help="Voice of --text: espeak-ng's en-us, en-gb+f3, de, fr ...; piper or piper:voice.onnx; or command: program "
        "{text} {output}."
    ),
]
FitOption = Annotated[
    str | None, typer.Option(help="How long the speech is to last, as 3.2s: spoken faster or slower, the lips with it.")
]
# Rich draws the name of an emoji between colons as that emoji, and mouth and eyes are two: hence the brow in the example.
_EMOTIONS: Final = (
    "angry, contempt, disgusted, fear, happy, neutral, sad or surprised; a mix: happy:0.7,surprised:0.3; "
    "one region (brow, eyes or mouth): angry:brow:0.8. Give it again for more."
)
EmotionOption = Annotated[
    list[str] | None, typer.Option("--emotion", "-e", help=f"{_EMOTIONS} (Default: auto, as heard in the voice.)")
]
LiveEmotionOption = Annotated[
    list[str] | None, typer.Option("--emotion", "-e", help=f"{_EMOTIONS} (Default: neutral; a voice is not heard for it live.)")
]
IntensityOption = Annotated[
    float | None, typer.Option(help="How strong the emotion is, 0 to 1. (Default: 0.7, or what a prompt or reference says.)")
]
LiveIntensityOption = Annotated[float | None, typer.Option(help="How strong the emotion is, 0 to 1. (Default: 0.7.)")]
PromptOption = Annotated[str | None, typer.Option(help='The emotion in words: "quietly furious, then relieved".')]
TimelineOption = Annotated[
    Path | None, typer.Option(help="Cues in YAML: - {time: 2.5, emotion: happy}; or an emotion file of Audio2Face.")
]
ValenceOption = Annotated[float | None, typer.Option(help="-1 unpleasant to 1 pleasant, instead of --emotion.")]
ArousalOption = Annotated[float | None, typer.Option(help="-1 calm to 1 excited, instead of --emotion.")]
ReferenceOption = Annotated[
    Path | None, typer.Option("--emotion-reference", help="A picture or video of a face whose expression is to be imitated.")
]
VideoOutput = Annotated[Path, typer.Option("--output", "-o", help="Video to write: .mp4, .mov or .mkv.")]
MotionOutput = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        help="Motion to write: .npz; .csv (Live Link Face), .glb (glTF), .json, .flame.npz, .usda (USD) or .bvh (the head).",
    ),
]
FpsOption = Annotated[float, typer.Option(help="Frames a second of the video, 1 to 120.")]
SizeOption = Annotated[
    int | None,
    typer.Option(help="The video's longest side, px. (Default: the picture's, at most 1920, more for a small face.)"),
]
SeedOption = Annotated[int, typer.Option(help="Another seed gives other blinks, glances, nods, and another way to smile.")]
NoiseSeedOption = Annotated[int, typer.Option("--seed", help="Of the renderer's noise, which is hardly seen.")]
DeviceOption = Annotated[str | None, typer.Option(help="cpu or cuda. (Default: an NVIDIA GPU when there is one.)")]
QualityOption = Annotated[str, typer.Option("--quality", "-q", help="draft, standard or best.")]
StepsOption = Annotated[int | None, typer.Option(help="Denoising steps, 1 by default; more invent detail.")]
FaceOption = Annotated[int | None, typer.Option(help="Which face, from 1, left to right, when there are several.")]
CheckpointOption = Annotated[Path | None, typer.Option(help="Folder of models. (Default: the one installed.)")]
HeadMotionOption = Annotated[float, typer.Option(help="Head motion: 0 holds it still, 1 is natural, 2 is lively.")]
BlinkRateOption = Annotated[
    str | None,
    typer.Option(help="Blinks: 20 a minute; 1.5x as often; 0.8s,2.4s at these times; off. (Default: as people do.)"),
]
GazeOption = Annotated[
    str,
    typer.Option(
        help="From where the portrait looks: natural leaves it now and then, camera keeps it, 10,-5: degrees right and up."
    ),
]
LipStrengthOption = Annotated[float, typer.Option(help="How far talking moves the mouth: 0 not at all, 1 is natural, 2 twice.")]
ArticulationOption = Annotated[float, typer.Option(help="How distinctly: 0 mumbles, 1 is natural, 2 sets each sound apart.")]
ExpressionStrengthOption = Annotated[
    float, typer.Option(help="How far the emotion moves the face: 0 not at all, 1 as its intensity says, 2 twice.")
]
RelativeOption = Annotated[
    bool | None,
    typer.Option(
        "--relative/--absolute",
        help="Count expression, head and look from the motion's first frame, or take them as they are. "
        "(Default: the expression as it is, head and look from the first frame.)",
    ),
]
ExpressionOnlyOption = Annotated[bool, typer.Option("--expression-only", help="Leave the head where the portrait holds it.")]
StrengthOption = Annotated[float, typer.Option(help="Of the motion's expression: 0 none, 1 as it is, up to 1.5.")]
LipsFromOption = Annotated[
    Path | None,
    typer.Option(
        "--lips-from", help="Speech for the lips; the motion's upper face, head and look stay. It is the sound without --audio."
    ),
]
CameraOption = Annotated[
    str | None,
    typer.Option(
        help="Where the head is seen from, degrees to the picture's right and up, 20 at most: 15,-5; or moving: '0,0 2s:15,5'."
    ),
]
StillBodyOption = Annotated[bool, typer.Option("--still-body", help="Nothing below the chin's shadow moves.")]
KeepSmileOption = Annotated[
    float | None,
    typer.Option(
        "--keep-smile",
        help="How much of a smile in the picture stays while no emotion is asked for, 0 to 1. (Default: 0.7.)",
    ),
]
StyleOption = Annotated[
    Path | None, typer.Option("--style", help="A person's way of speaking: the folder that `talkinghead adapt` wrote.")
]
