"""One process of the graph, as `smolvla run` and ros2 launch start it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class NodeSpec:
    """`ros2 run package executable`, with a node name and parameters. A managed node waits to be configured and
    activated. One that is not lasting ends when its work is done; its failure is the graph's.

    namespace: below the graph's own. remappings: from, to.
    """

    package: str
    executable: str
    name: str
    parameters: Mapping[str, Any]
    arguments: tuple[str, ...] = ()
    managed: bool = False
    parameter_file: Path | None = None
    lasting: bool = True
    namespace: str = ""
    remappings: tuple[tuple[str, str], ...] = ()
