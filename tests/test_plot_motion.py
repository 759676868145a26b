"""The curves of `scripts/plot_motion.py`, and its picture where matplotlib is installed."""

import importlib.util
import sys

import imageio.v3 as iio
import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.evaluation.clips import LipCurves
from talkinghead.types import SAMPLE_RATE, Audio, FaceMotion


@pytest.fixture(scope="module")
def script(root):
    spec = importlib.util.spec_from_file_location("plot_motion", root / "scripts/plot_motion.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def panels(script):
    real, ours = FaceMotion.neutral(50), FaceMotion.neutral(50)
    real.blendshapes[10:20, [arkit.INDEX[name] for name in (*script.BROWS, "browDownLeft")]] = 0.5
    real.head_rotation[:, 1] = 0.4  # how the camera stood
    real.head_rotation[30, 1] += np.radians(10)
    real.gaze[5, 0] = np.radians(7)
    lips = LipCurves(np.linspace(0, 0.1, 50, dtype=np.float32), np.full(50, 0.6, np.float32))
    return script.curves(real, ours, lips, lips)


def test_the_panels_are_in_their_units_and_know_no_camera(panels):
    by_title = {panel.title: panel for panel in panels}
    assert by_title["brows, up less down"].real[15] == pytest.approx(0.25)
    assert by_title["head turn, deg"].real[[0, 30]] == pytest.approx([0, 10], abs=1e-4)
    assert by_title["gaze to the left, deg"].real[5] == pytest.approx(7, abs=1e-4)
    assert by_title["lip opening / eye distance"].ours[-1] == pytest.approx(0.1)
    assert not by_title["head turn, deg"].ours.any()


def test_the_picture_shows_both_curves(script, panels, tmp_path):
    pytest.importorskip("matplotlib")
    audio = Audio(np.zeros(2 * SAMPLE_RATE, np.float32))
    script.draw(audio, panels, tmp_path / "plot.png", "a clip", 0.0, 2.0)
    picture = iio.imread(tmp_path / "plot.png")[..., :3].astype(int)
    for colour in (script.REAL, script.OURS):
        wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        assert (np.abs(picture - wanted).max(-1) < 8).sum() > 500, colour
