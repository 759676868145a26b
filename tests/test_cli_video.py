"""What `generate` and `render` hand on of their options: an option that is read and forgotten helps nobody."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from talkinghead import cli
from talkinghead.errors import InputError
from talkinghead.motion.io import save_motion
from talkinghead.types import SAMPLE_RATE, FaceMotion


@pytest.fixture
def asked(monkeypatch):
    """What a head was called with by the last command, which ends there."""
    got = {}

    class Head:
        def load_portrait(self, image, face, size):
            got.update(image=image.name, face=face, size=size)
            return SimpleNamespace(image=np.zeros((64, 64, 3), np.uint8))

        def __call__(self, portrait, sound, **options):
            got.update(options, num_samples=len(sound.samples))
            raise InputError("handed on.")

        def render(self, portrait, motion, quality, steps, seed, reenactment, lips, **options):
            got.update(options, quality=quality, steps=steps, seed=seed, reenactment=reenactment, lips=lips)
            raise InputError("handed on.")

    monkeypatch.setattr("talkinghead.cli_video.loaded_head", lambda checkpoint, device: Head())
    return got


@pytest.fixture
def picture(root):
    return ["--image", str(root / "assets/drawn_woman.png"), "--size", "256"]


SHARED = ["--quality", "best", "--steps", "2", "--camera", "5,-3", "--still-body", "--face", "1", "--keep-smile", "0.3"]


def check_shared(asked):
    assert (asked["quality"], asked["steps"], asked["still_body"], asked["face"], asked["size"]) == ("best", 2, True, 1, 256)
    assert np.allclose(asked["camera"].degrees(2), [[5, -3]] * 2)


def test_generate_hands_everything_on(asked, picture, root, tmp_path):
    speech = ["--audio", str(root / "assets/speech.wav"), "--fit", "5s"]
    moved = ["--seed", "7", "--head-motion", "0.5", "--blink-rate", "off", "--gaze", "5,0", "--lip-strength", "1.2"]
    moved += ["--articulation", "1.3", "--expression-strength", "0.9"]
    assert cli.main(["generate", *picture, *speech, *moved, *SHARED, "-o", str(tmp_path / "out.mp4")]) == 2
    check_shared(asked)
    assert asked["keep_smile"] == 0.3 and asked["seed"] == 7
    assert asked["num_samples"] == pytest.approx(5 * SAMPLE_RATE, rel=0.02), "fitted"
    knobs = {"head_motion": 0.5, "blink_rate": "off", "gaze": "5,0", "lip_strength": 1.2, "articulation": 1.3}
    assert {name: asked[name] for name in knobs} == knobs and asked["expression_strength"] == 0.9


def test_a_smile_is_not_kept_where_an_emotion_is_asked_for(asked, picture, root, tmp_path, capsys):
    speech = ["--audio", str(root / "assets/speech.wav"), "-o", str(tmp_path / "out.mp4")]
    assert cli.main(["generate", *picture, *speech, "--emotion", "sad", "--intensity", "0.4"]) == 2
    assert (asked["emotion"].emotions, asked["emotion"].intensity) == (("sad",), 0.4) and "handed on" in capsys.readouterr().err
    asked.clear()
    assert cli.main(["generate", *picture, *speech, "--emotion", "sad", "--keep-smile", "0.5"]) == 2
    told = "talkinghead: --keep-smile 0.5: has nothing to act on where an emotion is asked for; drop one of them.\n"
    assert capsys.readouterr().err == told and not asked


def test_render_hands_everything_on(asked, picture, root, tmp_path):
    still = FaceMotion.neutral(5)
    save_motion(tmp_path / "m.npz", replace(still, at_ease=np.ones((5, 1), np.float32)))
    taken = ["--relative", "--expression-only", "--strength", "1.2", "--lips-from", str(root / "assets/speech.wav")]
    motion = ["--motion", str(tmp_path / "m.npz"), "--seed", "7"]
    assert cli.main(["render", *picture, *motion, *taken, *SHARED, "-o", str(tmp_path / "out.mp4")]) == 2
    check_shared(asked)
    wanted = asked["reenactment"]
    assert (wanted.relative, wanted.with_pose, wanted.strength, wanted.keep_smile) == (True, False, 1.2, 0.3)
    assert asked["seed"] == 7 and len(asked["lips"].samples) > SAMPLE_RATE


def test_a_smile_that_no_frame_can_keep_is_told(asked, picture, tmp_path, capsys):
    save_motion(tmp_path / "m.npz", FaceMotion.neutral(5))
    for share, status in (("0.5", 2), ("0", 2)):
        asked.clear()
        given = ["--motion", str(tmp_path / "m.npz"), "--keep-smile", share, "-o", str(tmp_path / "out.mp4")]
        assert cli.main(["render", *picture, *given]) == status
        told = capsys.readouterr().err
        assert ("--keep-smile 0.5: has nothing to act on" in told) == (share == "0.5") == (not asked)
