"""The simulated world, stepped by hand: no clock, no ROS. `World` is the physics, rendering.py draws it.

world = World(load_embodiment())
world.reset(seed=7)
world.set_setpoints(positions, torque_enabled)      # (6,) rad, (6,) bool
world.step()                                        # one step of TIMESTEP_S
world.positions, world.objects()
"""

from __future__ import annotations

import mujoco
import numpy as np

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.policies.interface import ObjectPose
from smolvla_ros.simulation.arm import arm_of
from smolvla_ros.simulation.arm_model import servo_of
from smolvla_ros.simulation.scene import BOX_PLACES, CUBE_EDGE_M, TASKS, TIMESTEP_S, place_cubes, scene_xml

SETTLE_STEPS = 240
IN_PLACE_M = 0.002


class UnknownTask(ValueError):
    """A task that the simulator has no scene for."""


class World:
    """State: MuJoCo's, and which servos have torque. Angles are the wire's, in the embodiment's joint order."""

    timestep_s = TIMESTEP_S

    def __init__(self, embodiment: Embodiment, task: str = "pick_and_place") -> None:
        self.embodiment, self.arm = embodiment, arm_of(embodiment)
        self._load(task)
        self.reset(0, task)

    def _load(self, task: str) -> None:
        if task not in TASKS:
            raise UnknownTask(f"task: expected one of {', '.join(TASKS)}, found '{task}'")
        self.task, self.scene_objects = task, TASKS[task]
        self.model = mujoco.MjModel.from_xml_string(scene_xml(self.embodiment, self.scene_objects))
        self.data = mujoco.MjData(self.model)
        names = self.embodiment.joint_names
        joints = [self.model.joint(self.arm.joints[name].mjcf_name) for name in names]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._qvel = np.array([joint.dofadr[0] for joint in joints])
        self._offset = self.arm.offsets(names)
        self._max_torque = np.array([servo_of(name).max_torque for name in names])
        self._torque_limits = np.array([joint.torque_limit or 1.0 for joint in self.embodiment.joints])
        self._stiffness = self.model.actuator_gainprm[:, 0].copy()
        self._bodies = {item.name: self.model.body(item.name).id for item in self.scene_objects}

    def reset(self, seed: int, task: str = "", keep_arm: bool = False) -> list[str]:
        """A seeded scene, everything at rest, the arm at home with torque on; `keep_arm` leaves it as it is.

        Returns the cubes that an arm in the way has pushed from their places. Raises UnknownTask.
        """
        arm = self.positions, self.data.ctrl - self._offset
        if task and task != self.task:
            self._load(task)
        self.seed = seed
        mujoco.mj_resetData(self.model, self.data)
        if not keep_arm:
            arm = self.embodiment.home_rad, self.embodiment.home_rad
            self.set_setpoints(arm[1], np.ones(len(self._qpos), dtype=bool))
        random = np.random.default_rng(seed)
        cubes = [item for item in self.scene_objects if item.kind == "cube"]
        places = place_cubes(random, len(cubes))
        for item, (x, y, yaw) in zip(cubes, places, strict=True):
            address = self.model.joint(item.name).qposadr[0]
            pose = [x, y, CUBE_EDGE_M / 2, np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
            self.data.qpos[address : address + 7] = pose
        boxes = [item for item in self.scene_objects if item.kind == "box"]
        for item, place in zip(boxes, random.permutation(BOX_PLACES), strict=True):
            self.model.body(item.name).pos[:2] = place
        self.data.qpos[self._qpos] = arm[0] + self._offset
        self.data.ctrl[:] = arm[1] + self._offset
        self.step(SETTLE_STEPS)
        self.data.time = 0.0
        lie = [self.data.xpos[self._bodies[item.name]][:2] for item in cubes]
        off_m = np.linalg.norm(np.array(lie) - places[:, :2], axis=1)
        return [item.name for item, off in zip(cubes, off_m, strict=True) if off > IN_PLACE_M]

    def set_setpoints(
        self, positions: np.ndarray, torque_enabled: np.ndarray, torque_share: np.ndarray | None = None
    ) -> None:
        """Where the servos drive to (joints,) rad; a joint without torque is limp. `torque_share`: of its full torque
        that a servo gives at most, 0..1; None: the embodiment's limits.
        """
        share = self._torque_limits if torque_share is None else torque_share
        self.data.ctrl[:] = np.asarray(positions) + self._offset
        stiffness = np.where(torque_enabled, self._stiffness, 0.0)
        self.model.actuator_gainprm[:, 0] = stiffness
        self.model.actuator_biasprm[:, 1] = -stiffness
        most = self._max_torque * np.where(torque_enabled, share, 1.0)  # without torque friction is all there is
        self.model.actuator_forcerange[:] = np.stack([-most, most], axis=1)

    def step(self, count: int = 1) -> None:
        mujoco.mj_step(self.model, self.data, count)

    @property
    def time_s(self) -> float:
        return float(self.data.time)

    @property
    def positions(self) -> np.ndarray:
        """(joints,) rad."""
        return self.data.qpos[self._qpos] - self._offset

    @property
    def velocities(self) -> np.ndarray:
        """(joints,) rad/s."""
        return self.data.qvel[self._qvel].copy()

    @property
    def loads(self) -> np.ndarray:
        """(joints,) torque over the servo's largest, -1 to 1."""
        return self.data.actuator_force / self._max_torque

    def objects(self) -> dict[str, ObjectPose]:
        """Poses of cubes (centre) and boxes (centre of the floor) in the world frame."""
        return {
            name: ObjectPose(self.data.xpos[body].copy(), self.data.xquat[body].copy())
            for name, body in self._bodies.items()
        }

    def speed(self, name: str) -> float:
        """How fast an object moves, m/s."""
        return float(np.linalg.norm(self.data.cvel[self._bodies[name]][3:]))

    def touched_by_arm(self, name: str) -> bool:
        """Whether a part of the arm is in contact with an object."""
        body, arm = self._bodies[name], self.model.body("base").id
        for contact in self.data.contact:
            pair = [self.model.geom_bodyid[geom] for geom in contact.geom]
            if body in pair and any(self.model.body_rootid[other] == arm for other in pair):
                return True
        return False

    def place(self, positions: np.ndarray, objects: dict[str, np.ndarray]) -> None:
        """Puts arm and objects where they are said to be, without physics: (joints,) rad, (7,) x y z qw qx qy qz."""
        self.data.qpos[self._qpos] = positions + self._offset
        for name, pose in objects.items():
            if self.model.body(name).jntnum[0]:
                address = self.model.joint(name).qposadr[0]
                self.data.qpos[address : address + 7] = pose
            else:
                self.model.body(name).pos[:] = pose[:3]
        mujoco.mj_forward(self.model, self.data)
