"""A stream of frames -> overlapping windows, each made as a whole, faded into one another. Length costs no memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")


def over_windows(
    items: Iterable[Item], make: Callable[[list[Item]], Tensor], size: int, overlap: int
) -> Iterator[tuple[Item, Tensor]]:
    """Each item with what was made of it; where two windows overlap, the mean of both, moving evenly from one to the other.

    make: 1 to `size` items in a row -> (N, ...), one for each. The last window has what is left, and at least an item more
    than the overlap. overlap: below `size`; 0 joins windows without a fade.
    """
    remaining = iter(items)
    window, before = list(islice(remaining, size)), None
    while window:
        made = make(window)
        if before is not None:
            share = fade_in(overlap).to(made).view(-1, *[1] * (made.dim() - 1))
            made = torch.cat([before * (1 - share) + made[:overlap] * share, made[overlap:]])
        new = list(islice(remaining, size - overlap))
        num_done = len(window) - (overlap if new else 0)
        yield from zip(window[:num_done], made[:num_done], strict=True)
        window, before = (window[num_done:] + new if new else []), made[num_done:]


def fade_in(overlap: int) -> Tensor:
    """(overlap,) the later window's share of each frame, the rest is the earlier one's."""
    return torch.arange(1, overlap + 1) / (overlap + 1)
