"""A path inside an archive of MEAD -> whose clip it is, from where, in which emotion, how strong, which sentence; or nothing.

Knows the released folders in any order (`M003/video/front/angry/level_1/001.mp4`, `M003/1/angry/front/level_1/001.mp4`), split
zips (`M003/video-001/...`), one archive an actor (`W040.tar/...`) and flat copies: `M003_ang_3_001` (EAT),
`M003#angry#level_1#001` (EDTalk), `M003_001_6_2` (ProbTalk3D), `M003_front_angry_level3_001`, and the first release's pages,
`M003_72_1_output_01`.
Every part of a name must be known: what merely looks alike is not guessed at. Opens no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from talkinghead.types import EMOTIONS

VIEWS: Final = ("front", "left_30", "left_60", "right_30", "right_60", "top", "down")
FRONT: Final = "front"
LEVELS: Final = (1, 2, 3)
VIDEO_SUFFIXES: Final = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".m4v", ".flv")
AUDIO_SUFFIXES: Final = (".m4a", ".wav", ".mp3", ".aac", ".flac", ".ogg")
ARCHIVE_SUFFIXES: Final = (".tar", ".zip")
SHIFTED_ACTORS: Final = ("M003",)
"""One of whose clips was lost before numbering: a sentence's number says other words than in this actor's other emotions."""

_EMOTION_WORDS: Final = {name: name for name in EMOTIONS} | {
    "anger": "angry", "disgust": "disgusted", "happiness": "happy", "sadness": "sad", "surprise": "surprised",
    "fearful": "fear", "ang": "angry", "con": "contempt", "dis": "disgusted", "fea": "fear", "hap": "happy", "neu": "neutral",
    "sur": "surprised",
}  # fmt: skip
PROBTALK3D_EMOTIONS: Final = ("neutral", "happy", "sad", "surprised", "fear", "disgusted", "angry", "contempt")
"""In the order of its `--emotion`."""
PAGES: Final = {
    "angry": (1, 8), "disgusted": (9, 16), "contempt": (17, 24), "fear": (25, 33), "happy": (34, 43), "sad": (44, 52),
    "surprised": (53, 61), "neutral": (62, 73),
}  # fmt: skip
"""First and last page of each emotion in the script of the first release."""

_ACTOR: Final = re.compile(r"[MW]\d{3}")
_PAGED: Final = re.compile(r"([MW]\d{3})_(\d{1,2})_([123])_output_(\d{1,2})")
_INDEXED: Final = re.compile(r"([MW]\d{3})_(\d{3})_([0-7])_([0-2])")
_OWN_WORDS: Final = re.compile(r"(left|right)[_-]?(30|60)|level[_-]?([123])")
_OTHER_FOLDERS: Final = re.compile(r"(video|audio)([-_]\d+)?|[12]|mead.*")


@dataclass(frozen=True)
class ClipName:
    """actor: as M003; view: of `VIEWS`, None for a sound, which belongs to all; level: 1-3; sentence: its number."""

    actor: str
    view: str | None
    emotion: str
    level: int
    sentence: int

    @property
    def key(self) -> str:
        """As M003_front_angry_1_001."""
        return f"{self.actor}_{self.view or 'sound'}_{self.emotion}_{self.level}_{self.sentence:03}"

    @property
    def sound(self) -> ClipName:
        """The same clip whatever its view."""
        return replace(self, view=None)


def clip_name(path: str) -> ClipName | None:
    """path: with `/`, the names of the archives included -> what it names; None where any part of it is not understood."""
    stem = PurePosixPath(path).stem
    for pattern, read in ((_PAGED, _paged), (_INDEXED, _indexed)):
        if match := pattern.fullmatch(stem):
            return read(match)
    return _spelt_out(path, stem)


def _paged(match: re.Match[str]) -> ClipName | None:
    """A sentence's number is its page within the emotion and its place there, as 304: no number of the later release."""
    actor, page, level, place = match[1], int(match[2]), int(match[3]), int(match[4])
    for emotion, (first, last) in PAGES.items():
        if first <= page <= last:
            return _checked(ClipName(actor, FRONT, emotion, level, 100 * (page - first + 1) + place))
    return None


def _indexed(match: re.Match[str]) -> ClipName | None:
    return _checked(ClipName(match[1], FRONT, PROBTALK3D_EMOTIONS[int(match[3])], int(match[4]) + 1, int(match[2])))


def _spelt_out(path: str, stem: str) -> ClipName | None:
    found: dict[str, str] = {}
    is_flat = bool(_ACTOR.match(stem))
    for kind, value in _words(path):
        if kind == "unknown" or found.setdefault(kind, value) != value:
            return None
    is_sound = path.lower().endswith(AUDIO_SUFFIXES)
    view = found.get("view", FRONT if is_flat else None)
    level = found.get("level", "1" if found.get("emotion") == "neutral" else "")
    if not (level and {"actor", "emotion", "sentence"} <= found.keys()) or (view is None and not is_sound):
        return None
    return _checked(ClipName(found["actor"], None if is_sound else view, found["emotion"], int(level), int(found["sentence"])))


def _words(path: str) -> Iterator[tuple[str, str]]:
    """What each part of a path says, from the folder that names the actor on; folders above it say nothing."""
    *folders, name = path.split("/")
    folders = [_without_archive(folder) for folder in folders]
    first = max((i for i, folder in enumerate(folders) if _ACTOR.match(folder)), default=len(folders))
    for folder in folders[first:]:
        if not _OTHER_FOLDERS.fullmatch(folder.lower()):
            yield from (_word(word) for word in _split(folder))
    for word in _split(PurePosixPath(name).stem):
        if re.fullmatch(r"[123]", word):
            yield "level", word
        elif re.fullmatch(r"\d{2,4}", word):
            yield "sentence", word
        else:
            yield _word(word)


def _without_archive(folder: str) -> str:
    return folder[:-4] if folder.lower().endswith(ARCHIVE_SUFFIXES) else folder


def _split(name: str) -> list[str]:
    """`M003#left_30#level_2` -> M003, left_30, level_2."""
    joined = _OWN_WORDS.sub(lambda m: f"{m[1]}@{m[2]}" if m[1] else f"level@{m[3]}", name)
    return [word.replace("@", "_") for word in re.split(r"[_#\-. ]+", joined) if word]


def _word(word: str) -> tuple[str, str]:
    lower = word.lower()
    if _ACTOR.fullmatch(word):
        return "actor", word
    if lower in VIEWS:
        return "view", lower
    if lower in _EMOTION_WORDS:
        return "emotion", _EMOTION_WORDS[lower]
    if lower.startswith("level_"):
        return "level", lower[-1]
    return "unknown", word


def _checked(name: ClipName) -> ClipName | None:
    """Nobody is neutral more strongly."""
    return None if name.emotion == "neutral" and name.level != 1 else name
