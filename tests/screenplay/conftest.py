"""A small scene of the example portraits, in a folder of its own."""

from pathlib import Path

import pytest

SCENE = """\
size: [96, 128]
quality: draft
cast:
  Ana: {portrait: drawn_woman.png, voice: en-us+f4, seat: left}
  Bob: {portrait: drawn_man.png, voice: en-us, seat: right, emotion: happy, strength: 0.2}
lines:
  - Ana: "You [smile] came! [pause 0.3] [look left] At *last*."
    emotion: happy
    strength: 0.8
  - Bob: "I [nod] did. [sad 0.8] But no."
    direction: quietly guilty
  - Ana: "[frown] Why?"
    overlap: 0.2
    camera: side by side
"""

PLAY = """\
---
size: [96, 128]
quality: draft
---
## Cast
- **Ana**: drawn_woman.png; voice en-us+f4; seat left
- Bob: drawn_man.png; voice en-us; seat right; emotion happy 0.2

<!-- nobody
     says this -->
## Scene

**Ana** (happy 0.8): You [smile] came! [pause 0.3]
  [look left] At *last*.

BOB (quietly guilty): I [nod] did. [sad 0.8] But no.

[camera side by side]
**Ana:** (overlap 0.2) [frown] Why?
"""


@pytest.fixture
def stage(tmp_path: Path, root: Path) -> Path:
    for name in ("drawn_woman.png", "drawn_man.png"):
        (tmp_path / name).symlink_to(root / "assets" / name)
    (tmp_path / "scene.yaml").write_text(SCENE)
    (tmp_path / "scene.md").write_text(PLAY)
    return tmp_path
