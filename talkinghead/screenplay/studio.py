"""A line of a rehearsed scene -> its part of the picture, and the key that changes when anything changes that it depends on.

Knows panels, pictures and captions; knows nothing of work folders and of the order of things (`screenplay.production`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import talkinghead
from talkinghead.checkpoints import checkpoint_folder
from talkinghead.errors import FaceError, ImageError
from talkinghead.portrait_notes import portrait_notes
from talkinghead.rig.fitting import fit_face
from talkinghead.rig.retargeting import Reenactment
from talkinghead.screenplay.blocking import addressee, attention, person_seed, seats, span
from talkinghead.screenplay.reading import Screenplay
from talkinghead.screenplay.rehearsal import Rehearsal, digest, file_digest
from talkinghead.screenplay.staging import Panel, Shot, panels, render_size, shot
from talkinghead.screenplay.subtitles import Caption, Lettering, captions
from talkinghead.streaming import joined
from talkinghead.synthesis.matte import MATTE_FILE, PersonMatte
from talkinghead.synthesis.portrait import resized
from talkinghead.types import FPS, ByteArray, FaceMotion, Portrait
from talkinghead.video.writer import VideoWriter

if TYPE_CHECKING:
    from talkinghead.pipeline import TalkingHead
    from talkinghead.screenplay.performance import Performers

Loading = Callable[[], AbstractContextManager[None]]
Load = Callable[[], "TalkingHead"]


@dataclass(frozen=True, eq=False)
class Studio:
    """Films the parts of a scene; loads models when the first part needs them."""

    play: Screenplay
    rehearsal: Rehearsal
    quality: str
    checkpoint: Path | None
    device: str | None
    loading: Loading
    load: Load | None
    note: Callable[[str], None] = field(default=lambda _: None)
    _portraits: dict[str, Portrait] = field(default_factory=dict, init=False)
    _resized: dict[tuple[str, int], Portrait] = field(default_factory=dict, init=False)

    @cached_property
    def performers(self) -> Performers:
        from talkinghead.pipeline import TalkingHead
        from talkinghead.screenplay.performance import Performers

        with self.loading():
            head = self.load() if self.load else TalkingHead.from_pretrained(self.checkpoint, self.device)
        return Performers(head, self.play, self.rehearsal)

    @cached_property
    def captions(self) -> list[Caption]:
        """Of the whole scene."""
        lines, scripts = self.play.scene.lines, self.play.scripts
        spoken = [index for index in range(len(lines)) if scripts[index].words]
        return captions([(lines[index].speaker, self.rehearsal.words(index)) for index in spoken])

    def camera(self, index: int) -> str:
        """That of the line, or of the last line before it that names one."""
        named = [line.camera for line in self.play.scene.lines[: index + 1] if line.camera is not None]
        return named[-1] if named else self.play.scene.camera

    def panels(self, index: int) -> list[Panel]:
        order = sorted(seats(self.play), key=seats(self.play).__getitem__)
        return panels(self.camera(index), self.play.scene.size, self.play.scene.lines[index].speaker, order)

    def heard(self, index: int) -> list[int]:
        """The lines that are spoken in a part: its own, and those that still go on."""
        first, stop = self.rehearsal.part(index)
        spans = [(other, span(self.rehearsal, other)) for other in range(index + 1)]
        return [other for other, (begin, end) in spans if begin <= first and stop <= end]

    def key(self, index: int) -> str:
        """Sixteen letters that change when anything changes that a part's picture depends on."""
        first, stop = self.rehearsal.part(index)
        scene, seen = self.play.scene, self.panels(index)
        people = [self._person(index, panel.name) for panel in seen]
        spoken = [self._spoken(other, first) for other in self.heard(index)]
        picture = [scene.size, self.quality, scene.seed, self._background(), [vars(panel) for panel in seen], stop - first]
        letters: list[Any] = []
        if "burn" in scene.subtitles:
            found = self._captions_of(first, stop)
            letters = [[c.text, round(c.start_s * FPS) - first, round(c.end_s * FPS) - first] for c in found]
            letters.append(None if scene.font is None else file_digest(self.play.file(scene.font)))
        return digest([_code(), self._models, people, spoken, picture, letters])

    def _person(self, index: int, name: str) -> list[Any]:
        """What a picture of somebody depends on."""
        play, member = self.play, self.play.scene.cast[name]
        eyes = [attention(play, index - 1, name), attention(play, index, name)]
        seeds = [person_seed(play, name), person_seed(play, name, index)]
        files = [file_digest(play.file(file)) for file in (member.portrait, member.style) if file is not None]
        return [name, member.model_dump(mode="json"), files, seats(play), seeds, eyes, name in self._smiling]

    @cached_property
    def _smiling(self) -> set[str]:
        from talkinghead.screenplay.performance import who_smiles

        return who_smiles(self.play)

    def _spoken(self, index: int, first: int) -> list[Any]:
        """What the motion of who speaks a line depends on; first: where the part of the scene begins."""
        line, rehearsed = self.play.scene.lines[index], self.rehearsal.lines[index]
        mood = self.play.scene.cast[line.speaker].model_dump(mode="json", include={"emotion", "strength"})
        begin, end = span(self.rehearsal, index)
        times = [rehearsed.start - first, begin - first, end - first]
        written = line.model_dump(mode="json", exclude={"camera", "pause", "overlap"})
        return [written, mood, rehearsed.digest, times, addressee(self.play, index)]

    @cached_property
    def _models(self) -> str:
        return file_digest(checkpoint_folder(self.checkpoint))

    def _background(self) -> str | None:
        given = self.play.scene.background
        return given if given is None or given.startswith("#") else file_digest(self.play.file(given))

    def _captions_of(self, first: int, stop: int) -> list[Caption]:
        return [caption for caption in self.captions if caption.start_s * FPS < stop and caption.end_s * FPS > first]

    def film(self, index: int, part: Path) -> None:
        """Write a line's part of the picture."""
        seen = self.panels(index)
        first, stop = self.rehearsal.part(index)
        shots = [self._shot(panel) for panel in seen]
        streams = [self._frames(index, one) for one in shots]
        width, height = self.play.scene.size
        font = None if self.play.scene.font is None else self.play.file(self.play.scene.font)
        lettering = Lettering(width, height, font)
        found = self._captions_of(first, stop) if "burn" in self.play.scene.subtitles else []
        with contextlib.ExitStack() as stack:
            video = stack.enter_context(VideoWriter(part))
            for frame, pictures in enumerate(zip(*streams, strict=True), first):
                canvas = np.zeros((height, width, 3), np.uint8)
                for panel, picture in zip(seen, pictures, strict=True):
                    canvas[panel.top : panel.top + panel.height, panel.left : panel.left + panel.width] = picture
                time_s = (frame + 0.5) / FPS
                video.write(lettering.burn(canvas, [caption for caption in found if caption.start_s <= time_s < caption.end_s]))

    def _frames(self, index: int, one: Shot) -> Iterator[ByteArray]:
        """Frames of one panel."""
        name = one.panel.name
        motion = self.performers.motion(index, name)
        # The renderer counts the head's pose from the first frame, which is given as it rests and is not shown.
        seed, smile = person_seed(self.play, name) % 2**31, Reenactment(keep_smile=self.play.scene.cast[name].keep_smile)
        motion = joined([FaceMotion.neutral(1), motion])
        frames = self.performers.head.render(one.portrait, motion, self.quality, seed=seed, reenactment=smile)
        next(frames)
        if not one.is_cut_out:
            return (one.place(frame) for frame in frames)
        # The head moves, and its outline with it.
        box = one.portrait.face.box
        return (one.place(frame, self._matte(frame, box)) for frame in frames)

    @cached_property
    def _matte(self) -> PersonMatte:
        with self.loading():
            return PersonMatte(self.performers.head.folder / "matte" / MATTE_FILE)

    def _shot(self, panel: Panel) -> Shot:
        given = self.play.scene.background
        background = None if given is None else given if given.startswith("#") else self.play.file(given)
        wanted = self._portrait(panel.name)
        longest = max(wanted.image.shape[:2])
        size = render_size(longest, wanted, [panel])
        if size != longest:
            key = (panel.name, size)
            if key not in self._resized:
                self._resized[key] = resized(wanted, size)
            wanted = self._resized[key]
        return shot(wanted, panel, background)

    def _portrait(self, name: str) -> Portrait:
        if name in self._portraits:
            return self._portraits[name]
        member = self.play.scene.cast[name]
        file, head = self.play.file(member.portrait), self.performers.head
        try:
            with self.loading():
                portrait = head.load_portrait(file, member.face)
        except (FaceError, ImageError) as error:
            raise self.play.source.error(("cast", name, "portrait"), str(error)) from error
        for note in portrait_notes(portrait, fit_face(portrait.face, head.rig), size_option=None):
            self.note(f"{file}: {note}")
        return self._portraits.setdefault(name, portrait)


@cache
def _code() -> str:
    package = Path(talkinghead.__file__).parent
    folders = ("audio", "emotion", "motion", "rig", "synthesis", "video", "screenplay")
    files = [file for folder in folders for file in sorted((package / folder).glob("*.py"))]
    files += [package / name for name in ("pipeline.py", "arkit.py", "types.py", "rigged_portrait.py", "streaming.py")]
    return digest([file_digest(file) for file in files])
