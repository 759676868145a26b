"""docs/python.md: its blocks run one after the other, as written."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from talkinghead import TalkingHead
from talkinghead.audio.waveform import load_audio
from talkinghead.export.formats import read_motion
from talkinghead.types import SAMPLE_RATE, SAMPLES_PER_FRAME
from talkinghead.video.reader import read_frames

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/python.md").read_text(), re.M | re.S)
NUM_FRAMES = 15


def test_the_blocks_of_the_page_run_in_their_order(tmp_path, monkeypatch, capsys, astronaut) -> None:
    monkeypatch.chdir(tmp_path)
    Path("portrait.jpg").write_bytes(Path(astronaut).read_bytes())
    wavfile.write("speech.wav", SAMPLE_RATE, load_audio(ROOT / "assets/speech.wav").samples[: NUM_FRAMES * SAMPLES_PER_FRAME])
    load_portrait = TalkingHead.load_portrait
    monkeypatch.setattr(TalkingHead, "load_portrait", lambda self, path, size: load_portrait(self, path, size=size // 4))
    names: dict[str, object] = {}
    seen = []
    assert len(BLOCKS) >= 8
    for block in BLOCKS:
        exec(compile(block, "docs/python.md", "exec"), names)
        if "frame.behind_s" in block:
            seen.append(names["frame"])
    assert len(list(read_frames(Path("out.mp4")))) == NUM_FRAMES
    assert len(read_motion(Path("face.csv"))) == NUM_FRAMES
    assert seen[0].index == NUM_FRAMES - 1 and seen[0].image.shape[2] == 3
    assert names["frame"].index == NUM_FRAMES - 1  # of the last, live block too
    assert next(names["frames"]).dtype == np.uint8
    assert "'hapy'" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["TalkingHead", "LiveVideo", "LiveFrame"])
def test_the_front_door_has_the_page_s_names(name) -> None:
    import talkinghead

    assert getattr(talkinghead, name).__name__ == name and name in talkinghead.__all__
    with pytest.raises(AttributeError, match="no attribute 'Talkinghead'"):
        _ = talkinghead.Talkinghead
