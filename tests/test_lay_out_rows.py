"""scripts/lay_out_rows.py: rows of a video and of a picture."""

import importlib.util
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from talkinghead.pipeline import TalkingHead
from talkinghead.video.writer import VideoWriter

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("lay_out_rows", ROOT / "scripts/lay_out_rows.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def laid_out(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["lay_out_rows.py", *map(str, arguments)])
    script.main()


def test_a_picture_has_four_columns_and_a_video_a_fifth_the_real_one(script, tmp_path, monkeypatch):
    image = TalkingHead.from_pretrained().load_portrait(ROOT / "assets/astronaut.jpg", size=512).image
    iio.imwrite(tmp_path / "a.png", image)
    with VideoWriter(tmp_path / "b.mp4") as video:
        for _ in range(8):
            video.write(image)
    laid_out(script, monkeypatch, tmp_path, "--near", "mouth", "--height", 60, "-o", tmp_path / "rows.png")
    sheet = iio.imread(tmp_path / "rows.png")
    rows = [sheet[:64], sheet[64:]]
    width = sheet.shape[1] // 5
    assert len(sheet) == 128
    assert not rows[0][:, -width + 8 :].any() and rows[1][:, -width + 8 :].any()
    portrait, _, _, output, real = (rows[1][:, k * width : (k + 1) * width].astype(int) for k in range(5))
    assert np.abs(portrait - real).mean() < 8 and np.abs(output - real).mean() < 12
    spoken = rows[0][:, : 4 * (width - 2)]
    assert np.abs(spoken[:, :40].astype(int) - spoken[:, -42:-2]).mean() > 3


def test_without_a_face_one_line_and_no_file(script, tmp_path, monkeypatch):
    with VideoWriter(tmp_path / "grey.mp4") as video:
        for _ in range(4):
            video.write(np.full((64, 64, 3), 90, np.uint8))
    with pytest.raises(SystemExit, match=r"^error: no face is seen from the first frame on in any of 1 files"):
        laid_out(script, monkeypatch, tmp_path / "grey.mp4", "-o", tmp_path / "rows.png")
    assert not (tmp_path / "rows.png").exists()
