from pathlib import Path

import cv2
import imageio.v3 as iio
import numpy as np
import pytest

from talkinghead.errors import CheckpointError, DependencyError
from talkinghead.landmarks import IBUG_TO_MESH, FaceAlignmentDetector, FaceTracker

ROOT = Path(__file__).parents[1]
TASK = ROOT / "checkpoints/default/tracker/face_landmarker.task"


@pytest.fixture(scope="module")
def tracker():
    return FaceTracker(TASK)


@pytest.fixture(scope="module")
def astronaut():
    return np.ascontiguousarray(iio.imread(ROOT / "assets/astronaut.jpg")[..., :3])


def test_one_face_with_478_points(tracker, astronaut):
    (face,) = tracker.detect(astronaut)
    assert face.points.shape == (478, 3) and face.scores.shape == (52,)
    assert face.presence > 0.9
    assert face.points[33, 0] < face.points[263, 0], "the subject's right eye is on the left of the picture"
    assert face.points[10, 1] < face.points[1, 1] < face.points[152, 1], "forehead above nose above chin"
    assert face.scores[51] == 0, "the tracker has no tongue"


def test_points_follow_a_shifted_scaled_picture(tracker, astronaut):
    (face,) = tracker.detect(astronaut)
    matrix = np.array([[0.8, 0, 60], [0, 0.8, 30]])
    (moved,) = tracker.detect(cv2.warpAffine(astronaut, matrix, (512, 512)))
    expected = face.points[:, :2] * 0.8 + (60, 30)
    eyes = np.linalg.norm(face.points[33] - face.points[263])
    assert np.linalg.norm(moved.points[:, :2] - expected, axis=1).mean() < 0.03 * eyes


@pytest.mark.parametrize("angle", [-45, 30, 45])
def test_a_face_turned_in_the_picture_is_found(tracker, astronaut, angle):
    (face,) = tracker.detect(astronaut)
    centre = tuple(float(x) for x in face.points[1, :2])
    matrix = cv2.getRotationMatrix2D(centre, angle, 1.0)
    (turned,) = tracker.detect(cv2.warpAffine(astronaut, matrix, (512, 512)))
    expected = face.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    eyes = np.linalg.norm(face.points[33] - face.points[263])
    assert np.linalg.norm(turned.points[:, :2] - expected, axis=1).mean() < 0.08 * eyes


def test_a_small_face_in_a_large_picture_is_found(tracker, astronaut):
    large = np.full((3000, 4000, 3), 120, np.uint8)
    small = cv2.resize(astronaut, (1110, 1110), interpolation=cv2.INTER_AREA)  # its face is 5 % of 4000 px wide
    large[1800:2910, 600:1710] = small
    (face,) = tracker.detect(large)
    assert 0.04 * 4000 < face.box[2] - face.box[0] < 0.06 * 4000
    assert 600 < face.box[0] < 1710 and 1800 < face.box[1] < 2910


def test_two_people_are_two_faces_largest_first(tracker, astronaut):
    pair = np.zeros((512, 900, 3), np.uint8)
    pair[:, :512] = astronaut
    pair[100:484, 516:900] = cv2.resize(astronaut, (384, 384))
    faces = tracker.detect(pair)
    assert len(faces) == 2
    assert faces[0].box[0] < 512 < faces[1].box[0]


def test_no_face_is_an_empty_list(tracker):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    assert tracker.detect(noise) == []


def test_tracking_follows_and_says_when_it_cannot(tracker, astronaut):
    black = np.zeros_like(astronaut)
    shifted = np.roll(astronaut, 6, axis=1)
    first, second, gone, back = tracker.track([astronaut, shifted, black, astronaut])
    assert gone is None
    assert second.points[1, 0] - first.points[1, 0] == pytest.approx(6, abs=2)
    assert back.points[:, :2] == pytest.approx(first.points[:, :2], abs=4)


@pytest.mark.parametrize("factor", [4, 8])
def test_the_points_of_an_enlarged_picture_are_the_enlarged_points(tracker, factor):
    image = np.ascontiguousarray(iio.imread(ROOT / "assets/drawn_woman.png")[..., :3])
    (face,) = tracker.detect(image)
    large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    (enlarged,) = tracker.detect(large)
    # The middle of pixel 0 lies at (factor - 1) / 2 of the large picture.
    back = (enlarged.points[:, :2] - (factor - 1) / 2) / factor
    assert np.abs((back - face.points[:, :2]).mean(0)).max() < 0.15


def test_a_face_that_is_lost_is_waited_for_and_nobody_takes_its_place(tracker, astronaut):
    both = np.full((512, 1024, 3), 120, np.uint8)
    both[:, :512] = astronaut
    other = cv2.resize(astronaut[:, ::-1], (300, 300), interpolation=cv2.INTER_AREA)
    both[100:400, 600:900] = other
    alone = both.copy()
    alone[:, :512] = 120
    faces = list(tracker.track([both, alone, alone, both]))
    assert faces[0].box[2] < 512
    assert faces[1] is None and faces[2] is None
    assert np.abs(faces[3].points - faces[0].points).mean() < 1
    assert list(tracker.track([both, *[alone] * 26]))[-1].box[0] > 512, "after a second the other is followed"


def test_a_broken_archive_is_named(tmp_path):
    broken = tmp_path / "face_landmarker.task"
    broken.write_bytes(b"not a zip")
    with pytest.raises(CheckpointError, match=r"face_landmarker\.task: not a face landmarker archive"):
        FaceTracker(broken)


def test_the_second_backend_says_what_it_needs(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(DependencyError, match="face-alignment"):
        FaceAlignmentDetector()


def test_the_68_points_are_where_ibug_has_them(tracker, astronaut):
    (face,) = tracker.detect(astronaut)
    points = face.points[list(IBUG_TO_MESH), :2]
    assert len(set(IBUG_TO_MESH)) == 68
    assert points[36:42].mean(0)[0] < points[42:48].mean(0)[0], "right eye first"
    assert (np.diff(points[0:17, 0]) > 0).mean() > 0.8, "the jaw runs from the subject's right to left"
    assert points[51, 1] < points[57, 1], "upper lip above lower lip"
