"""A Ray cluster, this machine or others: reached, used, let go. Knows addresses; knows nothing of what runs there."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any, Final

from talkinghead.errors import DependencyError, InputError, install_command

LOCAL: Final = "local"
CONNECT_S: Final = 5.0


@contextlib.contextmanager
def cluster(address: str, workers: int) -> Iterator[Any]:
    """address: host:port of its head, auto for the one that this machine is of, local for this machine's cores alone -> `ray`.

    Raises:
        DependencyError: Ray is not installed. InputError: nobody answers there.
    """
    try:
        import ray
    except ImportError as error:
        raise DependencyError(f"ray is not installed, which a cluster needs; run: {install_command('ray')}.") from error
    if address not in ("auto", LOCAL):
        _check_answers(address)
    try:
        options: dict[str, Any] = {"num_cpus": workers} if address == LOCAL else {"address": address}
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        why = " ".join(str(error).split())[:120]
        raise InputError(f"--ray-address {address}: cannot be reached ({why}); start it, or leave the option out.") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_S):
            return
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "no host:port"
        raise InputError(
            f"--ray-address {address}: cannot be reached ({said}); give host:port of its head, or local."
        ) from error
