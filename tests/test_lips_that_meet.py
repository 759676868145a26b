"""Lips of speech meet on a portrait whose fitted neutral has them apart, spoken or dubbed."""

from dataclasses import replace

import numpy as np
import pytest

from talkinghead import arkit, pipeline, tracking
from talkinghead.pipeline import TalkingHead
from talkinghead.rig import retargeting
from talkinghead.types import Audio, FaceMotion


def gap(meshes):
    return np.array([np.linalg.norm(m[13] - m[14]) / np.linalg.norm(m[33] - m[263]) for m in meshes])


def part_lips(head, monkeypatch, by=0.08):
    """The neutral of each portrait from now on has its lips further apart, by so much of an open jaw."""
    fitted = pipeline.fit_portrait

    def apart(*arguments):
        face = fitted(*arguments)
        return replace(face, shape=face.shape + np.float32(by) * head.rig.deltas[arkit.INDEX["jawOpen"]])

    monkeypatch.setattr(pipeline, "fit_portrait", apart)


@pytest.mark.parametrize("dubbed", [False, True])
def test_lips_meet_on_a_face_whose_lips_the_fit_left_apart(root, monkeypatch, dubbed):
    head = replace(TalkingHead.from_pretrained(device="cpu"), renderer=lambda crop, meshes, *_, **__: meshes)
    speech = root / "assets/speech.wav"
    motion = head.animate(speech, "neutral")
    if dubbed:
        motion = replace(motion, is_seen=True)
    part_lips(head, monkeypatch)
    portrait = head.load_portrait(root / "assets/drawn_woman.png")
    lips = speech if dubbed else None
    meet = gap(head.render(portrait, motion, lips=lips))
    for module in (pipeline, retargeting):
        monkeypatch.setattr(module, "with_meeting_lips", lambda blendshapes, _: blendshapes)
    stay = gap(head.render(portrait, motion, lips=lips))
    assert np.percentile(meet, 5) < 0.014 < np.percentile(stay, 5)


@pytest.mark.parametrize("dubbed", [False, True])
def test_a_smile_with_its_teeth_shows_none_in_silence(root, dubbed):
    head = replace(TalkingHead.from_pretrained(device="cpu"), renderer=lambda crop, meshes, *_, **__: meshes)
    portrait = head.load_portrait(root / "assets/astronaut.jpg")
    silence = Audio(np.zeros(16000, np.float32))
    motion = replace(head.animate(silence, head_motion=0, blink_rate="off"), is_seen=dubbed)
    flat = [mesh[:, :2] for mesh in head.render(portrait, motion, lips=silence if dubbed else None)]
    assert gap(flat).max() < 0.009


@pytest.mark.parametrize("driver", [-0.03, 0.0, 0.05])
def test_a_driver_s_shut_lips_are_shut_on_another_face(root, monkeypatch, driver):
    """Whose neutral has its lips nearer or further apart than the portrait's."""
    head = replace(TalkingHead.from_pretrained(device="cpu"), renderer=lambda crop, meshes, *_, **__: meshes)
    portrait = head.load_portrait(root / "assets/drawn_woman.png")
    face = pipeline.fit_portrait(portrait.face, portrait.image, head.rig)
    theirs = replace(face, shape=head.rig.neutral + np.float32(driver) * head.rig.deltas[arkit.INDEX["jawOpen"]])
    done = FaceMotion.neutral(3)
    done.blendshapes[:, arkit.INDEX["mouthClose"]] = 0.2
    done.blendshapes[:, arkit.INDEX["jawOpen"]] = 0.2 - driver, 0.35, 0.45
    lids = [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]
    done.blendshapes[0, lids] = 0.75
    asked = gap(head.rig(done, theirs).vertices)
    assert 0.014 < asked[0] < 0.02 < 0.05 < asked[1:].min(), "as a tracker sees lips that touch, and lips that are apart"
    monkeypatch.setattr(pipeline, "tracked_video", lambda *_: (None, None, None))
    monkeypatch.setattr(tracking, "fit_motion", lambda *_: (replace(done, is_seen=True), theirs))
    tracked = head.track("driver.mp4")
    assert tracked.blendshapes[0, lids].min() > 0.95, "and shut lids are shut"
    for by in (0.0, 0.08):
        with monkeypatch.context() as patched:
            part_lips(head, patched, by)
            seen = gap(head.render(portrait, tracked))
        assert seen[0] < 0.012
        np.testing.assert_allclose(seen[1:], asked[1:], atol=0.006)
