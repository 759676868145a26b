"""What other people call the 52: `EyeBlink_L`, `blendShape1.eyeBlinkLeft`, `eye_blink_left` are all `eyeBlinkLeft`."""

from __future__ import annotations

import re
from typing import Final

from talkinghead import arkit


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", re.split(r"[.:|]", name)[-1].lower())


def _spellings() -> dict[str, str]:
    spellings = {}
    for name in arkit.BLENDSHAPES:
        plain = name.lower()
        spellings[plain] = name
        for side in ("left", "right"):
            if plain.endswith(side):
                spellings[plain.removesuffix(side) + side[0]] = name
    return spellings


_SPELLINGS: Final = _spellings()


def arkit_name(name: str) -> str | None:
    """Which of the 52 a name of a morph target means: after the last point, without capitals, `_L` for Left; None if none."""
    plain = _plain(name)
    for prefix in ("", "arkit", "blendshape", "bs", "face", "head"):
        if plain.startswith(prefix) and plain.removeprefix(prefix) in _SPELLINGS:
            return _SPELLINGS[plain.removeprefix(prefix)]
    return None
