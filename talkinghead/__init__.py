"""Speech and one portrait become a video of that person speaking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from talkinghead.live_video import LiveFrame, LiveVideo
    from talkinghead.pipeline import TalkingHead

__version__ = "0.1.0"
__all__ = ["LiveFrame", "LiveVideo", "TalkingHead", "__version__"]


def __getattr__(name: str) -> Any:
    """The models' classes are loaded when they are asked for: that takes seconds, and `--help` needs none of them."""
    if name == "TalkingHead":
        from talkinghead.pipeline import TalkingHead

        return TalkingHead
    if name in ("LiveFrame", "LiveVideo"):
        from talkinghead import live_video

        return getattr(live_video, name)
    raise AttributeError(f"module 'talkinghead' has no attribute '{name}'")
