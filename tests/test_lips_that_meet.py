"""Lips of speech meet on a portrait whose fitted neutral has them apart, spoken or dubbed."""

from dataclasses import replace

import numpy as np
import pytest

from talkinghead import arkit, pipeline
from talkinghead.pipeline import TalkingHead
from talkinghead.rig import retargeting


def gap(meshes):
    return np.array([np.linalg.norm(m[13] - m[14]) / np.linalg.norm(m[33] - m[263]) for m in meshes])


@pytest.mark.parametrize("dubbed", [False, True])
def test_lips_meet_on_a_face_whose_lips_the_fit_left_apart(root, monkeypatch, dubbed):
    head = replace(TalkingHead.from_pretrained(device="cpu"), renderer=lambda crop, meshes, *_, **__: meshes)
    speech = root / "assets/speech.wav"
    motion = head.animate(speech, "neutral")
    if dubbed:
        motion = replace(motion, is_seen=True)
    fitted = pipeline.fit_portrait

    def apart(*arguments):
        face = fitted(*arguments)
        return replace(face, shape=face.shape + np.float32(0.08) * head.rig.deltas[arkit.INDEX["jawOpen"]])

    monkeypatch.setattr(pipeline, "fit_portrait", apart)
    portrait = head.load_portrait(root / "assets/drawn_woman.png")
    lips = speech if dubbed else None
    meet = gap(head.render(portrait, motion, lips=lips))
    for module in (pipeline, retargeting):
        monkeypatch.setattr(module, "with_meeting_lips", lambda blendshapes, _: blendshapes)
    stay = gap(head.render(portrait, motion, lips=lips))
    assert np.percentile(meet, 5) < 0.014 < np.percentile(stay, 5)
