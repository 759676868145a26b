"""Grey pictures of a mouth -> what a lip reader sees in them: the front end of visual speech recognition, the user's own file.

A 3D convolution over five frames and a ResNet-18 over each: as in Ma, Petridis, Pantic, "End-to-End Audio-Visual Speech
Recognition with Conformers", ICASSP 2021, and "Visual Speech Recognition for Multiple Languages in the Wild", Nature Machine
Intelligence 2022, whose features SPECTRE (Filntisis et al. 2023, section 3.2) and EMOTE (Danecek et al. 2023, section 3.3)
compare. The names of its tensors are those of their weights. Knows pictures and tensors; knows nothing of what is said.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from talkinghead.errors import CheckpointError

SIZE_PX: Final = 88
ACTIVATIONS: Final = ("swish", "relu", "prelu")
_BLOCKS: Final = 2
_NUM_NAMED: Final = 3


@dataclasses.dataclass(frozen=True)
class FrontEndConfig:
    """What `config.json` may say.

    width: channels of the first layer; the features are eight times as many. activation: one of `ACTIVATIONS`. mean,
    deviation: of the grey of its pictures, taken off and divided by.
    """

    width: int = 64
    activation: str = "swish"
    mean: float = 0.421
    deviation: float = 0.165


class VisualFrontEnd(nn.Module):
    """(B, T, 88, 88) grey in [0, 1] -> (B, T, 8 * width)."""

    def __init__(self, config: FrontEndConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or FrontEndConfig()
        width = config.width
        self.frontend3D = nn.Sequential(
            nn.Conv3d(1, width, (5, 7, 7), (1, 2, 2), (2, 3, 3), bias=False),
            nn.BatchNorm3d(width),
            _activation(config.activation, width),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )
        layers = {}
        for number, scale in enumerate((1, 2, 4, 8), 1):
            narrower = max(1, scale // 2) * width
            blocks = [_Block(narrower if block == 0 else scale * width, scale * width, config) for block in range(_BLOCKS)]
            layers[f"layer{number}"] = nn.Sequential(*blocks)
        self.trunk = nn.ModuleDict(layers)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """pictures: (B, T, 88, 88) -> (B, T, F)."""
        x = self.frontend3D(((pictures - self.config.mean) / self.config.deviation)[:, None])
        batch, _, num_frames = x.shape[:3]
        x = x.transpose(1, 2).flatten(0, 1)
        for layer in self.trunk.values():
            x = layer(x)
        features: torch.Tensor = x.mean((-2, -1)).reshape(batch, num_frames, -1)
        return features

    @staticmethod
    def load(folder: Path) -> VisualFrontEnd:
        """`config.json` and `model.safetensors` of a folder, frozen and in eval mode. Nothing is downloaded.

        Raises:
            CheckpointError: no such folder, a key or a tensor that the network has not, or one that is not there.
        """
        network, file = VisualFrontEnd(_read_config(folder)), folder / "model.safetensors"
        try:
            tensors = load_file(file)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{file}: cannot be read ({type(error).__name__}); {_REMEDY}.") from error
        # Counters of training, which old files have not.
        wanted = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
        tensors = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
        faults = []
        if missing := sorted(wanted.keys() - tensors.keys()):
            faults.append(f"lacks {_named(missing)}")
        if unknown := sorted(tensors.keys() - wanted.keys()):
            faults.append(f"has {_named(unknown)} that it should not")
        if other := sorted(name for name in wanted.keys() & tensors.keys() if wanted[name].shape != tensors[name].shape):
            faults.append(f"has another shape of {_named(other)}, {tuple(tensors[other[0]].shape)}")
        if faults:
            raise CheckpointError(f"{file}: {', '.join(faults)}; {_REMEDY}.")
        network.load_state_dict({name: value.float() for name, value in tensors.items()}, strict=False)
        return network.requires_grad_(False).eval()


class _Block(nn.Module):
    """(N, C, h, w) -> (N, D, h, w), or half as high and wide where D is more than C: two convolutions beside the input."""

    def __init__(self, channels: int, wanted: int, config: FrontEndConfig) -> None:
        super().__init__()
        stride = 1 if channels == wanted else 2
        self.conv1 = nn.Conv2d(channels, wanted, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wanted)
        self.relu1 = _activation(config.activation, wanted)
        self.conv2 = nn.Conv2d(wanted, wanted, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(wanted)
        self.relu2 = _activation(config.activation, wanted)
        self.downsample = (
            nn.Sequential(nn.Conv2d(channels, wanted, 1, stride, bias=False), nn.BatchNorm2d(wanted)) if stride > 1 else None
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        beside = x if self.downsample is None else self.downsample(x)
        x = self.relu1(self.bn1(self.conv1(x)))
        result: torch.Tensor = self.relu2(self.bn2(self.conv2(x)) + beside)
        return result


_REMEDY: Final = "docs/mead.md says how to make one of the published weights"


def _activation(name: str, channels: int) -> nn.Module:
    return nn.PReLU(channels) if name == "prelu" else nn.ReLU() if name == "relu" else nn.SiLU()


def _read_config(folder: Path) -> FrontEndConfig:
    file, known = folder / "config.json", dataclasses.asdict(FrontEndConfig())
    try:
        content: Any = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        what = "no such folder" if not folder.is_dir() else f"no config.json that can be read ({type(error).__name__})"
        raise CheckpointError(f"lip_reading {folder}: {what}; {_REMEDY}.") from error
    if not isinstance(content, dict) or (unknown := sorted(set(content) - set(known))):
        what = f"unknown {_named(unknown)}" if isinstance(content, dict) else "no mapping"
        raise CheckpointError(f"{file}: {what}: is of another network; the keys are {', '.join(known)}.")
    for key, value in content.items():
        if key == "activation":
            fits = value in ACTIVATIONS
        else:
            fits = isinstance(value, int if key == "width" else int | float) and not isinstance(value, bool)
            fits = fits and (key == "mean" or value > 0)
        if not fits:
            wanted = f"choose from {', '.join(ACTIVATIONS)}" if key == "activation" else f"leave it out for {known[key]!r}"
            raise CheckpointError(f"{file}: {key} is {value!r}; {wanted}.")
    return FrontEndConfig(**content)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(names[:_NUM_NAMED]) + more
