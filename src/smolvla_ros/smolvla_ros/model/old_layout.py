"""What earlier LeRobot versions wrote otherwise: names of compiled runs, and statistics among the weights.

`model._orig_mod.x` is `model.x`. `normalize_inputs.buffer_observation_state.mean` is the statistic `mean` of
`observation.state`; `normalize_targets.so100-blue_buffer_action.mean`, of a run over several datasets, is kept under
`so100-blue.buffer.action`, as the public base checkpoint names it. A statistic never set is infinite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

COMPILED = "_orig_mod."
BUFFER = re.compile(
    r"(?:normalize_inputs|normalize_targets|unnormalize_outputs)\."
    r"(?:(?P<variant>[^.]+)_)?buffer_(?P<feature>[^.]+)\.(?P<statistic>\w+)"
)


def public_name(stored: str) -> str:
    return stored.replace(COMPILED, "")


def statistic_of(name: str, features: Iterable[str]) -> tuple[str, str] | None:
    """(owner, statistic) of a normalisation buffer, None of any other tensor. `features` are config.json's."""
    found = BUFFER.fullmatch(name)
    if not found:
        return None
    feature = {known.replace(".", "_"): known for known in features}.get(found["feature"], found["feature"])
    owner = f"{found['variant']}.buffer.{feature}" if found["variant"] else feature
    return owner, found["statistic"]
