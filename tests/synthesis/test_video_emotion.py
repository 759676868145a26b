"""Image networks of transformers' format as they are read and what of them is a feature."""

import json

import pytest
import torch
from transformers import (
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    Wav2Vec2Config,
    Wav2Vec2Model,
)

from talkinghead.errors import CheckpointError
from talkinghead.synthesis.video_emotion import VideoEmotionNetwork


def write_vit(folder, **settings):
    """A classifier, as they are published: its file has a head and no pooler."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        image_size=32,
        patch_size=16,
        num_labels=7,
    )
    network = ViTForImageClassification(config)
    network.save_pretrained(folder)
    if settings:
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return network


def test_a_transformer_says_it_in_its_token(tmp_path):
    published = write_vit(tmp_path, image_mean=[0.4, 0.4, 0.4], image_std=[0.2, 0.2, 0.2], size={"height": 32, "width": 32})
    network = VideoEmotionNetwork.load(tmp_path)
    assert network.size_px == 32 and not network.training and not any(value.requires_grad for value in network.parameters())
    pictures = torch.rand(2, 3, 32, 32)
    features = network(pictures)
    assert features.shape == (2, 3, 8)
    with torch.no_grad():
        coloured = ((pictures - 0.4) / 0.2).flatten(0, 1)[:, None].expand(-1, 3, -1, -1)
        logits = published.eval()(pixel_values=coloured).logits
        assert torch.allclose(published.classifier(features.flatten(0, 1)), logits, atol=1e-5)


def test_a_resnet_says_it_all_over_the_picture(tmp_path):
    torch.manual_seed(0)
    published = ResNetForImageClassification(ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], num_labels=7))
    published.save_pretrained(tmp_path)
    network = VideoEmotionNetwork.load(tmp_path)
    assert network.size_px == 224
    pictures = torch.rand(1, 2, 64, 64)
    with torch.no_grad():
        coloured = ((pictures - 0.5) / 0.5)[0, :, None].expand(-1, 3, -1, -1)
        logits = published.eval()(pixel_values=coloured).logits
        assert torch.allclose(published.classifier(network(pictures)[0][..., None, None]), logits, atol=1e-5)


def test_folders_that_hold_something_else(tmp_path):
    with pytest.raises(CheckpointError, match=r"video_emotion .*none: no such folder; give an image network's folder"):
        VideoEmotionNetwork.load(tmp_path / "none")
    with pytest.raises(CheckpointError, match=r"no image network \(there is no model\.safetensors\); give an image network's"):
        VideoEmotionNetwork.load(tmp_path)
    sound = Wav2Vec2Config(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, conv_dim=[4], conv_kernel=[4],
        conv_stride=[2], num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    Wav2Vec2Model(sound).save_pretrained(tmp_path / "sound")
    with pytest.raises(CheckpointError, match=r"model_type wav2vec2 takes input_values, not pictures"):
        VideoEmotionNetwork.load(tmp_path / "sound")
    write_vit(tmp_path / "vit", image_std=[0, 1, 1])
    with pytest.raises(CheckpointError, match=r"image_std is \[0, 1, 1\], not three numbers"):
        VideoEmotionNetwork.load(tmp_path / "vit")
    write_vit(tmp_path / "vit", size={"longest_edge": 3})
    with pytest.raises(CheckpointError, match=r"size .* of its pictures is not a number of pixels"):
        VideoEmotionNetwork.load(tmp_path / "vit")
    write_vit(tmp_path / "vit")
    written = json.loads((tmp_path / "vit/config.json").read_text())
    for changes, message in (
        ({"num_hidden_layers": 2}, r"lacks 16 of its tensors, layers\.1\.attention"),
        ({"intermediate_size": 12}, r"no image network \(.*mismatch"),
        ({"num_attention_heads": 12}, r"no image network \("),
        ({"model_type": "vita"}, r"no image network \("),
    ):
        (tmp_path / "vit/config.json").write_text(json.dumps(written | changes))
        with pytest.raises(CheckpointError, match=message):
            VideoEmotionNetwork.load(tmp_path / "vit")
