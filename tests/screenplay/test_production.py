"""A whole scene, small: made once, kept, and after a change only the changed line is made again."""

import gc
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from talkinghead import cli
from talkinghead.audio.waveform import load_audio
from talkinghead.errors import OutputError
from talkinghead.pipeline import TalkingHead
from talkinghead.screenplay.production import perform, work_folder
from talkinghead.screenplay.reading import read_scene
from talkinghead.video.reader import read_frames
from talkinghead.video.writer import VideoWriter

SCENE = """\
size: [96, 128]
quality: draft
background: "#203040"
subtitles: [burn, srt, vtt]
end: 0
cast:
  Ana: {portrait: drawn_woman.png, voice: en-us+f4, seat: left}
  Bob: {portrait: drawn_man.png, seat: right}
lines:
  - Ana: "[smile] Hi!"
    camera: side by side
  - Bob: Go.
    camera: cut
"""


def keep(path: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in path.glob("part-*")}


def is_let_go(thing: Callable[[], Any]) -> bool:
    """Of a weak reference; a thread that has just ended may hold its last value for a moment."""
    for _ in range(100):
        gc.collect()
        if thing() is None:
            return True
        time.sleep(0.05)
    return False


def test_a_scene_is_made_kept_and_mended(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    write, drawn = VideoWriter.write, dict[str, list[Any]]()

    def noted(self: VideoWriter, frame: Any) -> None:
        drawn.setdefault(self.path.name, []).append(frame.copy())
        write(self, frame)

    monkeypatch.setattr(VideoWriter, "write", noted)
    scene, output = stage / "small.yaml", stage / "small.mp4"
    scene.write_text(SCENE)
    heads: list[Any] = []

    def load() -> TalkingHead:
        head = TalkingHead.from_pretrained()
        heads.append(weakref.ref(head))
        return head

    made = perform(read_scene(scene), output, told.append, load=load)
    assert len(heads) == 1 and is_let_go(heads[0])
    frames = list(read_frames(output))
    assert made.rendered == (0, 1) and len(frames) == made.num_frames and frames[0].shape == (128, 96, 3)
    assert load_audio(output).duration_s == pytest.approx(made.num_frames / 25, abs=0.05)
    assert output.with_suffix(".srt").read_text().count("-->") == output.with_suffix(".vtt").read_text().count("-->") == 2
    # Behind people is the colour that was asked for.
    assert np.abs(frames[-1][2, 2].astype(int) - (0x20, 0x30, 0x40)).max() < 12

    before = keep(work_folder(output))
    told.clear()
    again = perform(read_scene(scene), output, told.append)
    assert again.rendered == () and keep(work_folder(output)) == before and told == ["putting 2 lines together"]

    # The last line says something else: it alone is spoken and filmed.
    scene.write_text(SCENE.replace("Bob: Go.", "Bob: No."))
    mended = perform(read_scene(scene), output, told.append)
    after = keep(work_folder(output))
    assert mended.rendered == (1,) and len(set(before.items()) & set(after.items())) == 1 and len(after) == 2

    # A part that is lost is made again, as it was: what the encoder was given, for its own bytes vary.
    for lost in sorted(work_folder(output).glob("part-*")):
        pictures = drawn.pop(lost.name)
        lost.unlink()
        assert len(perform(read_scene(scene), output, told.append).rendered) == 1 and lost.is_file()
        assert all(np.array_equal(a, b) for a, b in zip(pictures, drawn[lost.name], strict=True))

    # Subtitles that were changed by hand stay as they are.
    subtitles = output.with_suffix(".srt")
    subtitles.write_text("by hand")
    with pytest.raises(OutputError, match=r"small.srt: is not what this scene wrote last and would be overwritten; move it"):
        perform(read_scene(scene), output, told.append)
    assert subtitles.read_text() == "by hand"

    with av.open(str(output)) as file:
        times = [packet.pts for packet in file.demux(file.streams.video[0]) if packet.pts is not None]
        assert len(set(times)) == mended.num_frames


def test_a_face_that_is_not_there_is_told_by_its_line(stage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    Image.new("RGB", (128, 128), "white").save(stage / "blank.png")
    (stage / "blank.yaml").write_text(SCENE.replace("drawn_woman.png", "blank.png"))
    assert cli.main(["perform", str(stage / "blank.yaml"), "-o", str(stage / "blank.mp4")]) == 2
    told = capsys.readouterr().err
    assert "blank.yaml:7:19: No face found in" in told and told.count("\n") == 1
    assert not (stage / "blank.mp4").exists() and not list((stage / "blank.mp4.work").glob("part-*"))


def test_a_file_of_the_scene_is_not_overwritten(stage: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take = stage / "take.mp4"
    take.write_bytes((root / "assets/speech.wav").read_bytes())
    (stage / "take.yaml").write_text(SCENE.replace("    camera: cut\n", "    recording: take.mp4\n"))
    before = take.read_bytes(), {path.name for path in stage.iterdir()}
    assert cli.main(["perform", str(stage / "take.yaml"), "-o", str(take)]) == 2
    assert "take.mp4: is one of the scene's files and would be overwritten; write to" in capsys.readouterr().err
    assert (take.read_bytes(), {path.name for path in stage.iterdir()}) == before


def test_two_videos_of_one_stem_have_folders_of_their_own(tmp_path: Path) -> None:
    assert work_folder(tmp_path / "a.mp4") != work_folder(tmp_path / "a.mov")
