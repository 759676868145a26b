"""Where the camera goes, and that the head's turns stay within what a portrait shows."""

import numpy as np
import pytest

from talkinghead.errors import MotionError
from talkinghead.rig.pose import axis_angle_from_matrix, matrix_from_axis_angle
from talkinghead.rig.view import FREE_TURN_DEG, MAX_TURN_DEG, MAX_VIEW_DEG, CameraPath, seen_from, supported


def test_one_view_holds_through_the_video():
    assert np.array_equal(CameraPath.parse("15,-5").degrees(4), np.tile(np.float32([15, -5]), (4, 1)))
    assert CameraPath.parse("-15,5") == CameraPath(((0.0, -15.0, 5.0),))


def test_a_path_rests_at_its_views_and_eases_between_them():
    path = CameraPath.parse("0,0 1s:10,4 3s:-10,4").degrees(101)
    np.testing.assert_allclose(path[[0, 25, 75, 100]], [[0, 0], [10, 4], [-10, 4], [-10, 4]], atol=1e-5)
    np.testing.assert_allclose(path[50], [0, 4], atol=1e-5)
    speed = np.diff(path[:, 0])
    assert np.all(speed[:25] >= 0) and np.all(speed[25:75] <= 0), "no overshoot"
    assert np.abs(speed[[0, 24, 25, 74]]).max() < 0.12 * np.abs(speed).max(), "it comes to rest"
    assert np.abs(np.diff(speed)).max() < 0.25 * np.abs(speed).max(), "and does not jerk"


def test_before_its_first_view_the_camera_is_there_already():
    assert np.array_equal(CameraPath.parse("1s:8,0 2s:0,0").degrees(26)[[0, 25]], np.float32([[8, 0], [8, 0]]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "camera is empty; give yaw,pitch such as"),
        ("15", "camera is 15: not understood; give yaw,pitch such as"),
        ("15,5,3", "camera is 15,5,3: not understood"),
        ("left", "camera is left: not understood"),
        ("nan,0", "camera is nan,0: not understood"),
        ("0,0 15,5", "camera is 0,0 15,5: not understood"),
        ("0,0 2:15,5", "camera is 0,0 2:15,5: not understood"),
        ("21,0", "camera is 21,0: out of range; give at most 20 degrees to a side, up or down"),
        ("0,0 1s:0,-20.5", "camera is 0,-20.5: out of range"),
        ("0,0 2s:1,1 2s:3,3", "camera has times 0s, 2s, 2s: out of order; give each later than the one before"),
        ("-1s:0,0", "camera has times -1s: out of order"),
    ],
)
def test_what_is_no_camera_is_named(text, message):
    with pytest.raises(MotionError, match=f"^{message}"):
        CameraPath.parse(text)


def test_a_view_after_the_end_is_named():
    path = CameraPath.parse("0,0 2s:15,5")
    path.check_length(50)
    with pytest.raises(MotionError, match=r"^camera has a view at 2s: the video ends at 1.96 s; give an earlier time"):
        path.check_length(49)


def test_from_the_right_the_nose_points_left_and_from_above_down():
    nose = np.array([0.0, 0, 1])
    right, above = seen_from(np.tile(np.eye(3), (2, 1, 1)), np.float32([[15, 0], [0, 10]])) @ nose
    np.testing.assert_allclose(right, [-np.sin(np.radians(15)), 0, np.cos(np.radians(15))], atol=1e-6)
    np.testing.assert_allclose(above, [0, -np.sin(np.radians(10)), np.cos(np.radians(10))], atol=1e-6)


def test_camera_and_head_together_stay_within_what_the_portrait_shows():
    resting = matrix_from_axis_angle([0.1, 0.3, 0.05])
    yaw = np.radians(np.linspace(-60, 60, 121))
    head = matrix_from_axis_angle(np.stack([0 * yaw, yaw, 0.4 + 0 * yaw], -1)) @ resting
    held = axis_angle_from_matrix(
        supported(seen_from(head, np.tile(np.float32([MAX_VIEW_DEG, 10]), (121, 1))), resting) @ resting.T
    )
    turned = np.degrees(np.hypot(held[:, 0], held[:, 1]))
    assert turned.max() < MAX_TURN_DEG and turned.max() > FREE_TURN_DEG
    assert np.abs(np.diff(held[:, 1])).max() < np.radians(1.3), "it bends, it does not jump"


def test_what_is_supported_is_not_touched():
    resting = matrix_from_axis_angle([0.1, 0.3, 0.05])
    turn = matrix_from_axis_angle(np.radians([[0, FREE_TURN_DEG - 0.1, 0], [12, -2, 0], [0, 0, 60]])) @ resting
    assert np.array_equal(supported(turn, resting), turn)
    frontal = matrix_from_axis_angle([0.1, 0.1, 0.05])
    turn = matrix_from_axis_angle(np.radians([[0, FREE_TURN_DEG - 0.1, 0], [12, -12, 0], [0, 0, 60]])) @ frontal
    assert np.array_equal(supported(turn, frontal), turn)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_head_that_the_portrait_has_turned_turns_back_less_far(side):
    def back(own_deg):
        """How far each of 0 to 25 degrees towards the front is followed."""
        resting = matrix_from_axis_angle([0.1, side * np.radians(own_deg), 0.05])
        asked = np.radians(np.arange(26.0))
        turn = matrix_from_axis_angle(np.stack([0 * asked, -side * asked, 0 * asked], -1))
        held = axis_angle_from_matrix(supported(turn @ resting, resting) @ resting.T)
        return -side * np.degrees(held[:, 1])

    frontal, half, far, further = back(5), back(14), back(20), back(30)
    np.testing.assert_allclose(frontal[:20], np.arange(20.0), atol=1e-6)
    assert far[12] < 5.1 and far[25] < 5.1 < half[12] < 12
    assert (np.diff(far[:8]) > 0).all(), "it bends, it does not stop"
    assert 1 < further[12] < further[25] < 2.1


@pytest.mark.parametrize("roll", [-90, 40, 90])
def test_a_tilted_head_turns_back_as_an_upright_one(roll):
    tilt = matrix_from_axis_angle(np.radians([0.0, 0.0, roll]))
    asked = matrix_from_axis_angle(np.radians([[0.0, -15.0, 0.0], [0.0, 15.0, 0.0], [15.0, 0.0, 0.0], [8.0, -8.0, 0.0]]))
    resting = matrix_from_axis_angle(np.radians([0.0, 25.0, 0.0]))
    upright = supported(asked @ resting, resting)
    np.testing.assert_allclose(supported(tilt @ asked @ resting, tilt @ resting), tilt @ upright, atol=1e-6)


def test_limits_do_not_leap_where_a_portrait_is_hardly_turned():
    asked = matrix_from_axis_angle(np.radians([[0.0, way * 40.0, 0.0] for way in (-1, 1)]))

    def held(own_deg):
        resting = matrix_from_axis_angle(np.radians([0.0, own_deg, 0.0]))
        return np.degrees(axis_angle_from_matrix(supported(asked @ resting, resting) @ resting.T))

    for own_deg in (-0.01, 0.01, 7.9):
        np.testing.assert_allclose(np.abs(held(own_deg)[:, 1]), held(0.0)[1, 1], atol=0.1)
    across = matrix_from_axis_angle(np.radians([[40.0, 0.0, 0.0]]))
    resting = matrix_from_axis_angle(np.radians([0.0, 25.0, 0.0]))
    nod = np.degrees(axis_angle_from_matrix(supported(across @ resting, resting) @ resting.T))
    assert np.linalg.norm(nod) == pytest.approx(np.abs(held(0.0)[1, 1]), abs=0.1), "a nod uncovers nothing of a cheek"
