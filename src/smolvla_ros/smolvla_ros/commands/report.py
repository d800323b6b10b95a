"""`smolvla report`: a report's rows as a Markdown table, which is how README's tables are made."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from smolvla_ros.runtime.errors import ReportMissing
from smolvla_ros.runtime.report import table


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("report", help="print a report as a Markdown table", description=__doc__)
    parser.add_argument("name", help="demo, eval, bus, model, ...: reports/<name>.json")
    parser.add_argument("columns", nargs="*", help="which columns, in order; all if none is named")
    parser.add_argument("--reports", type=Path, default=Path("reports"))
    parser.set_defaults(command=report)


def report(options: argparse.Namespace) -> int:
    path: Path = options.reports / f"{options.name}.json"
    if not path.exists():
        found = ", ".join(sorted(file.stem for file in options.reports.glob("*.json"))) or "none"
        raise ReportMissing(f"{path}: no such report; there are: {found}. make demo, eval and bench write them")
    content = json.loads(path.read_text())
    unknown = [column for column in options.columns if column not in content["rows"][0]]
    if unknown:
        raise ReportMissing(f"{path}: no column {unknown[0]}; there are: {', '.join(content['rows'][0])}")
    print(table(content["rows"], options.columns))
    print(f"\n{content['processor']}, {content['date'][:10]}, commit {content['commit']}: {content['command']}")
    return 0
