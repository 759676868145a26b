"""The lip reader's front end: its shapes and names are those of the published weights, and files are checked by name."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from talkinghead.errors import CheckpointError
from talkinghead.synthesis.lip_reading import SIZE_PX, FrontEndConfig, VisualFrontEnd

TINY = {"width": 2, "activation": "swish"}


def write_front_end(folder, config=TINY, **changes):
    torch.manual_seed(0)
    tensors = VisualFrontEnd(FrontEndConfig(**config)).state_dict()
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({k: v.contiguous() for k, v in (tensors | changes).items() if v is not None}, folder / "model.safetensors")
    return folder


def test_the_published_network_is_this_one():
    network = VisualFrontEnd()
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["frontend3D.0.weight"] == (64, 1, 5, 7, 7) and shapes["frontend3D.1.running_var"] == (64,)
    assert shapes["trunk.layer1.0.conv1.weight"] == (64, 64, 3, 3) and "trunk.layer1.0.downsample.0.weight" not in shapes
    assert shapes["trunk.layer4.0.downsample.0.weight"] == (512, 256, 1, 1)
    assert shapes["trunk.layer4.1.bn2.weight"] == (512,)
    # A ResNet-18 has 11,689,512 numbers: without its last layer, and a convolution over time in place of its first.
    assert len([name for name in shapes if not name.endswith("num_batches_tracked")]) == 5 + 2 * 8 * 5 + 3 * 5
    assert sum(value.numel() for value in network.parameters()) == 11_689_512 - 513_000 - 9_408 + 64 * 5 * 7 * 7
    assert network.eval()(torch.zeros(1, 2, SIZE_PX, SIZE_PX)).shape == (1, 2, 512)
    prelu = VisualFrontEnd(FrontEndConfig(width=4, activation="prelu")).state_dict()
    assert prelu["frontend3D.2.weight"].shape == (4,) and prelu["trunk.layer2.0.relu1.weight"].shape == (8,)


def test_a_clip_by_itself_is_as_in_a_batch_and_the_order_of_frames_matters(tmp_path):
    network = VisualFrontEnd.load(write_front_end(tmp_path))
    pictures = torch.rand(2, 7, SIZE_PX, SIZE_PX)
    features = network(pictures)
    assert features.shape == (2, 7, 16) and torch.allclose(features[1:], network(pictures[1:]), atol=1e-5)
    assert (features.flip(1) - network(pictures.flip(1))).abs().max() > 1e-3, "each frame sees its neighbours, before and after"
    later = pictures.clone()
    later[:, 5:] = 0
    assert torch.allclose(network(later)[:, :3], features[:, :3], atol=1e-5)
    assert (network(later)[:, 3] - features[:, 3]).abs().max() > 1e-4


def test_it_is_frozen_and_what_comes_from_the_file_is_what_is_in_it(tmp_path):
    network = VisualFrontEnd.load(write_front_end(tmp_path, **{"frontend3D.1.num_batches_tracked": None}))
    assert not network.training and not any(value.requires_grad for value in network.parameters())
    stored = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(network.state_dict()[name], value) for name, value in stored.items() if "num_batches" not in name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trunk.layer2.0.bn1.bias": None}, r"model\.safetensors: lacks trunk\.layer2\.0\.bn1\.bias; docs/mead\.md says"),
        ({"frontend.0.weight": torch.zeros(1)}, r"has frontend\.0\.weight that it should not"),
        (
            {f"trunk.layer{n}.0.conv1.weight": None for n in (1, 2, 3, 4)},
            r"lacks trunk\.layer1\.0\.conv1\.weight, .*, trunk\.layer3\.0\.conv1\.weight and 1 more;",
        ),
        ({"frontend3D.1.bias": torch.zeros(3)}, r"has another shape of frontend3D\.1\.bias, \(3,\)"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, changes, message):
    with pytest.raises(CheckpointError, match=message):
        VisualFrontEnd.load(write_front_end(tmp_path, **changes))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"model_type": "vit"}',
            r"unknown model_type: is of another network; the keys are width, activation, mean, deviation",
        ),
        ('{"width": 0}', r"width is 0; leave it out for 64"),
        ('{"deviation": "much"}', r"deviation is 'much'; leave it out for 0.165"),
        ('{"activation": "tanh"}', r"activation is 'tanh'; choose from swish, relu, prelu"),
        ("[]", r"no mapping"),
        ("{", r"no config\.json that can be read"),
    ],
)
def test_a_configuration_of_something_else(tmp_path, content, message):
    write_front_end(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=message):
        VisualFrontEnd.load(tmp_path)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(CheckpointError, match=r"lip_reading .*none: no such folder; docs/mead\.md says how to make one"):
        VisualFrontEnd.load(tmp_path / "none")
    write_front_end(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: cannot be read \(SafetensorError\)"):
        VisualFrontEnd.load(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors: cannot be read \(FileNotFoundError\)"):
        VisualFrontEnd.load(tmp_path)
