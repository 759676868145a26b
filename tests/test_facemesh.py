"""The tracker's points have one list; what rig and renderer make of it agrees."""

import numpy as np
import pytest

from talkinghead import facemesh, landmarks
from talkinghead.rig import topology
from talkinghead.rig.face_rig import FaceRig
from talkinghead.synthesis import regions

LOOPS = ("INNER_LIPS", "OUTER_LIPS", "RIGHT_EYE", "LEFT_EYE", "FACE_OVAL")


def test_rig_and_renderer_have_the_same_points():
    for name in ("INNER_LIPS", "OUTER_LIPS", "FACE_OVAL"):
        assert getattr(topology, name) == getattr(facemesh, name) == tuple(getattr(regions, name)), name
    for side, ring, iris in (
        ("RIGHT", topology.EYE_RING_RIGHT, topology.IRIS_RIGHT),
        ("LEFT", topology.EYE_RING_LEFT, topology.IRIS_LEFT),
    ):
        eye, pupil = getattr(facemesh, f"{side}_EYE"), getattr(facemesh, f"{side}_IRIS")
        assert tuple(getattr(regions, f"{side}_EYE")) == eye and set(ring) == set(eye) and len(ring) == len(eye) == 16
        assert ring == eye[8::-1] + eye[:8:-1], "the other way round, from the other corner"
        assert tuple(range(iris.start, iris.stop)) == pupil == tuple(getattr(regions, f"{side}_IRIS"))
        assert eye[0] == getattr(landmarks, f"{side}_EYE_OUTER")
    for known in (topology.NUM_POINTS, facemesh.NUM_POINTS):
        assert known == landmarks.NUM_POINTS
    for known in (topology.NUM_SKIN, facemesh.NUM_SKIN):
        assert known == landmarks.NUM_SKIN_POINTS


@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_goes_round_what_it_bounds_once(root, name):
    """On the rig's neutral face, seen from its middle, the angles of a loop make one whole turn without going back."""
    points = FaceRig.from_pretrained(root / "checkpoints/default/rig").neutral[list(getattr(facemesh, name)), :2]
    assert len(set(getattr(facemesh, name))) == len(points)
    way = (points - points.mean(0)) @ np.array([1, 1j])
    steps = np.angle(np.roll(way, -1) / way)
    assert abs(steps.sum()) == pytest.approx(2 * np.pi, abs=1e-4)
    assert (np.sign(steps) == np.sign(steps.sum())).all()
