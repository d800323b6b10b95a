#!/usr/bin/env python3
"""Which pairs of links never touch: samples the joint limits, collides the convex hulls of all links, counts.

    ros2 run so100_moveit_config never_colliding.py --variant so101     # prints the SRDF's disable_collisions lines

Hulls enclose the meshes that MoveIt collides, so a pair that never touches here never touches there. Pairs joined by a
joint are "Adjacent". Needs mujoco and xacro, and the meshes installed with so100_description.
"""

from __future__ import annotations

import argparse
import itertools
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import mujoco
import numpy as np

Pair = tuple[str, str]


def collision_model(urdf: ET.Element, meshes: Path) -> mujoco.MjModel:
    """The URDF as MuJoCo collides it; `meshes` is the folder of the STL files."""
    robot = ET.fromstring(ET.tostring(urdf))
    for link in robot.findall("link"):
        for visual in link.findall("visual"):
            link.remove(visual)
    extension = ET.SubElement(robot, "mujoco")
    ET.SubElement(extension, "compiler", meshdir=str(meshes), strippath="true", fusestatic="false")
    return mujoco.MjModel.from_xml_string(ET.tostring(robot, encoding="unicode"))


def adjacent_pairs(urdf: ET.Element) -> set[Pair]:
    """Pairs of links with shapes that a joint connects."""
    shaped = {link.get("name", "") for link in urdf.findall("link") if link.find("collision") is not None}
    joined = ((j.find("parent").get("link"), j.find("child").get("link")) for j in urdf.findall("joint"))
    return {tuple(sorted(pair)) for pair in joined if set(pair) <= shaped}


def touching_now(model: mujoco.MjModel, data: mujoco.MjData) -> set[Pair]:
    """The pairs of links that touch at data.qpos."""
    mujoco.mj_kinematics(model, data)
    mujoco.mj_collision(model, data)
    bodies = model.geom_bodyid[data.contact.geom[: data.ncon]]
    return {tuple(sorted((model.body(a).name, model.body(b).name))) for a, b in bodies}


def touching_pairs(model: mujoco.MjModel, samples: int, seed: int) -> Counter[Pair]:
    """In how many of `samples` poses, drawn evenly within the joint limits, each pair of links touches."""
    data, random = mujoco.MjData(model), np.random.default_rng(seed)
    low, high = model.jnt_range.T
    touching: Counter[Pair] = Counter()
    for _ in range(samples):
        data.qpos[:] = random.uniform(low, high)
        touching.update(touching_now(model, data))
    return touching


def disabled_collisions(urdf: ET.Element, meshes: Path, samples: int, seed: int) -> dict[Pair, str]:
    """{pair of links: "Adjacent" or "Never"}."""
    model = collision_model(urdf, meshes)
    shaped = [model.body(i).name for i in range(model.nbody) if model.body_geomnum[i]]
    adjacent, touching = adjacent_pairs(urdf), touching_pairs(model, samples, seed)
    reasons = {}
    for pair in (tuple(sorted(pair)) for pair in itertools.combinations(shaped, 2)):
        if pair in adjacent:
            reasons[pair] = "Adjacent"
        elif not touching[pair]:
            reasons[pair] = "Never"
    return reasons


def main() -> None:
    import xacro
    from ament_index_python.packages import get_package_share_directory

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variant", choices=("so100", "so101"), default="so100", help="the arm")
    options = parser.parse_args()
    share = Path(get_package_share_directory("so100_description"))
    urdf = ET.fromstring(
        xacro.process_file(str(share / "urdf" / "so100.urdf.xacro"), mappings={"variant": options.variant}).toxml()
    )
    meshes = share / "meshes" / ("so101" if options.variant == "so101" else "")
    for (a, b), reason in disabled_collisions(urdf, meshes, options.samples, options.seed).items():
        print(f'  <disable_collisions link1="{a}" link2="{b}" reason="{reason}"/>')


if __name__ == "__main__":
    main()
