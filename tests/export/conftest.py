"""A rig and a performance that moves everything."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from talkinghead.export.take import Take
from talkinghead.rig.face_rig import FaceRig
from talkinghead.types import FaceMotion

NUM_FRAMES = 31


@pytest.fixture(scope="session")
def rig(root):
    return FaceRig.from_pretrained(root / "checkpoints/default/rig")


@pytest.fixture(scope="session")
def motion():
    """Every coefficient, the head about and along all axes, and the look, each at its own pace."""
    time = np.arange(NUM_FRAMES)[:, None] / 25
    blendshapes = 0.5 - 0.5 * np.cos(2 * np.pi * time * np.linspace(0.3, 2, 52))
    rotation = 0.3 * np.sin(time * [3, 4, 5] + [0.1, 0.2, 0.3])
    translation = 0.01 * np.sin(time * [3, 4, 5])
    gaze = 0.3 * np.sin(time * [2.5, 3.5] + [0.5, 1.0])
    return FaceMotion(*(values.astype(np.float32) for values in (blendshapes, rotation, translation, gaze)))


@pytest.fixture
def take(rig, motion):
    return Take(motion, 25, lambda: rig)


@pytest.fixture(scope="session")
def one_by_one(motion):
    """Every coefficient alone at 1, a frame each, while the head moves and the eyes look straight ahead."""
    frames = np.arange(52) % NUM_FRAMES
    return FaceMotion(
        np.eye(52, dtype=np.float32),
        motion.head_rotation[frames],
        motion.head_translation[frames],
        np.zeros((52, 2), np.float32),
    )


@pytest.fixture(scope="session")
def where(rig):
    """(motion, frame, parts) -> (V, 3) m where the rig has these parts."""

    def at(motion, frame, parts):
        still = motion[frame : frame + 1]
        turn = Rotation.from_rotvec(still.head_rotation[0]).as_matrix()
        vertices = rig.express(still.blendshapes, still.gaze, rig.neutral)[0] @ turn.T + still.head_translation[0]
        return np.concatenate([vertices[rig.part(part)] for part in parts])

    return at
