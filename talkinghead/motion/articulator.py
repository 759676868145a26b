"""Speech content -> how the mouth, jaw and cheeks move, and when the lips touch each other or the teeth.

A linear read-out of three frames of the frozen speech encoder, solved in closed form (`motion.ridge`), by way of a few
components (`motion.spoken_content`), and an optional small temporal network that corrects it. Lips follow content and are
near-deterministic, so nothing is sampled here. Knows features and coefficients; knows nothing of emotion, head or eyes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn
from torch.nn import functional

from talkinghead import arkit
from talkinghead.errors import CheckpointError
from talkinghead.motion.contacts import contact
from talkinghead.motion.lips import LipContacts, LipTravel, open_lips, spread_lips
from talkinghead.motion.spoken_content import Effort, SpokenContent
from talkinghead.types import FloatArray, SpeechFeatures

COLUMNS: Final[tuple[str, ...]] = tuple(
    name
    for name in arkit.BLENDSHAPES
    if name.startswith(("jaw", "mouth", "cheek")) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
)
"""What speech moves, both sides alike; sideways motion is a habit of the talker, not of the sound."""

USUAL_FRAMES: Final = 10
SILENT_DBFS: Final = -62.0
QUIET_DBFS: Final = -48.0
CLOSURE_SLOPE: Final = 4.0
"""Of the read-out's own score of closed lips, which serves where nothing is known of the articulation: it is less sure, and
shutting the lips by it costs .04 of the correlation of their opening."""
WINDOW_FRAMES: Final = 250


class Articulator(ModelMixin, ConfigMixin):
    """Content (B, T, C) -> K blendshapes, the opening and the width of the lips and a score of closed lips, each (B, T)."""

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        content_width: int = 1536,
        columns: tuple[str, ...] = COLUMNS,
        context: int = 1,
        head_width: int = 0,
        head_dilations: tuple[int, ...] = (1, 2, 4, 8),
        dropout: float = 0.3,
        num_components: int = 0,
        gain: tuple[float, ...] | None = None,  # noqa: ARG002 - kept in the config
        closed_threshold: float = 0.5,  # noqa: ARG002 - kept in the config
        lip_parting: tuple[float, ...] | None = None,  # noqa: ARG002 - kept in the config
        lip_widening: tuple[float, ...] | None = None,  # noqa: ARG002 - kept in the config
    ) -> None:
        """
        Args:
            content_width: C.
            columns: K ARKit names, the order of the output.
            context: frames either side that the linear read-out sees.
            head_width: channels of the temporal network, 0 for none.
            head_dilations: one residual block each.
            dropout: on the network's input and inside.
            num_components: M, by way of how many components the outputs are said; 0 for each by itself.
            gain: (K + 2,) by how much each output is stretched about its mean: least squares shrinks motion it is unsure of.
            closed_threshold: score from which the lips are shut.
            lip_parting, lip_widening: (52,) as `LipTravel`, of the rig that the motion is for; without them the opening and
                the width of the lips are not enforced.
        """
        super().__init__()
        num_outputs = len(columns) + 3
        self.readout = nn.Conv1d(content_width, num_outputs, 2 * context + 1)
        self.context = context
        # How many frames away a frame is heard: the kernels are 3 wide.
        self.reach = max(context, sum(head_dilations) if head_width else 0)
        self.head = TemporalHead(content_width, num_outputs, head_width, tuple(head_dilations), dropout) if head_width else None
        # What the outputs are about: their mean on the training clips.
        self.centre = nn.Parameter(torch.zeros(num_outputs - 1), requires_grad=False)
        # Outputs to components and back.
        self.directions = nn.Parameter(torch.eye(num_outputs - 1, num_components or num_outputs - 1), requires_grad=False)
        self.mixing = nn.Parameter(self.directions.detach().T.clone(), requires_grad=False)
        # What the content is about, of people never heard.
        self.content_mean = nn.Parameter(torch.zeros(content_width), requires_grad=False)

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        """content: (B, T, C) less the mean of its recording -> (B, T, K + 3): blendshapes, opening, width, closure score.

        Opening and width are beyond rest over the eye distance, the score is in about [0, 1].
        """
        x = content.transpose(1, 2)
        output = self.readout(functional.pad(x, (self.context, self.context), mode="replicate"))
        if self.head is not None:
            output = output + self.head(x)
        output = output.transpose(1, 2)
        said = self.centre + self.components(output) @ self.mixing
        return torch.cat([said, output[..., -1:]], -1)

    def components(self, output: torch.Tensor) -> torch.Tensor:
        """output: (..., K + 3) -> (..., M) what it says beyond the usual."""
        result: torch.Tensor = (output[..., :-1] - self.centre) @ self.directions
        return result

    @property
    def kernel(self) -> torch.Tensor:
        """(M, C, W) what of W frames of content each component is, but for a constant and the temporal network."""
        return torch.einsum("om,ocw->mcw", self.directions.detach(), self.readout.weight.detach()[: len(self.directions)])

    @torch.inference_mode()
    def windowed(self, content: FloatArray, mean: FloatArray | None = None) -> torch.Tensor:
        """content: (T, C) of a whole recording -> (T, K + 3) float32 as `forward`, a window at a time: memory does not grow.

        mean: (C,) of the recording, when this is but a part of it.

        Raises:
            CheckpointError: the content is another speech encoder's.
        """
        num_frames, heard = len(content), self.readout.in_channels
        if content.shape[1] != heard:
            raise CheckpointError(
                f"the articulator hears {heard} features a frame, the speech encoder gives {content.shape[1]}; train it on "
                "what this encoder hears (scripts/prepare_speech.py), or take the encoder that it was trained with."
            )
        if mean is None:
            mean = recording_mean(content, self.usual_content)
        output = torch.empty((num_frames, len(self.centre) + 1))
        for start in range(0, num_frames, WINDOW_FRAMES):
            stop = min(start + WINDOW_FRAMES, num_frames)
            first, last = max(0, start - self.reach), min(num_frames, stop + self.reach)
            window = torch.from_numpy(np.ascontiguousarray(content[first:last], np.float32) - mean).to(self.centre.device)
            output[start:stop] = self(window[None])[0, start - first : stop - first].float().cpu()
        return output

    @property
    def usual_content(self) -> FloatArray:
        """(C,) what the content of a recording of a stranger is about."""
        usual: FloatArray = self.content_mean.float().cpu().numpy()
        return usual

    @property
    def travel(self) -> LipTravel | None:
        """What the columns do to the lips of the rig that the motion is for."""
        parting, widening = self.config.lip_parting, self.config.lip_widening
        if parting is None or widening is None:
            return None
        return LipTravel(np.asarray(parting, np.float32), np.asarray(widening, np.float32))

    @torch.inference_mode()
    def spoken(self, features: SpeechFeatures, mean: FloatArray | None = None) -> SpokenContent:
        """What is said, and how strongly: all that `articulate` takes of the features, but for their loudness.

        mean: as in `windowed`.
        """
        output = self.windowed(features.content, mean)
        if features.articulation is not None:
            closed = contact(features.articulation, "bilabial")
            tucked = contact(features.articulation, "labiodental") * (1 - closed)
        else:
            closed = np.clip(0.5 + (output[:, -1].numpy() - self.config.closed_threshold) * CLOSURE_SLOPE, 0, 1)
            tucked = np.zeros_like(closed)
        contacts = LipContacts(closed.astype(np.float32), tucked.astype(np.float32))
        return SpokenContent.of(self.components(output.to(self.centre.device)).float().cpu().numpy(), contacts)

    @torch.inference_mode()
    def articulate(
        self,
        features: SpeechFeatures,
        strength: float = 1.0,
        mean: FloatArray | None = None,
        effort: Effort | None = None,
    ) -> tuple[FloatArray, LipContacts]:
        """Features -> blendshapes (T, 52) in [0, 1], zero outside `columns`, and what the lips must touch.

        strength: 0 keeps the mouth at rest, 1 moves it as much as the talkers of the training clips did.
        mean: as in `windowed`.
        effort: another recording's; its own if None.
        """
        content = self.spoken(features, mean)
        gain = np.array(self.config.gain or [1.0] * len(self.centre), np.float32)
        centre, mixing = (value.float().cpu().numpy() for value in (self.centre, self.mixing))
        level = strength * speech_presence(features.loudness)[:, None]
        stretched = level * (centre + gain * (content.components(effort) @ mixing))
        blendshapes = np.zeros((len(features), len(arkit.BLENDSHAPES)), np.float32)
        blendshapes[:, [arkit.INDEX[name] for name in self.config.columns]] = np.clip(stretched[:, :-2], 0, 1)
        if (travel := self.travel) is not None:
            blendshapes = spread_lips(blendshapes, stretched[:, -1], travel)
            blendshapes = open_lips(blendshapes, np.maximum(stretched[:, -2], 0), travel)
        speaking = (level[:, 0] > 0).astype(np.float32)
        return blendshapes, LipContacts(content.contacts.closed * speaking, content.contacts.tucked * speaking)

    @staticmethod
    def load(folder: Path) -> Articulator:
        """`from_pretrained` in float32 on the CPU, with this package's errors.

        Raises:
            CheckpointError: a file is missing, or holds tensors of other shapes.
        """
        try:
            model, found = Articulator.from_pretrained(
                folder, torch_dtype=torch.float32, local_files_only=True, low_cpu_mem_usage=False, output_loading_info=True
            )
            if found["missing_keys"]:
                raise ValueError(f"{', '.join(found['missing_keys'])} missing: made by an earlier version, train it again")
            if unknown := set(model.config.columns) - set(arkit.BLENDSHAPES):
                raise ValueError(f"columns {sorted(unknown)} are not ARKit names")
            if model.travel is not None and not model.travel.is_usable:
                raise ValueError("lip_parting, lip_widening: with them the jaw does not open the lips, or nothing closes them")
        except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(
                f"{folder}: not an articulator ({reason}); reinstall talkinghead or point to a whole checkpoint."
            ) from error
        result: Articulator = model.eval()
        return result


class TemporalHead(nn.Module):
    """Dilated residual convolutions over the content; the last layer starts at zero, so training starts at the read-out."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, content_width: int, num_outputs: int, width: int, dilations: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(content_width, 1))
        self.register_buffer("deviation", torch.ones(content_width, 1))
        self.enter = nn.Conv1d(content_width, width, 1)
        self.blocks = nn.ModuleList(nn.Conv1d(width, width, 3, padding=d, dilation=d) for d in dilations)
        self.dropout = nn.Dropout1d(dropout)
        self.leave = nn.Conv1d(width, num_outputs, 1)
        self.restart()

    @torch.no_grad()
    def restart(self) -> None:
        """New weights, from torch's seed."""
        for layer in (self.enter, *self.blocks, self.leave):
            layer.reset_parameters()
        for value in self.leave.parameters():
            value.zero_()

    @torch.no_grad()
    def set_normalisation(self, mean: FloatArray, deviation: FloatArray) -> None:
        """mean, deviation: (C,) of the content of the training clips."""
        self.mean.copy_(torch.from_numpy(mean)[:, None])
        self.deviation.copy_(torch.from_numpy(deviation + 1e-3)[:, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (B, C, T) -> (B, K + 3, T)."""
        x = self.enter(self.dropout((x - self.mean) / self.deviation))
        for block in self.blocks:
            x = x + self.dropout(functional.gelu(block(functional.gelu(x))))
        result: torch.Tensor = self.leave(functional.gelu(x))
        return result


def recording_mean(content: FloatArray, usual: FloatArray) -> FloatArray:
    """content: (T, C), usual: (C,) -> (C,) the mean that a recording's voice, room and microphone put into its content.

    A short recording says little of that and much of its few words, so it is drawn to what is usual.
    """
    total = content.sum(0, dtype=np.float64) + USUAL_FRAMES * usual
    mean: FloatArray = (total / (len(content) + USUAL_FRAMES)).astype(np.float32)
    return mean


def speech_presence(loudness: FloatArray) -> FloatArray:
    """loudness: (T,) dBFS -> (T,) 0 in digital silence, 1 from a whisper on; opens a frame early and closes gently."""
    level = np.clip((loudness - SILENT_DBFS) / (QUIET_DBFS - SILENT_DBFS), 0, 1)
    padded = np.pad(level, 3, mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(padded, 7).max(1)
    smooth: FloatArray = np.convolve(np.pad(near, 2, mode="edge"), np.array([1, 2, 3, 2, 1]) / 9, "valid").astype(np.float32)
    return smooth
