"""python -m so100_hardware.fault_campaign [--cycles 100000] [--seed 7] [--kind "mute servo"]"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from so100_hardware.fault_campaign.campaign import COLUMNS, SEED, campaign, failures
from so100_hardware.fault_campaign.kinds import TRIALS


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="so100_hardware.fault_campaign", description=__doc__)
    parser.add_argument("--cycles", type=int, default=100_000, help="control cycles for each kind of fault")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--kind", action="append", default=[], choices=[k.name for k in TRIALS], help="only this one")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}, {options.cycles} cycles a kind\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    bad = []
    for row in campaign(options.cycles, options.seed, options.kind):
        cells = (f"{row[key]:.2f}" if isinstance(row[key], float) else str(row[key]) for key in COLUMNS)
        print(f"| {' | '.join(cells)} |", flush=True)
        bad += [f"{row['kind']}: {what}" for what in failures(row)]
    print("\n".join(bad) or "nothing that must not be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
