"""dlib's face recognition network in torch: an aligned picture of a face -> 128 numbers that tell who it is, and its layers.

King, "High quality face recognition with deep metric learning", 2017: a ResNet of 29 convolutions trained on 3 million faces,
released under CC0. Its weights come in the package `face_recognition_models` (extra `identity`), in dlib's own file format, of
which only the tensors are read. Two faces nearer than 0.6 are the same person, says its author. Knows pictures and points.
"""

from __future__ import annotations

import importlib.util
import math
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from talkinghead.errors import CheckpointError, install_command
from talkinghead.synthesis.geometry import area_crop, similarity
from talkinghead.types import ByteArray, FloatArray

REMEDY: Final = install_command("identity")
PACKAGE: Final = "face_recognition_models"
WEIGHTS: Final = "models/dlib_face_recognition_resnet_model_v1.dat"
CHIP_PX: Final = 150
SAME_PERSON: Final = 0.6
"""Of the distance between two faces; dlib's own threshold, 99.4 % right on LFW."""
WIDTHS: Final = (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256, 256)
"""Channels of the residual blocks; a block halves the picture where it is wider than the one before, and the last one does."""
NUM_FEATURES: Final = 128
_MEAN: Final = (122.782, 117.001, 104.298)
_PADDING: Final = 0.25
_POINTS: Final = (263, 362, 33, 133, 2)
"""The tracker's points for dlib's five: the corners of the subject's left eye, outer and inner, those of the right, and the
nose where it meets the lip."""
_LAYOUT: Final = (
    (0.8595674595992, 0.2134981538014), (0.6460604764104, 0.2289674387677), (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242), (0.4901123135679, 0.6277975316475),
)  # fmt: skip
"""dlib's mean face: where the five stand in a chip without padding (image_transforms/interpolation.h)."""

_TENSOR_VERSION: Final = 2
_LONGEST_SETTINGS: Final = 24
"""Bytes between a layer's name and its tensor, at most."""


def weights_file() -> Path | None:
    """Where the package keeps the weights, None when it is not installed; the package itself is not run."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / WEIGHTS


def chip_matrix(points: FloatArray) -> FloatArray:
    """points: (478, 2 or 3) px, the tracker's -> (2, 3) px of the picture -> px of the upright chip of 150 x 150."""
    layout = (np.array(_LAYOUT, np.float32) + _PADDING) / (1 + 2 * _PADDING) * CHIP_PX
    return similarity(points[list(_POINTS), :2], layout)


def face_chip(image: ByteArray, points: FloatArray) -> FloatArray:
    """image: (H, W, 3) uint8 RGB -> (150, 150, 3) float32 in [0, 255]."""
    return area_crop(image, chip_matrix(points), CHIP_PX, CHIP_PX)


class _Convolution(nn.Module):
    """dlib's `con` and `affine`: a convolution, then what batch normalisation became after training."""

    def __init__(self, weight: Tensor, bias: Tensor, gamma: Tensor, beta: Tensor, stride: int) -> None:
        super().__init__()
        self.stride, self.padding = stride, weight.shape[-1] // 2 if stride == 1 else 0
        self.weight, self.bias = nn.Parameter(weight * gamma[:, None, None, None]), nn.Parameter(bias * gamma + beta)

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)


class _Block(nn.Module):
    """Two convolutions and what goes round them."""

    def __init__(self, first: _Convolution, second: _Convolution) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(_summed(self.second(functional.relu(self.first(x))), x))


class FaceNetwork(nn.Module):
    """(B, 150, 150, 3) chips -> (B, 128); `layers` gives what lies between."""

    def __init__(self, content: bytes) -> None:
        """content: of dlib's file; what follows each layer's name is its tensor, in the order of the layers.

        Raises:
            CheckpointError: the file is another one.
        """
        super().__init__()
        tensors = _Tensors(content)
        self.stem = tensors.convolution(3, WIDTHS[0], 7, 2)
        self.blocks = nn.ModuleList(
            _Block(tensors.convolution(before, width, 3, 2 if halves else 1), tensors.convolution(width, width, 3, 1))
            for before, width, halves in zip((WIDTHS[0], *WIDTHS), WIDTHS, _halves(), strict=False)
        )
        self.last = nn.Parameter(tensors.of("fc_2", (WIDTHS[-1], NUM_FEATURES)).reshape(WIDTHS[-1], NUM_FEATURES))
        self.eval().requires_grad_(False)

    @staticmethod
    def load() -> FaceNetwork | None:
        """The network, None when its package is not installed."""
        file = weights_file()
        if file is None:
            return None
        if not file.is_file():
            raise CheckpointError(f"{file}: missing; install its package again: {REMEDY} --force-reinstall.")
        return FaceNetwork(file.read_bytes())

    def layers(self, chips: FloatArray) -> list[Tensor]:
        """chips: (B, 150, 150, 3) in [0, 255] -> the stem's output and each block's, (B, C, h, w)."""
        return self.features(torch.from_numpy(chips).permute(0, 3, 1, 2) / 255, len(self.blocks))

    def features(self, pictures: Tensor, num_blocks: int) -> list[Tensor]:
        """pictures: (B, 3, H, W) RGB in [0, 1], of any size -> the outputs of the stem and of the first blocks."""
        pixels = (pictures * 255 - torch.tensor(_MEAN, device=pictures.device)[:, None, None]) / 256
        found = [functional.max_pool2d(functional.relu(self.stem(pixels)), 3, 2)]
        for block in self.blocks[:num_blocks]:
            found.append(block(found[-1]))
        return found

    def forward(self, chips: FloatArray) -> Tensor:
        return self.layers(chips)[-1].mean((2, 3)) @ self.last

    @torch.inference_mode()
    def describe(self, chips: list[FloatArray]) -> FloatArray:
        """Chips -> (B, 128) float32."""
        described: FloatArray = self(np.stack(chips).astype(np.float32)).numpy()
        return described


def feature_distances(found: list[Tensor], wanted: list[Tensor]) -> list[Tensor]:
    """Layers (B, C, h, w) of two pictures -> how far apart they lie at each place, (B, 1, h, w) each.

    As LPIPS (Zhang et al., CVPR 2018) before its weights are learnt: features of unit length at each place, their squared
    difference summed over the channels; but of a network that tells faces apart, not of one that tells objects.
    """
    pairs = [[functional.normalize(x.float(), dim=1) for x in pair] for pair in zip(found, wanted, strict=True)]
    return [(a - b).square().sum(1, keepdim=True) for a, b in pairs]


def _halves() -> list[bool]:
    return [*(after > before for before, after in pairwise((WIDTHS[0], *WIDTHS[:-1]))), True]


def _summed(x: Tensor, skipped: Tensor) -> Tensor:
    """The sum of a block and of what goes round it; the smaller one is filled up with zeros, as dlib's `add_prev` does."""
    if skipped.shape == x.shape:
        return x + skipped
    skipped = functional.avg_pool2d(skipped, 2)
    size = [max(a, b) for a, b in zip(x.shape, skipped.shape, strict=True)]
    total = x.new_zeros(size)
    for part in (x, skipped):
        total[:, : part.shape[1], : part.shape[2], : part.shape[3]] += part
    return total


class _Tensors:
    """Reads dlib's file from tensor to tensor: a layer's name, its settings, a version, four sizes, then float32 values."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def convolution(self, before: int, width: int, side: int, stride: int) -> _Convolution:
        num_weights = width * before * side * side
        values, affine = self.of("con_4", (num_weights + width,)), self.of("affine_", (2 * width,))
        weight = values[:num_weights].reshape(width, before, side, side)
        return _Convolution(weight, values[num_weights:], affine[:width], affine[width:], stride)

    def of(self, name: str, sizes: tuple[int, ...]) -> Tensor:
        """The values of the next layer of that name, flat float32; its tensor must have those sizes."""
        header = b"".join(_integer(number) for number in (_TENSOR_VERSION, *sizes, *[1] * (4 - len(sizes))))
        layer = self._content.find(name.encode(), self._at)
        start = self._content.find(header, layer, layer + _LONGEST_SETTINGS + len(header))
        values = self._content[start + len(header) :][: 4 * math.prod(sizes)]
        if min(layer, start) < 0 or len(values) < 4 * math.prod(sizes):
            raise CheckpointError(f"{WEIGHTS}: is not dlib's network of 29 convolutions; install {PACKAGE} again: {REMEDY}.")
        self._at = start + len(header) + len(values)
        return torch.from_numpy(np.frombuffer(values, "<f4").copy())


def _integer(number: int) -> bytes:
    """As dlib writes it: how many bytes follow, then those, the lowest first."""
    size = (number.bit_length() + 7) // 8
    return bytes([size]) + number.to_bytes(size, "little")
