"""Which policies there are, by the name that an operator types."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from smolvla_ros.embodiment import Embodiment, EmbodimentError
from smolvla_ros.engines.errors import AUTO, EngineError
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.policies.interface import EmbodimentMismatch, Policy
from smolvla_ros.policies.sampler_settings import DEFAULT, SamplerSettings
from smolvla_ros.policies.shipped import shipped_folder, shipped_names

SCRIPTED = "scripted"
OWN_CLASS = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<class>[A-Za-z_]\w*)", re.ASCII)
MEMBERS = ("name", "cameras", "needs_objects", "infer", "reset", "for_another_robot", "infer_together")


class UnknownPolicy(ValueError):
    """Neither a policy's name, a class, a checkpoint's folder nor its name on the hub."""


# what `make_policy` raises, with messages for the operator
CONFIGURATION_ERRORS = (CheckpointError, EmbodimentError, EmbodimentMismatch, EngineError, UnknownPolicy)


def make_policy(
    name: str,
    embodiment: Embodiment,
    device: str = "cpu",
    sampler: SamplerSettings = DEFAULT,
    engine: str = AUTO,
) -> Policy:
    """The policy called `name`: "scripted", a checkpoint that comes with the project, a SmolVLA checkpoint's folder,
    one of the hub: owner/name[@revision], or anybody's class: module:Class, which is called with the embodiment.

    `sampler` and `engine` (one of engines.choice, or "auto") are for checkpoints.
    """
    if name == SCRIPTED:
        from smolvla_ros.policies.scripted import ScriptedPolicy

        return ScriptedPolicy(embodiment)
    if of_class := OWN_CLASS.fullmatch(name):
        return _own_policy(of_class["module"], of_class["class"], embodiment)
    shipped = shipped_folder(name)
    if not shipped and not Path(name).is_dir():
        from smolvla_ros.model.hub import is_hub_id

        if not is_hub_id(name):
            known = ", ".join(f"'{each}'" for each in (SCRIPTED, *shipped_names()))
            raise UnknownPolicy(
                f"policy '{name}': expected {known} or a checkpoint folder, or module:Class; found no such folder"
            )
    from smolvla_ros.policies.smolvla import SmolVLAPolicy

    return SmolVLAPolicy.from_checkpoint(shipped or name, embodiment, device, sampler, engine=engine)


def _own_policy(module: str, name: str, embodiment: Embodiment) -> Policy:
    try:
        policy_class = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UnknownPolicy(
            f"policy '{module}:{name}': expected a class {name} in a module {module} that Python finds (PYTHONPATH, or"
            f" an installed package), found: {error}"
        ) from error
    if missing := [member for member in MEMBERS if not hasattr(policy_class, member)]:
        raise UnknownPolicy(
            f"policy '{module}:{name}': expected the members of policies/interface.py's Policy, found none called"
            f" {', '.join(missing)}"
        )
    made: Policy = policy_class(embodiment)
    return made
