"""Actions as offsets from the state that they were asked for in, as LeRobot's relative_actions_processor has them.

A chunk then begins near zero wherever the arm stands, and its precision is that of the motion, not of the whole range.
Joints that are excluded, by default the gripper where a policy chooses so, keep absolute values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

FIRST, LAST = "relative_actions_processor", "absolute_actions_processor"


@dataclass(frozen=True)
class RelativeActions:
    """exclude_joints: words of the names of those that stay absolute. action_names: of all, in order; () for unknown,
    which makes every joint relative.
    """

    exclude_joints: tuple[str, ...] = ()
    action_names: tuple[str, ...] = ()

    def mask(self, width: int) -> Tensor:
        """(width,) bool: which are relative. As LeRobot's: a name is excluded that holds one of the words."""
        words = [word.lower() for word in self.exclude_joints if word]
        names = [*(name.lower() for name in self.action_names[:width])]
        kept = [not any(word in name for word in words) for name in names]
        return torch.tensor(kept + [True] * (width - len(kept)))

    def relative(self, actions: Tensor, state: Tensor) -> Tensor:
        """Actions (..., rows, joints) and state (..., joints), both in the robot's units."""
        return actions - self._offset(actions, state)

    def absolute(self, actions: Tensor, state: Tensor) -> Tensor:
        return actions + self._offset(actions, state)

    def to_json(self) -> dict[str, Any]:
        """The step's settings in LeRobot's file."""
        names = list(self.action_names) or None
        return {"enabled": True, "exclude_joints": list(self.exclude_joints), "action_names": names}

    def _offset(self, actions: Tensor, state: Tensor) -> Tensor:
        width = actions.shape[-1]
        return (state[..., :width] * self.mask(width).to(state))[..., None, :]
