"""The soft shells round the face: a still head is still beyond its rim, and a still body stays where it is."""

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.rig import topology
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import FittedFace
from talkinghead.rig.shell import below_chin, with_rim, with_still_body
from talkinghead.types import FaceMotion


@pytest.fixture(scope="module")
def rig(root):
    return FaceRig.from_pretrained(root / "checkpoints/default/rig")


@pytest.fixture(scope="module")
def face(rig):
    shape, zero = rig.place_parts(rig.neutral[:478]), np.zeros(3, np.float32)
    return FittedFace(
        shape, np.zeros(52, np.float32), zero[:2], zero, 2000.0, np.full(2, 256, np.float32), np.ones(2, np.float32)
    )


def moved(rig, face, motion):
    """(144,) m, how far each vertex of the ring goes."""
    vertices = rig(motion, face).vertices[:, rig.part("ring")]
    still = rig(FaceMotion.neutral(1), face).vertices[:, rig.part("ring")]
    return np.linalg.norm(vertices - still, axis=-1).max(0)


def test_an_expression_moves_the_rim_and_nothing_beyond(rig, face):
    motion = FaceMotion.neutral(1)
    motion.blendshapes[0, [arkit.INDEX["jawOpen"], arkit.INDEX["browInnerUp"]]] = 1
    distance = moved(with_rim(rig), face, motion)
    assert distance[:36].max() > 0.003 and not distance[36:].any()
    skin = slice(0, topology.NUM_SKIN)
    assert np.array_equal(with_rim(rig)(motion, face).vertices[:, skin], rig(motion, face).vertices[:, skin])


def test_a_still_body_stays_while_the_head_turns_as_before(rig, face):
    motion = FaceMotion.neutral(1)
    motion.head_rotation[0], motion.head_translation[0] = (0.2, 0.3, 0.1), (0.01, -0.01, 0.02)
    still = with_still_body(rig, face)
    low, high = below_chin(rig, face) == 1, below_chin(rig, face) == 0
    assert 20 < low.sum() < 72 and high.sum() > 72
    before, after = moved(rig, face, motion), moved(still, face, motion)
    assert not after[low].any() and before[low].max() > 0.003
    assert np.array_equal(after[high], before[high])
    assert np.array_equal(still(motion, face).vertices[:, :468], rig(motion, face).vertices[:, :468])
