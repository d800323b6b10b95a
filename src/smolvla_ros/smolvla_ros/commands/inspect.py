"""`smolvla inspect`: what a SmolVLA checkpoint is, what it needs, and whether it fits this robot.

Ends with 0 where it fits, 1 where it does not, 2 where there is nothing to read.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smolvla_ros.model.inspection import Check

MEGABYTE = 1e6


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "inspect", help="what a checkpoint is and whether it fits this robot", description=__doc__
    )
    parser.add_argument("checkpoint", help="a folder, or owner/name[@revision] of the hub")
    parser.add_argument("--embodiment", default="", help="the robot: an embodiment file, config/so100.yaml by default")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=inspect)


def inspect(options: argparse.Namespace) -> int:
    from smolvla_ros.embodiment import load_embodiment
    from smolvla_ros.model.inspection import inspect_checkpoint
    from smolvla_ros.policies.embodiment_fit import fit_checks

    embodiment = load_embodiment(options.embodiment)
    inspection = inspect_checkpoint(options.checkpoint)
    checks = inspection.checks + fit_checks(inspection, embodiment)
    fits = all(check.fits for check in checks)
    if options.json:
        listed = [{"name": c.name, "fits": c.fits, "detail": c.detail or c.problem} for c in checks]
        answer = {"checkpoint": options.checkpoint, "fits": fits, "checks": listed, **inspection.facts}
        print(json.dumps(answer, indent=2))
        return int(not fits)
    print(f"{options.checkpoint}\n")
    for title, text in describe(inspection.facts):
        print(f"  {title:<12} {text}")
    print()
    print_checks(checks)
    wrong = sum(not check.fits for check in checks)
    robot = f"{embodiment.robot_type} ({embodiment.path})"
    print(f"\nfits {robot}" if fits else f"\ndoes not fit {robot}: {wrong} of {len(checks)} checks failed")
    return int(not fits)


def print_checks(checks: list[Check]) -> None:
    for check in checks:
        print(f"  {'fits' if check.fits else 'NO':<5} {check.name:<32} {check.detail or check.problem}")


def describe(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The facts in lines of (title, text); those that could not be read are left out."""
    lines = []
    if "parameters" in facts:
        types = ", ".join(f"{count:,} {dtype}" for dtype, count in facts["parameters_by_type"].items())
        lines += [
            ("weights", f"{facts['parameters']:,} parameters ({types}), {facts['bytes'] / MEGABYTE:,.0f} MB"),
            ("stored as", "; ".join(facts["layout"])),
        ]
    if "backbone" in facts:
        lines += [
            ("backbone", facts["backbone"]),
            (
                "layers",
                f"{facts['vlm_layers']} language, {facts['expert_layers']} expert, {facts['vision_layers']} vision",
            ),
            ("images", f"{facts['image_side']} px square, {facts['tokens_per_camera']} tokens a camera"),
        ]
    mode, every = facts["attention_mode"], facts["self_attention_every"]
    missing = facts["cameras_that_may_be_missing"]
    lines += [
        ("attention", f"{mode}, self-attention in one layer of {every}" if every > 1 else mode),
        ("chunk", f"{facts['chunk_size']} actions in {facts['denoise_steps']} steps, {facts['n_action_steps']} to run"),
        ("cameras", ", ".join(facts["cameras"]) + (f"; {missing} may be missing" if missing else "")),
        ("renames", ", ".join(f"{ours} to {theirs}" for ours, theirs in facts["rename_map"].items())),
        ("state", f"{facts['state_dim']} values, {facts['normalization']['STATE']}"),
        ("action", f"{facts['action_dim']} values, {facts['normalization']['ACTION']}"),
    ]
    lines += [(f"  {name.split('.')[-1]} at", ", ".join(f"{v:g}" for v in v)) for name, v in facts["centres"].items()]
    return [(title, text) for title, text in lines if text]
