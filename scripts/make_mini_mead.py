"""A small archive of MEAD's shape, with every defect of MEAD in it, to try the whole chain on without MEAD.

    python scripts/make_mini_mead.py -o data/mini_mead --source ../shared/data
    talkinghead prepare mead data/mini_mead -o data/mini --workers 2 --transcripts data/mini_mead/transcripts.csv

Six actors by MEAD's names, eight emotions, three levels. Four are people of the split `train` of --source, in pieces of a
second and a half; two, or all where there is no such folder, are drawn portraits of this project with espeak-ng's voice.
What a label says is thus seldom in the face: the archive tries formats and commands, not models. Needs no extra.
"""

from __future__ import annotations

import argparse
import csv
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import imageio.v3 as iio
import numpy as np

from talkinghead.audio.voice import speak
from talkinghead.audio.waveform import load_audio
from talkinghead.corpus.names import PAGES
from talkinghead.errors import TalkingHeadError
from talkinghead.files import whole_folder
from talkinghead.pipeline import TalkingHead
from talkinghead.training import read_manifest
from talkinghead.types import EMOTIONS, FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, Audio
from talkinghead.video.reader import read_frames
from talkinghead.video.writer import VideoWriter

ASSETS = Path(__file__).parents[1] / "assets"
ACTORS = ("M003", "M019", "M041", "W015", "W017", "W040")
"""`eat` tests M003 and W015, `emote` M041 and W040; the others are trained on, W017 by `eat` alone."""
DRAWN = ("W015", "W017")
SENTENCES = ("Papa bought five maps.", "We move bright moons.", "Big waves form above.", "My best puppy left.")
TAKE_EMOTIONS = ("neutral", "happy", "angry", "sad")
PIECE_FRAMES = 36
HEIGHT, WIDTH = 320, 568
SOURCE_FPS = 30


@dataclass(frozen=True, eq=False)
class Take:
    """frames: (T, 256, 256, 3) uint8, 25 a second; samples: as long; text: what is said, where that is known."""

    frames: np.ndarray
    samples: np.ndarray
    text: str = ""


def recorded_takes(source: Path, num_people: int) -> list[list[Take]]:
    """Pieces of clips with sound, of as many people of the split `train`, those with most clips but the one with a thousand."""
    people: dict[str, list[str]] = {}
    for row in read_manifest(source):
        if row["split"] == "train" and row["audio"]:
            people.setdefault(row["identity"], []).append(row["file"])
    most = sorted((name for name in people if len(people[name]) < 100), key=lambda name: (-len(people[name]), name))
    takes: list[list[Take]] = []
    for name in most[:num_people]:
        own: list[Take] = []
        for file in people[name][:4]:
            frames, samples = np.stack(list(read_frames(source / file))), load_audio(source / file).samples
            for start in range(8, min(len(frames), len(samples) // SAMPLES_PER_FRAME) - PIECE_FRAMES, PIECE_FRAMES):
                stop = start + PIECE_FRAMES
                own.append(Take(frames[start:stop], samples[start * SAMPLES_PER_FRAME : stop * SAMPLES_PER_FRAME]))
        takes.append(own)
    return takes


def drawn_takes(actor: str, head: TalkingHead) -> list[Take]:
    """A drawn portrait says the sentences, each in another mood; an actor is a portrait mirrored or in another light."""
    man, number = actor.startswith("M"), ACTORS.index(actor)
    picture = np.ascontiguousarray(iio.imread(ASSETS / f"drawn_{'man' if man else 'woman'}.png")[..., :3])
    picture = picture[:, ::-1] if number % 2 else picture
    picture = np.clip(picture * np.array([1 - 0.06 * number, 1, 0.8 + 0.05 * number]), 0, 255).astype(np.uint8)
    takes = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "portrait.png"
        iio.imwrite(file, cv2.resize(picture, (256, 256 * picture.shape[0] // picture.shape[1]), interpolation=cv2.INTER_AREA))
        portrait = head.load_portrait(file)
        for text, emotion in zip(SENTENCES, TAKE_EMOTIONS, strict=True):
            sound = speak(text, "en-us" if man else "en-us+f4", 170 + 4 * number, 30 + 6 * number).audio
            frames = np.stack(list(head(portrait, sound, emotion, None if emotion == "neutral" else 0.8, quality="draft")))
            frames = frames[:, -256:, :256] if frames.shape[1] >= 256 else frames
            takes.append(Take(frames, sound.samples, text))
    return takes


def clip_bytes(take: Take, with_sound: bool = True, seconds_of_sound: float | None = None) -> bytes:
    """As MEAD's: a wide picture at 30 frames a second, AAC."""
    samples = take.samples if seconds_of_sound is None else take.samples[: round(seconds_of_sound * SAMPLE_RATE)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with VideoWriter(path, Audio(samples) if with_sound else None, SOURCE_FPS) as video:
            for frame in take.frames:
                wide = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
                left = (WIDTH - HEIGHT) // 2
                wide[:, left : left + HEIGHT] = cv2.resize(frame, (HEIGHT, HEIGHT), interpolation=cv2.INTER_CUBIC)
                video.write(wide)
        return path.read_bytes()


def sound_bytes(take: Take) -> bytes:
    """The sound alone, as .m4a."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for start in range(0, len(take.samples), 1024):
            part = np.ascontiguousarray(take.samples[None, start : start + 1024], np.float32)
            chunk = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            chunk.sample_rate, chunk.pts, chunk.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
            container.mux(stream.encode(chunk))
        container.mux(stream.encode(None))
    return file.getvalue()


def classes() -> Iterator[tuple[str, int]]:
    """MEAD's 22."""
    for emotion in EMOTIONS:
        for level in (1, 2, 3):
            if level == 1 or emotion != "neutral":
                yield emotion, level


class Archive:
    """Writes the actors, each in another of the shapes that are met."""

    def __init__(self, root: Path, takes: dict[str, list[Take]], least: bool) -> None:
        self.root, self.takes, self.least = root, takes, least
        self.spoken: dict[str, str] = {}

    def take(self, actor: str, emotion: str, sentence: int) -> Take:
        """The same words for the same emotion and number."""
        own = self.takes[actor]
        return own[(EMOTIONS.index(emotion) + sentence) % len(own)]

    def clip(self, key: tuple[str, str, str, int, int], **how: bool | float) -> bytes:
        """One clip by actor, view, emotion, level and sentence; remembers what is said in it."""
        actor, view, emotion, level, sentence = key
        take = self.take(actor, emotion, sentence)
        if take.text:
            self.spoken[f"{actor}_{view}_{emotion}_{level}_{sentence:03}"] = take.text
        return clip_bytes(take, **how)

    def front(self, actor: str, sentences: Callable[[str, int], list[int]]) -> Iterator[tuple[str, int, int, bytes]]:
        """Emotion, level, sentence and video of an actor's front view."""
        chosen = list(classes())[::5] if self.least else classes()
        for emotion, level in chosen:
            for sentence in sentences(emotion, level):
                yield emotion, level, sentence, self.clip((actor, "front", emotion, level, sentence))

    def write(self) -> None:
        """All six."""
        self._m003()
        self._m019()
        self._m041()
        self._w015()
        self._w017()
        self._w040()
        with (self.root / "transcripts.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["key", "transcript"])
            writer.writerows(sorted(self.spoken.items()))

    def _m003(self) -> None:
        """As released: video.tar and audio.tar. One sentence is lost; and what can be wrong with a clip is wrong with one."""
        actor, more = "M003", 0 if self.least else 1

        def sentences(emotion: str, level: int) -> list[int]:
            if (emotion, level) == ("angry", 1):
                return list(range(1, 2 + 9 * more))
            return list(range(1, 2 + 12 * more)) if emotion == "neutral" else [2 if emotion == "sad" else 1]

        videos: dict[str, bytes] = {}
        sounds: dict[str, bytes] = {}
        for emotion, level, sentence, content in self.front(actor, sentences):
            videos[f"video/front/{emotion}/level_{level}/{sentence:03}.mp4"] = content
            sounds[f"audio/{emotion}/level_{level}/{sentence:03}.m4a"] = sound_bytes(self.take(actor, emotion, sentence))
        happy = self.take(actor, "happy", 1)
        grey, gap = np.full_like(happy.frames, 120), happy.frames.copy()
        gap[10:14] = 120
        defects = {
            "happy/level_3/002": b"",
            "happy/level_3/003": clip_bytes(Take(grey, happy.samples)),
            "happy/level_3/004": clip_bytes(Take(gap, happy.samples)),
            "happy/level_3/005": clip_bytes(happy, seconds_of_sound=len(happy.samples) / SAMPLE_RATE - 0.4),
            "happy/level_3/006": b"no video at all",
            "happy/level_3/007": clip_bytes(happy)[:9000],
            "happy/level_3/second take": clip_bytes(happy),
        }
        videos |= {f"video/front/{name}.mp4": content for name, content in defects.items()}
        videos["video/left_30/angry/level_2/001.mp4"] = self.clip((actor, "left_30", "angry", 2, 1))
        videos["video/front/angry/level_1/._001.mp4"] = b"what a Mac leaves behind"
        write_tar(self.root / actor / "video.tar", videos)
        write_tar(self.root / actor / "audio.tar", sounds)

    def _m019(self) -> None:
        """Loose folders, emotion before view; emotions and views missing; and flat copies that others prepared."""
        folder = self.root / "M019"
        for emotion, level, sentence in (("angry", 1, 1), ("happy", 2, 1), ("neutral", 1, 1), ("neutral", 1, 2)):
            content = self.clip(("M019", "front", emotion, level, sentence))
            write_file(folder / f"video/{emotion}/front/level_{level}/{sentence:03}.mp4", content)
        for name, emotion, level, sentence in (
            ("M019_hap_2_003", "happy", 2, 3),
            ("M019#sad#level_1#004", "sad", 1, 4),
            ("M019_005_6_2", "angry", 3, 5),
            ("M019_front_fear_level3_006", "fear", 3, 6),
        ):
            write_file(self.root / "copies" / f"{name}.mp4", self.clip(("M019", "front", emotion, level, sentence)))

    def _m041(self) -> None:
        """Split zips; in some clips the video has no sound, which is beside it."""
        videos = {
            f"video/front/{emotion}/level_{level}/{sentence:03}.mp4": content
            for emotion, level, sentence, content in self.front("M041", lambda _emotion, _level: [1])
        }
        silent = range(20, 21 if self.least else 24)
        sounds = {f"audio/sad/level_2/{n:03}.m4a": sound_bytes(self.take("M041", "sad", n)) for n in silent}
        for n in silent:
            videos[f"video/front/sad/level_2/{n:03}.mp4"] = self.clip(("M041", "front", "sad", 2, n), with_sound=False)
        names = sorted(videos)
        for number, own in enumerate((names[::2], names[1::2]), 1):
            path = self.root / "M041" / f"video-{number:03}.zip"
            path.parent.mkdir(parents=True, exist_ok=True)
            how = zipfile.ZIP_STORED if number == 1 else zipfile.ZIP_DEFLATED
            with zipfile.ZipFile(path, "w", how) as archive:
                for name in own:
                    archive.writestr(f"video-{number:03}/{name}", videos[name])
        write_tar(self.root / "M041" / "audio.tar", sounds)

    def _w015(self) -> None:
        """The first release: names by page."""
        for emotion, level, sentence, content in self.front("W015", lambda _emotion, _level: [1]):
            page = PAGES[emotion][0] + (level - 1)
            text = self.spoken.pop(f"W015_front_{emotion}_{level}_{sentence:03}", "")
            self.spoken |= {f"W015_front_{emotion}_{level}_{100 * level + sentence}": text} if text else {}
            write_file(self.root / "W015" / f"W015_{page}_{level}_output_{sentence:02}.mp4", content)

    def _w017(self) -> None:
        """One view only."""
        videos = {
            f"video/down/{emotion}/level_1/001.mp4": self.clip(("W017", "down", emotion, 1, 1))
            for emotion in EMOTIONS[:: 3 if self.least else 1]
        }
        write_tar(self.root / "W017" / "video.tar", videos)

    def _w040(self) -> None:
        """One archive an actor, `1` in place of `video`, broken off in its last clip."""
        videos = {
            f"W040/1/front/{emotion}/level_{level}/{sentence:03}.mp4": content
            for emotion, level, sentence, content in self.front("W040", lambda _emotion, _level: [1])
        }
        file = self.root / "W040.tar"
        write_tar(file, videos)
        last = sorted(videos)[-1]
        begins = file.read_bytes().rindex(last.encode()) + tarfile.BLOCKSIZE
        with file.open("r+b") as archive:
            archive.truncate(begins + len(videos[last]) // 2)


def write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_tar(path: Path, contents: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name in sorted(contents):
            entry = tarfile.TarInfo(name)
            entry.size = len(contents[name])
            tar.addfile(entry, io.BytesIO(contents[name]))


def make(output: Path, source: Path | None, least: bool) -> int:
    """The archive; returns how many of its actors are people."""
    recorded = [actor for actor in ACTORS if actor not in DRAWN] if source is not None else []
    takes = dict(zip(recorded, recorded_takes(source, len(recorded)), strict=True)) if source is not None else {}
    head = TalkingHead.from_pretrained(device="cpu")
    takes |= {actor: drawn_takes(actor, head) for actor in ACTORS if actor not in takes}
    Archive(output, takes, least).write()
    return len(recorded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("data/mini_mead"), help="folder to make; must not be there")
    parser.add_argument("--source", type=Path, help="folder of clips with manifest.jsonl; without it everybody is drawn")
    parser.add_argument("--least", action="store_true", help="a few clips of each actor")
    options = parser.parse_args()
    if options.output.exists():
        raise SystemExit(f"error: output {options.output}: is there already; give a new name.")
    try:
        with whole_folder(options.output) as part:
            num_people = make(part, options.source, options.least)
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    print(f"{options.output}: {len(ACTORS)} actors, {num_people} of them people, {FPS} frames a second when prepared")


if __name__ == "__main__":
    main()
