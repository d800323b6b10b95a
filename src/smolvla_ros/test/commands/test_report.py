from __future__ import annotations

from pathlib import Path

import pytest
from smolvla_ros.cli import main
from smolvla_ros.runtime.report import write_report


def test_a_report_is_printed_as_a_table_with_where_it_comes_from(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_report(tmp_path, "eval", [{"episodes": 3, "successes": 2, "mean_time_s": 4.0}], seed=0)
    assert main(["report", "eval", "successes", "episodes", "--reports", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| successes | episodes |"
    assert lines[2].split() == ["|", "2", "|", "3", "|"]
    assert "commit" in lines[-1]


@pytest.mark.parametrize(("words", "told"), [(["bus"], "there are: eval"), (["eval", "colour"], "no column colour")])
def test_what_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture, words: list[str], told: str) -> None:
    write_report(tmp_path, "eval", [{"episodes": 3}], seed=0)
    assert main(["report", *words, "--reports", str(tmp_path)]) == 2
    assert told in capsys.readouterr().err
