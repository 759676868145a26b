"""A written scene as a value: cast, lines, camera, background, subtitles. Its JSON Schema is what editors check files with.

Knows fields and ranges; knows no files and no notation of text (`cues`). docs/screenplay.md is the page of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from talkinghead.rig.retargeting import KEPT_SMILE

CAMERAS: Final = ("cut", "side by side", "picture in picture")
SEATS: Final = ("left", "middle", "right")
MIN_FIT_S: Final = 0.6
MAX_FIT_S: Final = 600.0
"""As --fit of the command line; a test holds them together."""
MAX_PAUSE_S: Final = 60.0

Camera = Literal["cut", "side by side", "picture in picture"]
Seat = Literal["left", "middle", "right"]
Quality = Literal["draft", "standard", "best"]
SubtitleForm = Literal["burn", "srt", "vtt"]


def _seconds(value: Any) -> Any:
    """ "3.2s" is 3.2, as people write it."""
    if isinstance(value, str) and value.strip().endswith("s"):
        return value.strip()[:-1]
    return value


Seconds = Annotated[float, BeforeValidator(_seconds)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True)


class ProsodyChange(_Part):
    """How a voice speaks beside what its emotion does to it."""

    rate: float = Field(1.0, ge=0.5, le=2.0, description="Pace: 1 is the voice's own, 1.2 is a fifth faster.")
    pitch: float = Field(0.0, ge=-12, le=12, description="Semitones up or down.")
    range: float = Field(1.0, ge=0, le=2, description="How far the melody goes: 0 is flat, 1 the voice's own.")
    volume: float = Field(0.0, ge=-20, le=12, description="Decibels louder or softer.")


class CastMember(_Part):
    """Somebody who is seen, and speaks."""

    portrait: Path = Field(description="Picture of the person, beside the scene's file or with a path.")
    face: int | None = Field(None, ge=1, description="Which face, from 1, left to right, when the picture has several.")
    voice: str = Field(
        "en-us",
        min_length=1,
        description="A language of espeak-ng with a variant (en-us+f3), piper, "
        "piper:voice.onnx, or command: and a command line with {text} and {output}.",
    )
    prosody: ProsodyChange = Field(
        default_factory=lambda: ProsodyChange.model_validate({}), description="How this voice speaks at all times."
    )
    style: Path | None = Field(None, description="A speaking style that `talkinghead adapt` wrote.")
    emotion: str | None = Field(
        None,
        min_length=1,
        description="What is felt when nothing else is said; as --emotion. Left out: calm, or the portrait's smile.",
    )
    strength: float = Field(0.3, ge=0, le=1, description="How strongly that is.")
    seat: Seat | None = Field(None, description="Where in the picture; by the order of the cast when not given.")
    head_motion: float = Field(1.0, ge=0, le=2, description="0 holds the head still, 1 is natural.")
    keep_smile: float = Field(
        KEPT_SMILE, ge=0, le=1, description="How much of a smile in the portrait stays while no emotion is asked for."
    )


class Line(_Part):
    """What somebody says, or does in silence."""

    speaker: str = Field(min_length=1, description="A name of the cast.")
    text: str = Field("", max_length=5000, description="What is said, with cues in brackets and *stressed* words.")
    emotion: str | None = Field(None, min_length=1, description="A label, mix or regions, as --emotion.")
    strength: float | None = Field(None, ge=0, le=1, description="How strong the emotion is; 0.7 when not given.")
    direction: str | None = Field(None, min_length=1, description='A stage direction in words: "quietly furious".')
    recording: Path | None = Field(None, description="A recording of the text, instead of a computer's voice.")
    voice: str | None = Field(None, min_length=1, description="Another voice for this line.")
    prosody: ProsodyChange | None = Field(None, description="Another way to speak for this line.")
    pause: Seconds | None = Field(None, ge=0, le=MAX_PAUSE_S, description="Silence before the line, s.")
    overlap: Seconds | None = Field(None, gt=0, le=MAX_PAUSE_S, description="How long before the last line's end it begins, s.")
    fit: Seconds | None = Field(None, ge=MIN_FIT_S, le=MAX_FIT_S, description="How long the line is to last, s.")
    camera: Camera | None = Field(None, description="The camera from this line on.")


class Scene(_Part):
    """A cast and what they say, one line after the other."""

    title: str = Field("", max_length=200, description="Name of the scene.")
    size: tuple[int, int] = Field((640, 360), description="Width and height of the video, px.")
    fps: float = Field(25.0, ge=1, le=120, description="Frames a second of the video.")
    quality: Quality = Field("standard", description="As --quality of generate.")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Another seed gives other glances, nods and blinks.")
    background: str | None = Field(None, min_length=1, description='A colour such as "#203040" or a picture behind everybody.')
    camera: Camera = Field(
        "cut", description="cut: whoever speaks; side by side: everybody; picture in picture: the speaker, the others small."
    )
    pause: Seconds = Field(
        0.3, ge=0, le=MAX_PAUSE_S, description="Silence before a line that says none itself, s; less is heard as 0.3."
    )
    end: Seconds = Field(0.5, ge=0, le=MAX_PAUSE_S, description="How long the picture goes on after the last line, s.")
    subtitles: tuple[SubtitleForm, ...] = Field((), description="burn: in the picture; srt, vtt: files beside the video.")
    font: Path | None = Field(None, description="A .ttf or .otf file for burnt subtitles.")
    cast: dict[str, CastMember] = Field(min_length=1, max_length=8, description="Name -> who that is.")
    lines: tuple[Line, ...] = Field(min_length=1, max_length=2000, description="What is said, in order.")


def json_schema() -> dict[str, Any]:
    """The schema of a scene file, for editors: JSON Schema 2020-12.

    A line may also begin with the speaker's name as its key, `- ana: What she says`, and a YAML file may be checked by it with
    lines written in full.
    """
    schema = Scene.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
