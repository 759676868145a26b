"""Scores of clips -> the table of a paper in Markdown, CSV and LaTeX, and the table of two checkpoints compared clip by clip.

Every value is a mean over clips with its 95 % interval; what was not measured says why. Knows scores; measures nothing.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from talkinghead.evaluation.bootstrap import Interval, holm, interval, paired
from talkinghead.evaluation.clip_scores import ClipScores
from talkinghead.evaluation.frechet import jackknife
from talkinghead.evaluation.paper_metrics import BESIDE, METRICS, OURS, PICTURE, REAL, SYSTEMS, VERTEX, Metric

PARTS = {"Pictures": PICTURE, "Vertices": VERTEX, "Beside them, without networks": BESIDE}


@dataclass(frozen=True, eq=False)
class PaperTable:
    """parts: part -> metric -> system -> its value. why_not: metric -> what is missing for it. notes: what was counted."""

    parts: dict[str, dict[str, dict[str, Interval]]]
    why_not: Mapping[str, str]
    notes: Sequence[str]

    def markdown(self) -> str:
        lines = ["# Evaluation as papers do it", "", *self.notes, ""]
        for part, metrics in self.parts.items():
            lines += [f"## {part}", "", "| | " + " | ".join(SYSTEMS) + " |", "|---" * (len(SYSTEMS) + 1) + "|"]
            for name, values in metrics.items():
                cells = [_cell(METRICS[name], values.get(system)) for system in SYSTEMS]
                if name in self.why_not:
                    cells[0] = f"not measured: {self.why_not[name]}"
                lines.append(f"| {METRICS[name].heading} | " + " | ".join(cells) + " |")
            lines.append("")
        return "\n".join(lines)

    def csv(self) -> str:
        rows: list[list[object]] = [["metric", "unit", "better", "system", "mean", "low", "high", "clips", "not measured"]]
        for metrics in self.parts.values():
            for name, values in metrics.items():
                about, why = [name, METRICS[name].unit, METRICS[name].better], self.why_not.get(name, "")
                for system in SYSTEMS:
                    found = values.get(system)
                    numbers = [_number(x) for x in (found.mean, found.low, found.high)] if found else ["", "", ""]
                    rows.append([*about, system, *numbers, found.count if found else 0, why])
        return _csv(rows)

    def latex(self) -> str:
        """For booktabs: a part below another, intervals as subscripts."""
        lines = [r"\begin{tabular}{l" + "c" * len(SYSTEMS) + "}", r"\toprule", " & ".join(["", *SYSTEMS]) + r" \\"]
        for part, metrics in self.parts.items():
            lines += [r"\midrule", rf"\multicolumn{{{len(SYSTEMS) + 1}}}{{l}}{{\emph{{{_tex(part)}}}}} \\"]
            for name, values in metrics.items():
                cells = [_tex_cell(METRICS[name], values.get(system)) for system in SYSTEMS]
                if name in self.why_not:
                    cells = [rf"\multicolumn{{{len(SYSTEMS)}}}{{l}}{{not measured: {_tex(self.why_not[name])}}}"]
                lines.append(" & ".join([_tex(METRICS[name].heading), *cells]) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def paper_table(scores: ClipScores, why_not: Mapping[str, str], notes: Sequence[str], seed: int = 0) -> PaperTable:
    """Scores -> the table, over the clips that every system is scored on."""
    clips = [clip for clip in scores.clips(SYSTEMS[0]) if all((clip, system) in scores.values for system in SYSTEMS)]
    parts: dict[str, dict[str, dict[str, Interval]]] = {}
    for part, metrics in PARTS.items():
        parts[part] = {}
        for name, metric in metrics.items():
            parts[part][name] = values = {}
            for system in SYSTEMS if name not in why_not else ():
                if metric.of_set:
                    found = _of_set(scores, name, system, clips)
                else:
                    found = interval(scores.column(name, system, clips), seed)
                if found.count:
                    values[system] = found
    return PaperTable(parts, why_not, [f"{len(clips)} clips; {notes[0]}", *notes[1:]] if notes else [f"{len(clips)} clips."])


def _of_set(scores: ClipScores, name: str, system: str, clips: Sequence[str]) -> Interval:
    pairs = [(scores.features(clip, system, name), scores.features(clip, REAL, name)) for clip in clips]
    kept = [(ours, real) for ours, real in pairs if ours is not None and real is not None]
    if not kept:
        return Interval(math.nan, math.nan, math.nan, 0)
    return Interval(*jackknife([ours for ours, _ in kept], [real for _, real in kept]), len(kept))


@dataclass(frozen=True, eq=False)
class ComparisonTable:
    """rows: metric -> mean here, mean there, difference, low, high, p, p corrected, clips. note: whose."""

    rows: dict[str, tuple[float, float, float, float, float, float, float, int]]
    note: str

    def markdown(self) -> str:
        head = ("here", "there", "difference", "95 %", "p", "p, Holm", "clips")
        lines = ["# Two checkpoints, clip by clip", "", self.note, "", "| | " + " | ".join(head) + " |", "|---" * 8 + "|"]
        for name, (here, there, difference, low, high, p, corrected, count) in self.rows.items():
            form = METRICS[name].form
            numbers = [format(here, form), format(there, form), format(difference, "+" + form)]
            shown = [*numbers, _range(METRICS[name], low, high), f"{p:.3g}", f"{corrected:.3g}", str(count)]
            lines.append(f"| {METRICS[name].heading} | " + " | ".join(shown) + " |")
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        head = ["metric", "unit", "better", "here", "there", "difference", "low", "high", "p", "p_holm", "clips"]
        rows: list[list[object]] = [list(head)]
        for name, (*numbers, count) in self.rows.items():
            rows.append([name, METRICS[name].unit, METRICS[name].better, *(_number(x) for x in numbers), count])
        return _csv(rows)

    def latex(self) -> str:
        lines = [r"\begin{tabular}{lcccc}", r"\toprule", r" & here & there & difference & $p$ (Holm) \\", r"\midrule"]
        for name, (here, there, difference, low, high, _, corrected, _) in self.rows.items():
            metric = METRICS[name]
            numbers = [_tex(format(here, metric.form)), _tex(format(there, metric.form))]
            effect = _tex(f"{format(difference, '+' + metric.form)} {_range(metric, low, high)}")
            lines.append(" & ".join([_tex(metric.heading), *numbers, effect, f"{corrected:.3g}"]) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def comparison_table(
    here: ClipScores, there: ClipScores, note: str, skipped: Sequence[str] = (), seed: int = 0
) -> ComparisonTable:
    """Two reports -> their checkpoints compared on the clips that both scored; skipped: metrics that do not compare."""
    clips = [clip for clip in here.clips(OURS) if (clip, OURS) in there.values]
    found = {}
    for name, metric in METRICS.items():
        if metric.of_set or name in skipped:
            continue
        first, second = (scores.column(name, OURS, clips) for scores in (here, there))
        both = [(a, b) for a, b in zip(first, second, strict=True) if math.isfinite(a) and math.isfinite(b)]
        if both:
            means = [sum(column) / len(both) for column in zip(*both, strict=True)]
            found[name] = (means[0], means[1], paired(first, second, seed))
    corrected = holm([test.p for *_, test in found.values()])
    rows = {
        name: (first, second, test.effect, test.low, test.high, test.p, p, test.count)
        for (name, (first, second, test)), p in zip(found.items(), corrected, strict=True)
    }
    return ComparisonTable(rows, note)


def _cell(metric: Metric, value: Interval | None) -> str:
    if value is None:
        return ""
    if math.isinf(value.mean):
        return "∞"
    spread = _range(metric, value.low, value.high)
    return f"{format(value.mean, metric.form)} {spread}".strip()


def _range(metric: Metric, low: float, high: float) -> str:
    return f"[{format(low, metric.form)}, {format(high, metric.form)}]" if math.isfinite(low) else ""


def _tex_cell(metric: Metric, value: Interval | None) -> str:
    if value is None:
        return "--"
    if math.isinf(value.mean):
        return r"$\infty$"
    spread = _range(metric, value.low, value.high)
    return _tex(format(value.mean, metric.form)) + (rf" {{\scriptsize {_tex(spread)}}}" if spread else "")


def _tex(text: str) -> str:
    for plain, escaped in (("\\", r"\textbackslash{}"), ("%", r"\%"), ("_", r"\_"), ("&", r"\&"), ("#", r"\#")):
        text = text.replace(plain, escaped)
    for sign, escaped in (
        ("↑", r"$\uparrow$"),
        ("↓", r"$\downarrow$"),
        ("→ 0", r"$\to 0$"),
        ("≈", r"$\approx$"),
        ("²", "$^2$"),
        ("°", r"$^\circ$"),
    ):
        text = text.replace(sign, escaped)
    return text


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
