"""Which policies there are, by the name that an operator types."""

from __future__ import annotations

from pathlib import Path

from smolvla_ros.embodiment import Embodiment, EmbodimentError
from smolvla_ros.engines.errors import AUTO, EngineError
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.policies.interface import EmbodimentMismatch, Policy
from smolvla_ros.policies.sampler_settings import DEFAULT, SamplerSettings
from smolvla_ros.policies.shipped import shipped_folder, shipped_names

SCRIPTED = "scripted"


class UnknownPolicy(ValueError):
    """Neither a policy's name nor a checkpoint's folder or its name on the hub."""


# what `make_policy` raises, with messages for the operator
CONFIGURATION_ERRORS = (CheckpointError, EmbodimentError, EmbodimentMismatch, EngineError, UnknownPolicy)


def make_policy(
    name: str,
    embodiment: Embodiment,
    device: str = "cpu",
    sampler: SamplerSettings = DEFAULT,
    engine: str = AUTO,
) -> Policy:
    """The policy called `name`: "scripted", a checkpoint that comes with the project, a SmolVLA checkpoint's folder, or
    one of the hub: owner/name[@revision].

    `sampler` and `engine` (one of engines.choice, or "auto") are for checkpoints.
    """
    if name == SCRIPTED:
        from smolvla_ros.policies.scripted import ScriptedPolicy

        return ScriptedPolicy(embodiment)
    own = shipped_folder(name)
    if not own and not Path(name).is_dir():
        from smolvla_ros.model.hub import is_hub_id

        if not is_hub_id(name):
            known = ", ".join(f"'{each}'" for each in (SCRIPTED, *shipped_names()))
            raise UnknownPolicy(f"policy '{name}': expected {known} or a checkpoint folder, found no such folder")
    from smolvla_ros.policies.smolvla import SmolVLAPolicy

    return SmolVLAPolicy.from_checkpoint(own or name, embodiment, device, sampler, engine=engine)
