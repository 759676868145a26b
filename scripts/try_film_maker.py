"""Run docs/film_maker.md from end to end in an empty folder, as its reader would.

    python scripts/try_film_maker.py -o /tmp/film

The files of the page's blocks are written, its commands are run in their order; the first that fails ends it.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/film_maker.md"
FILES = {"markdown": "letter.md", "csv": "jobs.csv"}
PICTURES = ("drawn_woman.png", "drawn_man.png")


def blocks(page: str) -> list[tuple[str, str]]:
    """Kind and text of each fenced block, in order."""
    return re.findall(r"```(\w+)\n(.*?)```", page, re.S)


def main() -> int:
    """Parse the command line and run the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="an empty folder, or one to be made")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        parser.error(f"--output {folder}: is not empty; give another.")
    for name in PICTURES:
        (folder / name).write_bytes((ROOT / "assets" / name).read_bytes())
    found = blocks(PAGE.read_text(encoding="utf8"))
    for kind, text in found:
        if kind in FILES:
            (folder / FILES[kind]).write_text(text, encoding="utf8")
    for line in (line for kind, text in found if kind == "bash" for line in text.splitlines() if line.strip()):
        arguments = shlex.split(line.split("  #")[0])
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", *arguments], cwd=folder, check=False, env=None)
        print(f"{time.monotonic() - began:6.1f} s  {' '.join(arguments)}", flush=True)
        if done.returncode:
            return done.returncode
    made = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.mp4") if ".work" not in str(path))
    print(", ".join(made))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
