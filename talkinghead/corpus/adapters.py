"""Other sets than MEAD, by one small function each: where their clips are, and what their names say.

CREMA-D (Cao et al., 2014), RAVDESS' videos (Livingstone and Russo, 2018), folders of clips by person as HDTF's (Zhang et al.,
2021), GRID (Cooke et al., 2006), and a table of one's own. Each is given a root, folder or archive, and says what it found.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from talkinghead.corpus.archives import Member, members
from talkinghead.corpus.sources import Found, SourceClip, is_sound, is_video, nothing_found
from talkinghead.errors import InputError
from talkinghead.types import EMOTIONS

CREMAD_EMOTIONS: Final = {
    "ANG": "angry", "DIS": "disgusted", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad",
}  # fmt: skip
CREMAD_LEVELS: Final = {"LO": 1, "MD": 2, "HI": 3}
"""XX is unspecified."""
CREMAD_SENTENCES: Final = {
    "IEO": "it's eleven o'clock", "TIE": "that is exactly what happened", "IOM": "i'm on my way to the meeting",
    "IWW": "i wonder what this is about", "TAI": "the airplane is almost full", "MTI": "maybe tomorrow it will be cold",
    "IWL": "i would like a new alarm clock", "ITH": "i think i have a doctor's appointment", "DFA": "don't forget a jacket",
    "ITS": "i think i've seen this before", "TSI": "the surface is slick", "WSI": "we'll stop in a couple of minutes",
}  # fmt: skip
RAVDESS_EMOTIONS: Final = ("neutral", "neutral", "happy", "sad", "angry", "fear", "disgusted", "surprised")
"""By the third number of a name; the second is calm."""
RAVDESS_LEVELS: Final = {"01": 2, "02": 3}
RAVDESS_SENTENCES: Final = {"01": "kids are talking by the door", "02": "dogs are sitting by the door"}
CSV_COLUMNS: Final = ("video", "identity", "emotion", "level", "split")
_MAX_NAME: Final = 72
"""A member's name in a shard has 100 letters, its suffix included."""
_CREMAD: Final = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX?)")
_RAVDESS: Final = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")
_GRID: Final = re.compile(r"[blps][bgrw][abiw][a-vx-z][z1-9][anps]")
_GRID_TALKER: Final = re.compile(r"(?:.*[_-])?(s\d{1,2})(?:[._-].*)?")


def cremad_clips(root: Path) -> Found:
    """CREMA-D: `1001_IEO_ANG_HI.flv`, and a sound of the same name where there is one."""
    found = Found()
    videos, sounds = _by_stem(root, found)
    for stem, video in videos.items():
        match = _CREMAD.fullmatch(stem)
        if match is None or match[3] not in CREMAD_EMOTIONS:
            found.unknown.append(video.name)
            continue
        emotion = CREMAD_EMOTIONS[match[3]]
        found.add(
            SourceClip(
                key=f"cremad_{stem}",
                video=video,
                sound=sounds.get(stem),
                identity=f"cremad_{match[1]}",
                emotion=emotion,
                level=1 if emotion == "neutral" else CREMAD_LEVELS.get(match[4]),
                transcript=CREMAD_SENTENCES.get(match[2], ""),
            )
        )
    return _checked(root, found, "CREMA-D's clips, as 1001_IEO_ANG_HI.flv")


def ravdess_clips(root: Path) -> Found:
    """RAVDESS: `01-01-03-02-01-01-12.mp4`, spoken alone; of 02 (picture alone) the sound is 03's of the same numbers."""
    found = Found()
    videos, sounds = _by_stem(root, found)
    for stem, video in videos.items():
        match = _RAVDESS.fullmatch(stem)
        if match is None:
            found.unknown.append(video.name)
        elif match[2] != "01":
            found.complain(video.name, "is sung, not spoken")
        elif match[1] == "02" and f"01{stem[2:]}" in videos:
            found.complain(video.name, f"is 01{stem[2:]} without its sound")
        else:
            emotion = RAVDESS_EMOTIONS[int(match[3]) - 1]
            found.add(
                SourceClip(
                    key=f"ravdess_{stem}",
                    video=video,
                    sound=sounds.get(f"03{stem[2:]}"),
                    identity=f"ravdess_{match[7]}",
                    emotion=emotion,
                    level=1 if emotion == "neutral" else RAVDESS_LEVELS[match[4]],
                    transcript=RAVDESS_SENTENCES[match[5]],
                )
            )
    return _checked(root, found, "RAVDESS' videos, as Actor_01/01-01-03-02-01-01-01.mp4")


def hdtf_clips(root: Path) -> Found:
    """Folders of clips, one a person; a clip in the root itself is of whom its name says, up to its number."""
    found = Found()
    for member in members(root, found.complain):
        if not is_video(member):
            continue
        _, *folders, name = member.name.split("/")
        stem = PurePosixPath(name).stem
        # HDTF: WDA_BarackObama_000.mp4, WRA_X_001_clip2.mp4
        person = _safe(folders[-1]) if folders else _safe(re.sub(r"[_-]?\d+([_-].*)?$", "", stem) or stem)
        key = _safe("_".join([*folders, stem]))
        found.add(SourceClip(key=f"hdtf_{key}", video=member, sound=None, identity=f"hdtf_{person}"))
    return _checked(root, found, "clips, as person/clip.mp4")


def grid_clips(root: Path) -> Found:
    """GRID: `s1/bbaf2n.mpg`, read without emotion; the name is the sentence."""
    found = Found()
    sounds: dict[tuple[str, str], Member] = {}
    videos: dict[tuple[str, str], Member] = {}
    for member in members(root, found.complain):
        if not (is_video(member) or is_sound(member)):
            continue
        path = PurePosixPath(member.name)
        talkers = [match[1] for part in path.parts[:-1] if (match := _GRID_TALKER.fullmatch(part))]
        if _GRID.fullmatch(path.stem) and talkers:
            (videos if is_video(member) else sounds).setdefault((talkers[-1], path.stem), member)
        elif is_video(member):
            found.unknown.append(member.name)
    for (talker, stem), video in videos.items():
        identity = f"grid_{talker}"
        found.add(SourceClip(f"{identity}_{stem}", video, sounds.get((talker, stem)), identity, emotion="neutral", level=1))
    return _checked(root, found, "GRID's clips, as s1/bbaf2n.mpg")


def csv_clips(table: Path) -> Found:
    """A table with the columns `video,identity,emotion,level,split`; paths are from where it is, the last three may be empty.

    Raises:
        InputError: no such table, other columns, or a value that is none of those wanted; the line is named.
    """
    found = Found()
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"table {table}: cannot be read ({error}); give a CSV with {','.join(CSV_COLUMNS)}.") from error
    missing = [name for name in CSV_COLUMNS[:2] if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"table {table}: has no column {', '.join(missing)}; its first line is {','.join(CSV_COLUMNS)}.")
    for number, row in enumerate(rows, 2):
        where = f"table {table}: line {number}"
        video, identity, emotion, level, split = ((row.get(name) or "").strip() for name in CSV_COLUMNS)
        if not video or not identity:
            raise InputError(f"{where} has no {'identity' if video else 'video'}; fill it in.")
        if emotion and emotion not in EMOTIONS:
            raise InputError(f"{where} has emotion {emotion!r}; choose from {', '.join(EMOTIONS)}, or leave it empty.")
        if level and level not in ("1", "2", "3"):
            raise InputError(f"{where} has level {level!r}; give 1, 2 or 3, or leave it empty.")
        if split and split not in ("train", "val", "test"):
            raise InputError(f"{where} has split {split!r}; give train, val or test, or leave it empty.")
        path = table.parent / video
        if not path.is_file():
            found.complain(video, "no such file")
            continue
        member = Member(video, str(path.absolute()), 0, path.stat().st_size)
        found.add(
            SourceClip(
                key=_safe(str(PurePosixPath(video).with_suffix(""))),
                video=member,
                sound=None,
                identity=_safe(identity),
                emotion=emotion or None,
                level=int(level) if level else None,
                split=split,
                transcript=(row.get("transcript") or "").strip(),
            )
        )
    return _checked(table, found, "videos that are there")


def _by_stem(root: Path, found: Found) -> tuple[dict[str, Member], dict[str, Member]]:
    """Videos and sounds by their names without folder and ending; a second one of a name is left out."""
    videos: dict[str, Member] = {}
    sounds: dict[str, Member] = {}
    for member in members(root, found.complain):
        kind = videos if is_video(member) else sounds if is_sound(member) else None
        stem = PurePosixPath(member.name).stem
        if kind is videos and stem in videos:
            found.complain(member.name, f"is there twice: {videos[stem].name} is taken")
        elif kind is not None:
            kind.setdefault(stem, member)
    return videos, sounds


def _safe(name: str) -> str:
    """Letters, digits, _ and - alone: a key is a file's name, and ends at its first dot."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_") or "clip"
    return safe if len(safe) <= _MAX_NAME else f"{safe[: _MAX_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _checked(root: Path, found: Found, wanted: str) -> Found:
    if not found.clips:
        raise nothing_found(root, found, wanted)
    found.clips = dict(sorted(found.clips.items()))
    return found


ADAPTERS: Final[dict[str, Callable[[Path], Found]]] = {
    "cremad": cremad_clips,
    "csv": csv_clips,
    "grid": grid_clips,
    "hdtf": hdtf_clips,
    "ravdess": ravdess_clips,
}
