"""The user's networks: tiny ones made here take the place of Inception, SyncNet and the others."""

import numpy as np
import pytest

from talkinghead.errors import CheckpointError, ConfigError
from talkinghead.evaluation.networks import BATCH, EXPECTED, Networks
from talkinghead.types import EMOTIONS


def test_a_picture_comes_as_rgb_in_0_to_1_at_the_networks_own_size(networks_of):
    networks_of.mean("arcface", ["N", 3, 8, 8])
    network = Networks(networks_of.folder)["arcface"]
    assert network.size_px == (8, 8)
    frames = [np.full((40, 40, 3), (255, 51, 0), np.uint8), np.zeros((8, 8, 3), np.uint8)] * (BATCH + 1)
    given = network(network.pictures(frames))
    assert given.shape == (2 * BATCH + 2, 3)
    assert given[0] == pytest.approx([1, 0.2, 0]) and given[-1] == pytest.approx([0, 0, 0])


def test_settings_say_file_range_and_order_of_colours(networks_of):
    networks_of.mean("w600k", ["N", 3, "H", "W"])
    (networks_of.folder / "networks.yaml").write_text(
        "arcface: {file: w600k.onnx, mean: 0.5, deviation: [0.5, 1, 0.25], channels: bgr}\n"
    )
    networks = Networks(networks_of.folder)
    network = networks["arcface"]
    assert network.size_px == EXPECTED["arcface"].shape[-2:]
    given = network(network.pictures([np.full((8, 8, 3), (255, 0, 255), np.uint8)]))
    assert given[0] == pytest.approx([2, -0.5, 1])  # blue, green, red
    before = networks.fingerprint()
    (networks_of.folder / "networks.yaml").write_text("arcface: {file: w600k.onnx}\n")
    assert Networks(networks_of.folder).fingerprint() != before


def test_what_is_not_there_is_named_by_its_file(networks_of):
    networks_of.mean("syncnet_sound", ["N", 1, 13, 20])
    networks = Networks(networks_of.folder)
    assert networks["inception"] is None
    assert networks.missing("syncnet_picture", "syncnet_sound") == ["syncnet_picture.onnx"]
    assert Networks(None).missing("lpips", "i3d") == ["lpips.onnx", "i3d.onnx"]
    assert list(networks.fingerprint()) == ["syncnet_sound"]
    with pytest.raises(CheckpointError, match=r"networks .*none: no such folder; give the one with inception.onnx"):
        Networks(networks_of.folder / "none")


@pytest.mark.parametrize("shape", [["N", 1, 8, 8], ["N", 3, 8], [1, 3, 8, 8]])
def test_a_network_of_another_shape_or_of_a_fixed_batch_is_refused(networks_of, shape):
    networks_of.mean("inception", shape)
    wanted = r"inception.onnx: takes \(.*\); export one that takes \(N, 3, 299, 299\) \(docs/metrics.md\)"
    with pytest.raises(CheckpointError, match=wanted):
        Networks(networks_of.folder)


def test_a_file_that_is_no_network(networks_of):
    (networks_of.folder / "i3d.onnx").write_bytes(b"not one")
    with pytest.raises(CheckpointError, match=r"i3d.onnx: is no ONNX network \(.*\); export it again"):
        Networks(networks_of.folder)


def test_a_classifier_of_seven_emotions_is_refused_when_it_answers(networks_of):
    networks_of.linear("emotion", ["N", 3, 8, 8], np.zeros((3, 7)))
    network = Networks(networks_of.folder)["emotion"]
    with pytest.raises(CheckpointError, match=r"emotion.onnx: gives \[2, 7\] for 2 samples; export \(2, 8\)"):
        network(np.zeros((2, 3, 8, 8), np.float32))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("arcfase: {mean: 0.5}", "unknown arcfase; the networks are inception, i3d"),
        ("arcface: {means: 0.5}", "arcface: unknown means; the keys are file, mean, deviation, channels, labels"),
        ("arcface: {deviation: 0}", "arcface: deviation is 0; give numbers other than 0"),
        ("arcface: {mean: [1, 2]}", r"arcface: mean is \[1, 2\]; give a number, or three"),
        ("arcface: {channels: grey}", "channels is 'grey'; give rgb or bgr"),
        ("arcface: 0.5", "write `arcface:"),
        ("arcface: {", "is not YAML"),
        ("emotion: {labels: angry}", "labels is 'angry'; give a list"),
    ],
)
def test_settings_that_do_not_exist(networks_of, text, error):
    (networks_of.folder / "networks.yaml").write_text(text)
    with pytest.raises(ConfigError, match=error):
        Networks(networks_of.folder)


def test_labels_are_the_eight_and_a_named_file_must_be_there(networks_of):
    networks_of.mean("emotion", ["N", 3, 8, 8])
    (networks_of.folder / "networks.yaml").write_text("emotion: {labels: [anger, joy]}")
    with pytest.raises(ConfigError, match=f"labels must be {', '.join(EMOTIONS)}, each once"):
        Networks(networks_of.folder)
    (networks_of.folder / "networks.yaml").write_text("arcface: {file: w600k.onnx}")
    with pytest.raises(CheckpointError, match=r"w600k.onnx: no such file, though .*networks.yaml names it"):
        Networks(networks_of.folder)
