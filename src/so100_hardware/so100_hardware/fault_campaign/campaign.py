"""All kinds of fault, one after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from so100_hardware.fault_campaign.kinds import TRIALS
from so100_hardware.fault_campaign.trial import Trial

SEED = 7
BENCH_CYCLES = 10_000
COLUMNS = (
    *("kind", "injected", "detected", "recovered", "wrong_accepted", "within_plausibility", "stale_accepted"),
    *("unsafe_torque_on", "limit_violations", "max_recovery_s", "reconnects"),
)


def campaign(cycles: int, seed: int, kinds: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
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


def rows(_peer: Path | None) -> list[dict[str, Any]]:
    """For `make bench-faults`: twenty kinds, 200,000 cycles in all. Raises RuntimeError for what must not be."""
    done = list(campaign(BENCH_CYCLES, SEED))
    bad = [f"{row['kind']}: {what}" for row in done for what in failures(row)]
    if bad:
        raise RuntimeError("; ".join(bad))
    return done
