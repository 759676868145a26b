"""What of a motion arrives on a portrait's face: relative, absolute, the expression alone, more or less of it."""

from dataclasses import replace

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import FittedFace
from talkinghead.rig.pose import matrix_from_axis_angle
from talkinghead.rig.retargeting import Reenactment, retarget
from talkinghead.rig.view import CameraPath
from talkinghead.types import FaceMotion

SMILE, OTHER_SMILE, JAW = (arkit.INDEX[name] for name in ("mouthSmileLeft", "mouthSmileRight", "jawOpen"))
BLINK, BROW = arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["browDownRight"]
LOOK = list(arkit.EYE_LOOK)


@pytest.fixture
def face():
    """A portrait that smiles a little, turned to one side, looking to the other."""
    resting = np.zeros(52, np.float32)
    resting[[SMILE, OTHER_SMILE, BLINK]] = 0.3, 0.3, 0.2
    turn = np.array([0.05, 0.2, 0], np.float32)
    return FittedFace(
        np.zeros((478, 3), np.float32), resting, np.float32([-0.2, 0]), turn, 1000.0, np.zeros(2, np.float32), np.ones(2)
    )


@pytest.fixture
def driver():
    """Somebody who smirks on one side, opens the mouth, winks and nods."""
    motion = replace(FaceMotion.neutral(4), is_seen=True)
    motion.blendshapes[:, SMILE] = [0.2, 0.4, 0.8, 0.2]
    motion.blendshapes[:, JAW] = [0.1, 0.1, 0.5, 0.1]
    motion.blendshapes[:, BLINK] = [0.4, 0.4, 1.0, 0.4]
    motion.head_rotation[:, 0] = [0.1, 0.1, 0.25, 0.1]
    motion.head_translation[:, 1] = [0.01, 0.01, 0.02, 0.01]
    motion.gaze[:, 0] = [0.1, 0.1, 0.3, 0.1]
    motion.gaze[:, 1] = [0.1, 0.1, 0.25, 0.1]  # the eyes stay in the camera while the head nods
    return motion


def test_by_default_the_expression_is_the_drivers_and_the_head_goes_on_from_the_portrait(driver, face):
    placed = retarget(driver, face)
    others = [column for column in range(52) if column not in LOOK]
    assert np.array_equal(placed.blendshapes[:, others], driver.blendshapes[:, others])
    np.testing.assert_allclose(placed.head_rotation[0], face.rotation, atol=1e-6)
    turn = matrix_from_axis_angle(placed.head_rotation[2]) @ matrix_from_axis_angle(face.rotation).T
    np.testing.assert_allclose(turn, matrix_from_axis_angle([0.15, 0, 0]), atol=1e-6)
    np.testing.assert_allclose(placed.head_translation[:, 1], [0, 0, 0.01, 0], atol=1e-6)
    np.testing.assert_allclose(placed.gaze[:, 0], [-0.2, -0.2, 0, -0.2], atol=1e-6)


def test_a_glance_in_the_first_frame_is_no_look_into_the_camera(driver, face):
    """Of a filmed face; what is generated begins straight."""
    glancing = driver[np.array([0, 1, 1, 1, 3])]
    glancing.gaze[0] = 0.35, 0.2
    placed = retarget(glancing, face)
    np.testing.assert_allclose(placed.gaze[[1, 4]], [face.gaze, face.gaze], atol=1e-6)
    relative, generated = retarget(glancing, face, Reenactment(relative=True)), retarget(replace(glancing, is_seen=False), face)
    np.testing.assert_allclose([relative.gaze[0], generated.gaze[0]], [face.gaze, face.gaze], atol=1e-6)


def test_who_turns_and_keeps_looking_into_the_camera_goes_on_looking_into_it(driver, face):
    """The look counts in the room: eyes against a turned head are no usual look."""
    turning = driver[np.array([1] * 30)]
    turning.head_rotation[:] = turning.gaze[:] = 0
    turning.head_rotation[5:, 1], turning.gaze[5:, 0] = 0.3, -0.3
    placed = retarget(turning, face)
    np.testing.assert_allclose(placed.gaze[:5], np.tile(face.gaze, (5, 1)), atol=1e-6)
    np.testing.assert_allclose(placed.gaze[5:, 0], face.gaze[0] - 0.3, atol=1e-6)


def test_a_driver_who_begins_in_a_blink_blinks_again(driver, face):
    blinking = driver[np.array([1] * 6)]
    blinking.blendshapes[:, BLINK] = 1, 0.5, 0, 0, 1, 0
    placed = retarget(blinking, face, Reenactment(relative=True)).blendshapes[:, BLINK]
    assert placed[4] == 1 and placed[2] < 0.5


def test_absolute_lips_shut_where_the_drivers_do(root):
    """On a face whose neutral has them further apart."""
    rig = FaceRig.from_pretrained(root / "checkpoints/default/rig")
    zero = np.zeros(3, np.float32)
    wide = rig.neutral + np.float32(0.1) * rig.deltas[arkit.INDEX["jawOpen"]]
    apart = FittedFace(wide, np.zeros(52, np.float32), zero[:2], zero, 1000.0, zero[:2], np.ones(2, np.float32))
    shut = replace(FaceMotion.neutral(1), is_seen=True)
    for wanted, closer in ((Reenactment(relative=False), True), (None, True), (Reenactment(relative=True), False)):
        placed = retarget(shut, apart, wanted).blendshapes[0, arkit.INDEX["mouthClose"]]
        assert (placed > 0.05) == closer


def test_relative_begins_with_the_portrait_and_shuts_the_lids(driver, face):
    placed = retarget(driver, face, Reenactment(relative=True))
    for name in ("head_rotation", "gaze"):
        np.testing.assert_allclose(getattr(placed, name)[0], getattr(face, name.removeprefix("head_")), atol=1e-6)
    others = [column for column in range(52) if column not in LOOK]
    np.testing.assert_allclose(placed.blendshapes[0, others], face.resting[others], atol=1e-6)
    np.testing.assert_allclose(placed.blendshapes[2, [SMILE, OTHER_SMILE, JAW, BLINK]], [0.9, 0.3, 0.4, 1.0], atol=1e-6)


def test_absolute_takes_head_and_look_as_they_were(driver, face):
    placed = retarget(driver, face, Reenactment(relative=False))
    np.testing.assert_allclose(placed.head_rotation, driver.head_rotation, atol=1e-6)
    assert np.array_equal(placed.gaze, driver.gaze)


@pytest.mark.parametrize("relative", [True, None])
def test_the_expression_alone_leaves_the_head_and_keeps_the_eyes_where_they_look(driver, face, relative):
    placed = retarget(driver, face, Reenactment(relative, with_pose=False))
    np.testing.assert_allclose(placed.head_rotation, np.tile(face.rotation, (4, 1)), atol=1e-6)
    assert not placed.head_translation.any()
    np.testing.assert_allclose(placed.gaze[:, 1], face.gaze[1], atol=1e-6)  # the nod was undone by the driver's eyes
    assert np.array_equal(placed.blendshapes[:, SMILE], retarget(driver, face, Reenactment(relative)).blendshapes[:, SMILE])


@pytest.mark.parametrize("relative", [True, False, None])
def test_strength_scales_what_is_expressed_and_leaves_blinks_and_head(driver, face, relative):
    smiles = []
    for strength in (0, 0.5, 1.0, 1.2):
        placed = retarget(driver, face, Reenactment(relative, strength=strength))
        smiles.append(placed.blendshapes[2, SMILE])
        assert placed.blendshapes[2, BLINK] == 1
        np.testing.assert_array_equal(placed.head_rotation, retarget(driver, face, Reenactment(relative)).head_rotation)
    base, change = (0.3, 0.6) if relative else (0.0, 0.8)
    np.testing.assert_allclose(smiles, np.clip([base + change * s for s in (0, 0.5, 1.0, 1.2)], 0, 1), atol=1e-6)


def test_one_side_stays_one_side(driver, face):
    for strength in (0.5, 1.5):
        placed = retarget(driver, face, Reenactment(strength=strength))
        assert placed.blendshapes[2, SMILE] > 0.35 and not placed.blendshapes[:, OTHER_SMILE].any()


def test_the_camera_turns_the_head_and_not_the_eyes_in_it(driver, face):
    plain, seen = retarget(driver, face), retarget(driver, face, camera=CameraPath.parse("10,0"))
    turn = matrix_from_axis_angle(seen.head_rotation) @ np.swapaxes(matrix_from_axis_angle(plain.head_rotation), 1, 2)
    np.testing.assert_allclose(turn, np.tile(matrix_from_axis_angle([0, -np.radians(10), 0]), (4, 1, 1)), atol=1e-6)
    assert np.array_equal(seen.gaze, plain.gaze) and np.array_equal(seen.blendshapes, plain.blendshapes)


@pytest.mark.parametrize("strength", [-0.1, 1.6, float("nan"), True, "much"])
def test_a_strength_out_of_range_is_named(strength):
    with pytest.raises(MotionError, match=rf"^strength is {strength}: out of range; give 0 to 1.5, 1 is as the motion is"):
        Reenactment(strength=strength)


def test_what_nobody_does_is_done_with_the_portraits_usual_look(driver, face):
    face.resting[BROW] = 0.4
    usual = retarget(replace(driver, is_seen=False), face).blendshapes
    assert usual[0, BROW] > 0.2, "brows that are low in the picture stay low"
    assert usual[0, BLINK] > driver.blendshapes[0, BLINK] and usual[2, BLINK] == 1, "heavy lids, that shut as far"
    assert usual[0, SMILE] == driver.blendshapes[0, SMILE], "who poses smiles, and need not always"
    for wanted in (Reenactment(relative=True), Reenactment(relative=False)):
        placed = [retarget(motion, face, wanted).blendshapes for motion in (driver, replace(driver, is_seen=False))]
        assert np.array_equal(*placed)
