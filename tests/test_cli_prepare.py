"""How far `talkinghead prepare` is, where nobody sits at a terminal."""

import io

import pytest
from rich.console import Console

from talkinghead.cli_prepare import MinuteLines


def test_a_line_a_minute_says_how_far_and_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("talkinghead.cli_prepare.time.monotonic", lambda: now[0])
    log = io.StringIO()
    lines = MinuteLines(Console(file=log))
    for seconds, done in ((10, 1000), (61, 1010), (90, 1030), (125, 1030), (130, 1040), (200, 9000)):
        now[0] = 100.0 + seconds
        lines(done, 10000)
    assert log.getvalue().splitlines() == [
        "1010 of 10000 clips, 9.8 a minute, 15.2 h left",
        "1030 of 10000 clips, 14.4 a minute, 10.4 h left",
        "9000 of 10000 clips, 2400.0 a minute, 0 min left",
    ]


def test_a_terminal_has_its_bar_and_a_run_that_stands_still_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("talkinghead.cli_prepare.time.monotonic", lambda: now[0])
    log, shown = io.StringIO(), io.StringIO()
    for lines in (MinuteLines(Console(file=log)), MinuteLines(Console(file=shown, force_terminal=True))):
        now[0] += 61
        lines(3, 9)
    assert log.getvalue() == "3 of 9 clips\n" and not shown.getvalue()
