"""Figures -> a table in Markdown and in JSON. Knows nothing of what is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Table:
    """One table of the report.

    title: what was measured. note: how it was counted. rows: row -> column -> value; what is absent or NaN stays blank.
    form: how a value is written, as `format` takes it; forms: the columns that are written otherwise.
    """

    title: str
    note: str
    rows: dict[str, dict[str, float]]
    form: str = ".2f"
    forms: dict[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Every column, in the order in which the rows first name them."""
        return list(dict.fromkeys(column for row in self.rows.values() for column in row))

    def markdown(self) -> str:
        columns = self.columns
        lines = [f"## {self.title}", "", self.note, "", "| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
        for name, row in self.rows.items():
            cells = [self._cell(column, row.get(column, math.nan)) for column in columns]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def json(self) -> dict[str, Any]:
        """What `json.dumps` takes; NaN becomes null, which every reader of JSON knows."""
        rows = {
            name: {column: value if math.isfinite(value) else None for column, value in row.items()}
            for name, row in self.rows.items()
        }
        return {"title": self.title, "note": self.note, "rows": rows}

    def _cell(self, column: str, value: float) -> str:
        return "" if not math.isfinite(value) else format(value, self.forms.get(column, self.form))
