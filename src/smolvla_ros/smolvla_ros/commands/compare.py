"""`smolvla compare`: two engines or two checkpoints on the same observations, joint by joint."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("compare", help="two engines or two checkpoints on a recording", description=__doc__)
    parser.add_argument("checkpoint", help="a SmolVLA checkpoint's folder, or its name on the hub")
    parser.add_argument("other", nargs="?", help="another checkpoint; the same by default")
    parser.add_argument("--engine", default="torch", help="of the first: auto, torch, cpu-fp32, cpu-bf16, cpu-int8")
    parser.add_argument("--other-engine", default="auto", help="of the second")
    parser.add_argument("--recording", type=Path, help="observations that --save wrote; a simulated scene by default")
    parser.add_argument("--save", type=Path, help="keep the simulated scene's observations in this .npz")
    parser.add_argument("--observations", type=int, default=8, help="of the simulated scene, half a second apart")
    parser.add_argument("--seed", type=int, default=0, help="of the scene and of the noise")
    parser.add_argument("--embodiment", default="", help="embodiment file; config/so100.yaml by default")
    parser.add_argument("--reports", type=Path, default=Path("reports"))
    parser.set_defaults(command=compare_policies)


def compare_policies(options: argparse.Namespace) -> int:
    import numpy as np

    from smolvla_ros.embodiment import load_embodiment
    from smolvla_ros.policies.comparison import RecordingError, compare, load_recording, save_recording
    from smolvla_ros.policies.interface import PolicyRefusal
    from smolvla_ros.policies.sampler_settings import SamplerSettings
    from smolvla_ros.policies.smolvla import SmolVLAPolicy
    from smolvla_ros.runtime.graph import ArgumentError
    from smolvla_ros.runtime.report import table, write_report

    if options.observations < 1:
        raise ArgumentError(f"--observations: expected at least 1, found {options.observations}")
    embodiment, sampler = load_embodiment(options.embodiment), SamplerSettings(seed=options.seed)
    sides = ((options.checkpoint, options.engine), (options.other or options.checkpoint, options.other_engine))
    first, second = (
        SmolVLAPolicy.from_checkpoint(source, embodiment, sampler=sampler, engine=engine) for source, engine in sides
    )
    if options.recording:
        try:
            observations = load_recording(options.recording)
        except RecordingError as error:
            raise ArgumentError(str(error)) from None
    else:
        from smolvla_ros.simulation.observed_scene import observe_scene

        observations = observe_scene(embodiment, options.seed, options.observations)
        if options.save:
            save_recording(observations, options.save)
    try:
        comparison = compare(first, second, observations)
    except PolicyRefusal as refusal:
        raise ArgumentError(f"{options.recording or 'the simulated scene'}: {refusal}") from None
    print(f"{len(observations)} observations, '{observations[0].instruction}'")
    for (source, _), policy, seconds in zip(sides, (first, second), comparison.seconds, strict=True):
        print(f"{source} on {policy.engine}: median {np.median(seconds):.3f} s, least {seconds.min():.3f} s a chunk")
    rows = comparison.rows(embodiment.joint_names)
    print(table(rows))
    print(f"report  {write_report(options.reports, 'compare', rows, seed=options.seed)}")
    return 0
