"""A flat little face for the renderer: the tracker's 478 points on a plane, joined by a Delaunay triangulation."""

import numpy as np
import pytest
from scipy.spatial import Delaunay

from talkinghead.synthesis.face_network import WIDTHS
from talkinghead.synthesis.regions import FACE_OVAL, INNER_LIPS, LEFT_EYE, LEFT_IRIS, OUTER_LIPS, RIGHT_EYE, RIGHT_IRIS
from talkinghead.synthesis.topology import MeshTopology


def _opening(points, loop, centre, width, height):
    """Points round an ellipse, and no other in it: an eye and a mouth are holes in the skin."""
    radius = np.hypot(*((points - centre) / (width, height)).T)
    inside = radius < 1.4
    points[inside] = centre + (points[inside] - centre) * (1.4 + 0.4 * radius[inside] / 1.4)[:, None] / radius[inside, None]
    _loop(points, loop, centre, width, height)


def _loop(points, loop, centre, width, height):
    """Points round an ellipse; each loop begins at a corner and goes over the top."""
    angle = np.pi - 2 * np.pi * np.arange(len(loop)) / len(loop)
    points[loop] = np.c_[centre[0] + width * np.cos(angle), centre[1] + height * np.sin(angle)]


@pytest.fixture(scope="session")
def face():
    """(478, 3) px in a 256 x 256 picture, and its topology."""
    rng = np.random.default_rng(0)
    xy = np.c_[rng.uniform(-0.065, 0.065, 478), rng.uniform(-0.08, 0.08, 478)]
    _loop(xy, FACE_OVAL[np.r_[27:36, 0:27]], (0, 0), 0.075, 0.095)
    _loop(xy, OUTER_LIPS, (0, -0.045), 0.028, 0.016)
    _loop(xy, INNER_LIPS, (0, -0.045), 0.020, 0.006)
    _opening(xy, RIGHT_EYE, (-0.03, 0.03), 0.014, 0.006)
    left = LEFT_EYE
    _opening(xy, left, (0.03, 0.03), 0.014, 0.006)
    xy[left, 0] = 0.06 - xy[left, 0]
    for iris, x in ((RIGHT_IRIS, -0.03), (LEFT_IRIS, 0.03)):
        xy[iris] = np.array([(0, 0), (0.005, 0), (0, 0.005), (-0.005, 0), (0, -0.005)]) + np.array([x, 0.03])
    neutral = np.c_[xy, np.zeros(478)].astype(np.float32)
    triangles = Delaunay(xy[:468]).simplices.astype(np.int64)
    points = np.c_[128 + xy[:, 0] * 1000, 128 - xy[:, 1] * 1000, np.zeros(478)].astype(np.float32)
    empty = np.zeros((0, 3), np.int64)
    return points, MeshTopology(triangles, empty, empty, np.full((478, 3), 0.5, np.float32), neutral, *[slice(0, 0)] * 3)


@pytest.fixture(scope="session")
def coarse_face(face):
    """The same in a picture that is coarser than the networks' crops."""
    return _scaled(face, 0.9)


@pytest.fixture(scope="session")
def fine_face(face):
    """The same in one that is finer; its lower part is cut off."""
    return _scaled(face, 1.3)


def _scaled(face, scale):
    points, topology = face
    return (points * np.float32(scale) + np.float32([128 * (1 - scale), 128 * (1 - scale), 0])).astype(np.float32), topology


@pytest.fixture(scope="session")
def picture():
    """(256, 256, 3) uint8, smooth colours."""
    y, x = np.mgrid[:256, :256]
    return np.stack([x, y, 255 - (x + y) // 2], -1).astype(np.uint8)


@pytest.fixture(scope="session")
def dlib_file():
    """The file of dlib's face network, as dlib writes it, with small weights of chance; and its last layer."""
    rng, content = np.random.default_rng(0), b"\x01\x01"

    def integer(number):
        size = (number.bit_length() + 7) // 8
        return bytes([size]) + number.to_bytes(size, "little")

    def tensor(name, settings, sizes, values):
        nonlocal content
        content += bytes([1, len(name)]) + name + settings + b"\x01\x02" + b"".join(map(integer, sizes))
        content += values.astype("<f4").tobytes()

    before = 3
    for index, width in enumerate([WIDTHS[0], *np.repeat(WIDTHS, 2).tolist()]):
        weights = width * before * (49 if index == 0 else 9)
        values = np.r_[rng.normal(0, (2 * width / weights) ** 0.5, weights), np.zeros(width)]
        tensor(b"con_4", b"", (len(values), 1, 1, 1), values)
        tensor(b"affine_", b"", (2 * width, 1, 1, 1), np.r_[np.ones(width), np.zeros(width)])
        before = width
    last = rng.normal(size=(before, 128))
    tensor(b"fc_2", b"\x01\x80\x02\x00\x01\x01", (before, 128, 1, 1), last)
    return content, last
