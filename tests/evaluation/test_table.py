import json

from talkinghead.evaluation.table import Table


def test_a_table_leaves_blank_what_nobody_measured_and_is_json_that_anybody_reads():
    rows = {"ours": {"mean": 0.706, "talkers": 35.0}, "chance": {"mean": float("nan"), "other": 1.0}}
    table = Table("Lips", "How.", rows, forms={"talkers": ".0f"})
    assert table.markdown().splitlines() == [
        "## Lips",
        "",
        "How.",
        "",
        "| | mean | talkers | other |",
        "|---|---|---|---|",
        "| ours | 0.71 | 35 |  |",
        "| chance |  |  | 1.00 |",
    ]
    read = json.loads(json.dumps(table.json(), allow_nan=False))
    assert read["rows"]["chance"] == {"mean": None, "other": 1.0}
