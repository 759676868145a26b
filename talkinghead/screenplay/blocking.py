"""Who sits where, who looks at whom, and during which parts of a scene a line is heard. Knows the scene and its times only."""

from __future__ import annotations

from typing import Final

from talkinghead.screenplay.reading import Screenplay
from talkinghead.screenplay.rehearsal import Rehearsal, digest
from talkinghead.screenplay.schema import SEATS

NEIGHBOUR_RAD: Final = 0.26
FURTHER_RAD: Final = 0.36
"""How far one looks aside to somebody in the next seat, and further along."""


def seats(play: Screenplay) -> dict[str, int]:
    """Name -> place from left to right, from 0; who has no seat sits where there is room, in the order of the cast."""
    wanted = {name: SEATS.index(member.seat) for name, member in play.scene.cast.items() if member.seat is not None}
    order = {name: index for index, name in enumerate(play.scene.cast)}
    free = [place for place in range(len(SEATS)) if place not in wanted.values()] or [1]
    others = [name for name in play.scene.cast if name not in wanted]
    places = wanted | {name: free[min(index, len(free) - 1)] for index, name in enumerate(others)}
    ranked = sorted(places, key=lambda name: (places[name], order[name]))
    return {name: index for index, name in enumerate(ranked)}


def addressee(play: Screenplay, index: int) -> str | None:
    """Whom a line is said to: who spoke last before it, else who speaks next, else who sits beside; None when alone."""
    lines, speaker = play.scene.lines, play.scene.lines[index].speaker
    others = [line.speaker for line in (*reversed(lines[:index]), *lines[index + 1 :]) if line.speaker != speaker]
    own = seats(play)[speaker]
    near = sorted((abs(place - own), name) for name, place in seats(play).items() if name != speaker)
    return others[0] if others else near[0][1] if near else None


def direction_to(play: Screenplay, name: str, other: str | None) -> tuple[float, float]:
    """Rad to the picture's right and up at which somebody sees another; the camera when there is nobody."""
    if other is None or other == name:
        return 0.0, 0.0
    apart = seats(play)[other] - seats(play)[name]
    size = NEIGHBOUR_RAD if abs(apart) == 1 else FURTHER_RAD
    return (size if apart > 0 else -size), 0.0


def attention(play: Screenplay, index: int, name: str) -> str | None:
    """At whom somebody looks while a line is spoken; before the first line, as during it."""
    index = max(index, 0)
    speaker = play.scene.lines[index].speaker
    return addressee(play, index) if name == speaker else speaker


def span(rehearsal: Rehearsal, index: int) -> tuple[int, int]:
    """The parts of the scene in which a line is heard, in frames: its own, and those of lines that begin before its end."""
    begin, end = rehearsal.part(index)
    follower = index + 1
    while end < rehearsal.lines[index].stop and follower < len(rehearsal.lines):
        end = rehearsal.part(follower)[1]
        follower += 1
    return begin, end


def person_seed(play: Screenplay, name: str, index: int | None = None) -> int:
    """A seed of somebody, the same in every line, or of what they do in one of them.

    A line is known by its text and by how often that was said before it, so a line put in elsewhere leaves it as it is.
    """
    if index is None:
        return int(digest([play.scene.seed, name])[:8], 16)
    text = play.scene.lines[index].text
    said_before = sum(line.text == text for line in play.scene.lines[:index])
    return int(digest([play.scene.seed, name, text, said_before])[:8], 16)
