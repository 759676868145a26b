"""What the face does with talking and an expression, on tensors and with gradients: lips as said, both on one face, lips shut.

The same as `lips.spread_lips`, `lips.open_lips`, `lips.restrain_parting`, `lips.close_lips` and `expression.compose`, which a
performance goes through; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from talkinghead.motion.expression import GIVE_WAY, OPPOSED, both_sides
from talkinghead.motion.lips import (
    FELT_PARTING,
    JAW_LETS_GO,
    JAW_OPEN,
    LIP_PARTERS,
    MOUTH_CLOSE,
    NARROW,
    NARROWERS,
    PARTERS_LET_GO,
    PRESSED,
    PRESSERS,
    SHUT_BEYOND_REST,
    SNEERS,
    SNEERS_LET_GO,
    SPEAKING,
    WIDE,
    WIDENERS,
)


def as_said(blendshapes: torch.Tensor, opening: torch.Tensor, width: torch.Tensor, travel: torch.Tensor) -> torch.Tensor:
    """Columns of talking with the lips as far apart and as wide as is said, as `Articulator.articulate` does it.

    blendshapes: (..., 52). opening, width: (...) beyond rest over the eye distance. travel: (2, 52), what each column parts
    and widens (`LipTravel`). Returns (..., 52) in [0, 1].
    """
    parting, widening = travel
    result = blendshapes.clamp(0, 1)
    for way, give, add in ((1, NARROW, WIDENERS), (-1, WIDE, NARROWERS)):
        missing = (way * (width - result @ widening)).clamp(min=0)
        held = (-way * (result[..., give] @ widening[give])).clamp(min=1e-6)
        result = _scaled(result, give, 1 - (missing / held).clamp(0, 1))
        missing = (way * (width - result @ widening)).clamp(min=0)
        result = _added(result, add, missing / (way * widening[add].sum()))
    for column in (JAW_OPEN, MOUTH_CLOSE):
        missing = opening.clamp(min=0) - result @ parting
        result = _added(result, [column], missing / parting[column])
    return result


def worn(talking: torch.Tensor, emotional: torch.Tensor, travel: torch.Tensor) -> torch.Tensor:
    """Talking and an expression on one face, its lips parted by little more than talking parts them.

    talking, emotional: (..., 52) in [0, 1]. travel: as in `as_said`. Returns (..., 52) in [0, 1].
    """
    parting, giving = travel[0], talking
    for ours, theirs in OPPOSED:
        giving = _scaled(giving, both_sides(theirs), 1 - GIVE_WAY * emotional[..., both_sides(ours)].mean(-1))
    both = giving + emotional - giving * emotional
    excess = ((both - talking) @ parting - FELT_PARTING).clamp(min=0) * (talking.amax(-1) / SPEAKING).clamp(0, 1)
    return _added(both, [MOUTH_CLOSE], -excess / parting[MOUTH_CLOSE])


def shut(blendshapes: torch.Tensor, closed: torch.Tensor, travel: torch.Tensor) -> torch.Tensor:
    """The same face with the lips shut where they are said to be.

    blendshapes: (..., 52) in [0, 1]. closed: (...) in [0, 1]. travel: as in `as_said`. Returns (..., 52) in [0, 1].
    """
    parting, result = travel[0], blendshapes
    for columns, part in ((LIP_PARTERS, PARTERS_LET_GO), (SNEERS, SNEERS_LET_GO), ([JAW_OPEN], JAW_LETS_GO)):
        result = _scaled(result, columns, 1 - part * closed)
    pressed = torch.maximum(result, PRESSED * closed[..., None])
    result = torch.where(_among(result, PRESSERS), pressed, result)
    gap = result @ parting
    wanted = (1 - closed) * gap.clamp(min=-SHUT_BEYOND_REST) - closed * SHUT_BEYOND_REST
    result = _added(result, [MOUTH_CLOSE], (wanted - gap) / parting[MOUTH_CLOSE])
    left_over = (result @ parting - wanted.clamp(min=0)).clamp(min=0) * closed
    return _added(result, [JAW_OPEN], -left_over / parting[JAW_OPEN])


def _scaled(values: torch.Tensor, columns: Sequence[int], factor: torch.Tensor) -> torch.Tensor:
    """values: (..., 52), factor: (...) -> those columns times it."""
    return torch.where(_among(values, columns), values * factor[..., None], values)


def _added(values: torch.Tensor, columns: Sequence[int], more: torch.Tensor) -> torch.Tensor:
    """values: (..., 52), more: (...) -> those columns with it added, in [0, 1]."""
    return torch.where(_among(values, columns), (values + more[..., None]).clamp(0, 1), values)


def _among(values: torch.Tensor, columns: Sequence[int]) -> torch.Tensor:
    among = torch.zeros(values.shape[-1], dtype=torch.bool, device=values.device)
    among[list(columns)] = True
    return among
