"""`clips.csv` and the tables made of it, of scores written by hand."""

import csv
import io
import math

import numpy as np
import pytest

from talkinghead.errors import OutputError
from talkinghead.evaluation.clip_scores import ClipScores
from talkinghead.evaluation.paper_metrics import METRICS, OF_CLIPS, OURS, REAL, SYSTEMS
from talkinghead.evaluation.paper_report import comparison_table, paper_table

RUN = {"split": "eat", "networks": {}}


def about(clip, system):
    return {"clip": clip, "system": system, "identity": "M003", "emotion": "happy", "intensity": 0.3333, "frames": 50}


def filled(folder, gain=0.0, clips=8):
    """Eight clips, whose scores differ by clip far more than by `gain`."""
    scores = ClipScores(folder, OF_CLIPS, RUN)
    for index in range(clips):
        for system in SYSTEMS:
            values = {"ssim": 0.1 * index + (gain + 0.001 * index if system == OURS else 0), "psnr": math.inf, "accuracy": 1.0}
            scores.append(about(f"M003_{index}", system), values, {"fid": np.full((2, 3), index, np.float32)})
    return scores


def test_what_was_written_is_read_again_to_the_last_bit(tmp_path):
    scores = ClipScores(tmp_path, OF_CLIPS, RUN)
    scores.append(about("a,b/c", REAL), {"psnr": math.inf, "ssim": 1 / 3}, {"fid": np.ones((2, 3), np.float32)})
    again = ClipScores(tmp_path, OF_CLIPS)
    assert again.values["a,b/c", REAL]["ssim"] == 1 / 3 and again.values["a,b/c", REAL]["psnr"] == math.inf
    assert math.isnan(again.values["a,b/c", REAL]["lpips"])
    assert again.features("a,b/c", REAL, "fid").shape == (2, 3)
    assert again.features("a,b/c", REAL, "fvd") is None and again.features("a,b/c", OURS, "fid") is None


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_was_cut_off_is_scored_again_and_the_others_are_not(tmp_path, cut):
    filled(tmp_path, clips=2)
    file = tmp_path / "clips.csv"
    file.write_text(file.read_text()[:-cut])
    again = ClipScores(tmp_path, OF_CLIPS, RUN)
    assert len(again.values) == 2 * len(SYSTEMS) - 1 and ("M003_1", OURS) not in again.values
    again.append(about("M003_1", OURS), {"ssim": 0.5}, {})
    assert ClipScores(tmp_path, OF_CLIPS).values["M003_1", OURS]["ssim"] == 0.5


def test_a_header_that_was_cut_off_is_no_scores(tmp_path):
    ClipScores(tmp_path, OF_CLIPS, RUN)
    (tmp_path / "clips.csv").write_text("clip,sys")
    assert ClipScores(tmp_path, OF_CLIPS, RUN).values == {}
    assert (tmp_path / "clips.csv").read_text().startswith("clip,system,identity")


def test_scores_of_another_run_are_not_mixed(tmp_path):
    ClipScores(tmp_path, OF_CLIPS, RUN)
    with pytest.raises(OutputError, match="holds scores of another split; give another folder"):
        ClipScores(tmp_path, OF_CLIPS, RUN | {"split": "emote"})
    with pytest.raises(OutputError, match=r"clips.csv: no such file; give the report folder of an earlier evaluation"):
        ClipScores(tmp_path / "none", OF_CLIPS)


def test_the_table_in_its_three_forms(tmp_path):
    table = paper_table(filled(tmp_path), {"lpips": "lpips.onnx missing in nets"}, ["counted so"])
    text = table.markdown()
    assert "8 clips; counted so" in text
    mean = np.mean([0.1 * i + 0.001 * i for i in range(8)])
    row = next(line for line in text.splitlines() if line.startswith("| SSIM ↑"))
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    assert cells[0].startswith("0.350 [") and cells[-1].startswith(f"{mean:.3f} [")
    assert "| LPIPS ↓ | not measured: lpips.onnx missing in nets |" in text
    assert "| PSNR, dB ↑ | ∞ |" in text
    # Every metric has its row, measured or not.
    assert all(metric.heading in text for metric in METRICS.values())
    rows = list(csv.DictReader(io.StringIO(table.csv())))
    assert len(rows) == len(METRICS) * len(SYSTEMS)
    ours = next(row for row in rows if row["metric"] == "ssim" and row["system"] == OURS)
    assert float(ours["mean"]) == pytest.approx(mean) and float(ours["low"]) < mean < float(ours["high"])
    assert ours["clips"] == "8" and next(row for row in rows if row["metric"] == "lpips")["not measured"]
    tex = table.latex()
    assert tex.count(r"\\") == len(METRICS) + 1 + 3 and tex.count("{") == tex.count("}")
    assert r"100.0\%" in tex and r"$\infty$" in tex and "lpips.onnx" in tex and "↑" not in tex


def test_a_set_is_measured_against_the_real_clips_of_the_same_names(tmp_path):
    scores = filled(tmp_path)
    for index in range(8):
        scores.append(about(f"M003_{index}", OURS), {}, {"fid": np.full((2, 3), index + 2, np.float32)})
    found = paper_table(scores, {}, []).parts["Pictures"]["fid"]
    assert found[REAL].mean == pytest.approx(0, abs=1e-6)
    assert found[OURS].mean == pytest.approx(3 * 2**2) and found[OURS].count == 8  # three features that are 2 apart


def test_clips_that_not_every_system_is_scored_on_do_not_count(tmp_path):
    scores = filled(tmp_path, clips=3)
    scores.append(about("M003_9", REAL), {"ssim": 100.0}, {})
    assert paper_table(scores, {}, []).parts["Pictures"]["ssim"][REAL].mean == pytest.approx(0.1)


def test_two_checkpoints_are_compared_clip_by_clip(tmp_path):
    here, there = filled(tmp_path / "a", gain=0.02), filled(tmp_path / "b")
    compared = comparison_table(here, there, "note")
    first, second, difference, low, high, p, corrected, count = compared.rows["ssim"]
    assert difference == pytest.approx(0.02) and first - second == pytest.approx(0.02) and low > 0.019 and high < 0.021
    assert p == pytest.approx(2 / 2**8) and count == 8  # all eight gain
    assert corrected == pytest.approx(2 * p)  # two metrics have values, and the other's p is 1
    assert compared.rows["accuracy"][5] == 1 and "psnr" not in compared.rows  # infinite, nothing to compare
    assert "| SSIM ↑ |" in compared.markdown() and "+0.020" in compared.markdown()
    assert float(next(csv.DictReader(io.StringIO(compared.csv())))["p_holm"]) == pytest.approx(2 * p)
    assert compared.latex().count(r"\\") == 1 + len(compared.rows)
    assert comparison_table(here, there, "", skipped=["ssim"]).rows.keys() == {"accuracy"}
