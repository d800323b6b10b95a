"""python -m so100_hardware.fault_campaign [--cycles 100000] [--seed 7] [--kind "mute servo"]"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from so100_hardware.fault_campaign.kinds import TRIALS
from so100_hardware.fault_campaign.trial import Trial

COLUMNS = (
    *("kind", "injected", "detected", "recovered", "wrong_accepted", "within_plausibility", "stale_accepted"),
    *("unsafe_torque_on", "limit_violations", "max_recovery_s", "reconnects"),
)


def rows(cycles: int, seed: int, kinds: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """One row a kind, as each is done."""
    with tempfile.TemporaryDirectory() as folder:
        for number, kind in enumerate(TRIALS):
            if kinds and kind.name not in kinds:
                continue
            trial = Trial(kind, str(Path(folder) / f"bus_{number}"), seed + 1000 * number)
            yield {"kind": kind.name, "cycles": cycles, **asdict(trial.run(cycles))}


def failures(row: dict[str, Any]) -> list[str]:
    """What must not be, in words."""
    wrong = [f"{row[key]} {key}" for key in ("wrong_accepted", "unsafe_torque_on", "limit_violations") if row[key]]
    if row["recovered"] != row["injected"]:
        wrong.append(f"{row['injected'] - row['recovered']} not recovered from")
    if not row["injected"]:
        wrong.append("nothing was injected")
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="so100_hardware.fault_campaign", description=__doc__)
    parser.add_argument("--cycles", type=int, default=100_000, help="control cycles for each kind of fault")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kind", action="append", default=[], choices=[k.name for k in TRIALS], help="only this one")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}, {options.cycles} cycles a kind\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    bad = []
    for row in rows(options.cycles, options.seed, options.kind):
        cells = (f"{row[key]:.2f}" if isinstance(row[key], float) else str(row[key]) for key in COLUMNS)
        print(f"| {' | '.join(cells)} |", flush=True)
        bad += [f"{row['kind']}: {what}" for what in failures(row)]
    print("\n".join(bad) or "nothing that must not be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
