"""An archive -> the clips in it, each with its picture, its sound and what is known of it, and what could not be used.

MEAD is here; other sets are in `adapters`. Knows names and where bytes lie; decodes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from talkinghead.corpus.archives import Member, members
from talkinghead.corpus.names import AUDIO_SUFFIXES, FRONT, SHIFTED_ACTORS, VIDEO_SUFFIXES, VIEWS, ClipName, clip_name
from talkinghead.errors import InputError
from talkinghead.types import EMOTIONS

EXPECTED: Final = frozenset(
    (emotion, level) for emotion in EMOTIONS for level in (1, 2, 3) if level == 1 or emotion != "neutral"
)
"""MEAD's 22 classes."""
_NAMED: Final = 3


@dataclass(frozen=True)
class SourceClip:
    """One clip as an archive has it.

    key: its name in the prepared set; video: the picture; sound: a file of its own, beside what the video may hold.
    split: as its set says, or "". from_last: how many sentences of the same person, emotion and level follow it; None where
    sentences are not numbered. pairs_by_number: whether the same sentence number in another emotion says the same words.
    """

    key: str
    video: Member
    sound: Member | None
    identity: str
    view: str = FRONT
    emotion: str | None = None
    level: int | None = None
    sentence: int | None = None
    transcript: str = ""
    split: str = ""
    from_last: int | None = None
    pairs_by_number: bool = True


@dataclass
class Found:
    """clips by key; left_out: what cannot be used, and why; unknown: names that were not understood; remarks: of the whole."""

    clips: dict[str, SourceClip] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def complain(self, what: str, why: str) -> None:
        """A thing that cannot be used."""
        self.left_out.append((what, why))

    def add(self, clip: SourceClip) -> None:
        """A clip; a second one of the same name, and one without a byte, are left out."""
        if not clip.video.size:
            self.complain(clip.video.name, "is empty")
        elif (first := self.clips.get(clip.key)) is not None:
            self.complain(clip.video.name, f"is there twice: {first.video.name} is taken")
        else:
            self.clips[clip.key] = clip


def is_video(member: Member) -> bool:
    """By its ending."""
    return member.name.lower().endswith(VIDEO_SUFFIXES)


def is_sound(member: Member) -> bool:
    """By its ending."""
    return member.name.lower().endswith(AUDIO_SUFFIXES)


def mead_clips(root: Path, views: Collection[str] = (FRONT,), actors: Collection[str] = ()) -> Found:
    """The clips of MEAD's archives in some views, of some actors or of all.

    Raises:
        InputError: no such folder, or nothing in it is a clip of MEAD.
    """
    found, sounds, others = Found(), dict[ClipName, Member](), defaultdict[str, int](int)
    names: list[tuple[ClipName, Member]] = []
    everything: list[ClipName] = []  # whatever is asked for, a sentence is of one split
    for member in members(root, found.complain):
        if not (is_video(member) or is_sound(member)):
            continue
        name = clip_name(member.name)
        if name is None:
            found.unknown.append(member.name)
        elif name.view is None:
            if member.size:
                sounds.setdefault(name, member)
        else:
            everything.append(name)
            if name.view not in views:
                others[name.view] += 1
            elif not actors or name.actor in actors:
                names.append((name, member))
    if not (names or others):
        raise InputError(_nothing(root, found, "MEAD's clips, as M003/video.tar or M003/video/front/angry/level_1/001.mp4"))
    if not names and actors and any(name.view in views for name in everything):
        raise InputError(
            f"--actors {','.join(actors)}: {root} has none of them; it has {_listed({n.actor for n in everything})}."
        )
    if not names:
        there = ", ".join(f"{view} ({count})" for view, count in sorted(others.items()))
        raise InputError(f"--views {','.join(views)}: {root} has no such view; it has {there}.")
    last = _places_from_last(everything)
    for name, member in sorted(names, key=lambda item: (item[0].key, item[1].name)):
        found.add(
            SourceClip(
                key=name.key,
                video=member,
                sound=sounds.get(name.sound),
                identity=name.actor,
                view=name.view or FRONT,
                emotion=name.emotion,
                level=name.level,
                sentence=name.sentence,
                from_last=last[name.sound],
                pairs_by_number=name.actor not in SHIFTED_ACTORS,
            )
        )
    unseen = {name.actor for name in everything if not actors or name.actor in actors} - {name.actor for name, _ in names}
    for actor in sorted(unseen):
        own = sorted({str(name.view) for name in everything if name.actor == actor})
        found.remarks.append(f"{actor}: only the view {', '.join(own)}, which was not asked for")
    found.remarks += _gaps([name for name, _ in names], others, views)
    return found


def _nothing(root: Path, found: Found, wanted: str) -> str:
    """Why a root gives nothing: an archive that cannot be read, names that are others, or no file at all."""
    if found.left_out:
        what, why = found.left_out[0]
        return f"root {root}: {what} {why}; copy or download it again."
    seen = f"{len(found.unknown)} others, as {found.unknown[0]}" if found.unknown else "no video"
    return f"root {root}: holds {seen}; give the folder that holds {wanted}."


def nothing_found(root: Path, found: Found, wanted: str) -> InputError:
    """The error for a root that holds no clip of a set."""
    return InputError(_nothing(root, found, wanted))


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _places_from_last(names: Iterable[ClipName]) -> dict[ClipName, int]:
    """How many sentences of the same actor, emotion and level follow each, whatever its view: a sentence is of one split."""
    groups: dict[tuple[str, str, int], set[ClipName]] = defaultdict(set)
    for name in names:
        groups[name.actor, name.emotion, name.level].add(name.sound)
    ordered = (sorted(group, key=lambda name: name.sentence, reverse=True) for group in groups.values())
    return {name: place for group in ordered for place, name in enumerate(group)}


def _gaps(names: list[ClipName], others: dict[str, int], views: Collection[str]) -> list[str]:
    """What MEAD should have and this archive has not, actor by actor."""
    remarks = []
    by_actor: dict[str, list[ClipName]] = defaultdict(list)
    for name in names:
        by_actor[name.actor].append(name)
    for actor, own in sorted(by_actor.items()):
        missing_views = [view for view in VIEWS if view in views and view not in {name.view for name in own}]
        missing = sorted(EXPECTED - {(name.emotion, name.level) for name in own})
        if missing_views:
            remarks.append(f"{actor}: no view {', '.join(missing_views)}")
        if missing:
            gone = [f"{emotion} {level}" for emotion, level in missing]
            more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
            remarks.append(f"{actor}: no {', '.join(gone[:_NAMED])}{more}, {len(missing)} of the 22 classes")
        if actor in SHIFTED_ACTORS:
            remarks.append(
                f"{actor}: sentence numbers are shifted between emotions; pair by transcript or sound, not by number"
            )
    for view, count in sorted(others.items()):
        remarks.append(f"{count} clips of the view {view} were not asked for")
    return remarks


def with_transcripts(found: Found, texts: dict[str, str]) -> None:
    """Fill in what is said: by key, or for all actors by `<emotion>_<level>_<sentence>` where numbers tell the words."""
    for key, clip in found.clips.items():
        number = f"{clip.emotion}_{clip.level}_{clip.sentence:03}" if clip.sentence is not None else ""
        text = texts.get(key) or (texts.get(number, "") if clip.pairs_by_number else "")
        if text:
            found.clips[key] = replace(clip, transcript=text)
