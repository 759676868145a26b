"""What a preparation made and did not make: `manifest.jsonl`, `left_out.csv`, `report.md`. Knows rows and reasons; no clip."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from talkinghead.corpus.sources import Found
from talkinghead.corpus.splits import OWN, role
from talkinghead.preparation.state import write_text

_SHOWN: Final = 20

Why = tuple[str, str]


def write_reports(
    output: Path,
    found: Found,
    rows: Sequence[dict[str, Any]],
    left_out: Sequence[Why],
    notes: Sequence[Why],
    about: dict[str, Any],
) -> None:
    """rows: of the manifest; left_out, notes: clip and what was wrong; about: of `dataset.json`."""
    write_text(output / "manifest.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    everything = [*found.left_out, *((name, "its name is not understood") for name in found.unknown), *left_out]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["clip", "reason"])
    writer.writerows(everything)
    write_text(output / "left_out.csv", table.getvalue())
    write_text(output / "report.md", _report(found, rows, everything, notes, about))


def _report(
    found: Found, rows: Sequence[dict[str, Any]], left_out: Sequence[Why], notes: Sequence[Why], about: dict[str, Any]
) -> str:
    minutes = sum(row["seconds"] for row in rows) / 60
    people = sorted({row["identity"] for row in rows})
    silent = sum(not row["audio"] for row in rows)
    lines = [
        f"# {about['name']}, prepared",
        "",
        f"{len(rows)} clips, {minutes:.1f} minutes, {len(people)} people, {silent} without sound; {len(left_out)} left out.",
        "",
        "## Emotion and level",
        "",
        *_crossed(rows, "emotion", "level"),
        "",
        "## People",
        "",
        *_crossed(rows, "identity", "emotion"),
        "",
        "## Splits",
        "",
        *_splits(rows, about["splits"]),
    ]
    lines += _section("Of the whole", [f"- {remark}" for remark in found.remarks])
    lines += _section("Left out, and why", _by_reason(left_out))
    lines += _section("Kept, with a defect", _by_reason(notes))
    return "\n".join(lines) + "\n"


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"## {title}", "", *(lines or ["Nothing."])]


def _crossed(rows: Sequence[dict[str, Any]], down: str, across: str) -> list[str]:
    """A table of counts."""
    counts = Counter((str(row[down]), str(row[across])) for row in rows)
    columns = sorted({column for _, column in counts})
    lines = [f"| {down} \\ {across} | " + " | ".join(columns) + " | all |", "|---" * (len(columns) + 2) + "|"]
    for name in sorted({name for name, _ in counts}):
        own = [counts[name, column] for column in columns]
        lines.append(f"| {name} | " + " | ".join(map(str, own)) + f" | {sum(own)} |")
    return lines


def _splits(rows: Sequence[dict[str, Any]], splits: Sequence[str]) -> list[str]:
    lines = ["| split | train | val | test | in none |", "|---|---|---|---|---|"]
    for split in splits:
        counts = Counter(role(row, split) for row in rows if split == OWN or row.get("from_last") is not None)
        roles = (counts["train"], counts["val"], counts["test"], counts[None])
        lines.append(f"| {split} | " + " | ".join(map(str, roles)) + " |")
    return lines


def _by_reason(reasons: Sequence[Why]) -> list[str]:
    """Each kind of reason once, with how many clips and the first of them; the whole list is in `left_out.csv`."""
    kinds: dict[str, list[Why]] = {}
    for what, why in reasons:
        kinds.setdefault(re.sub(r"\b\d+(\.\d+)?\b", "#", why.partition(" (")[0]), []).append((what, why))
    lines = []
    for kind, own in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0])):
        why = own[0][1] if len(own) == 1 else kind.replace("#", "…")
        lines.append(f"- {len(own)}: {why}")
        lines += [f"  - {what}" + ("" if len(own) == 1 or reason == why else f": {reason}") for what, reason in own[:_SHOWN]]
        lines += [f"  - and {len(own) - _SHOWN} more"] if len(own) > _SHOWN else []
    return lines
