"""What the networks compute on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from talkinghead.errors import InputError


def usable_device(name: str | None) -> torch.device:
    """A device by torch's name; None is an NVIDIA GPU when there is one, else the CPU.

    Raises:
        InputError: it cannot be used here.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device: '{name}' cannot be used here; choose cpu, or cuda where there is an NVIDIA GPU.") from error
    return device


@contextlib.contextmanager
def num_threads(count: int) -> Iterator[None]:
    """So many threads inside, and as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
