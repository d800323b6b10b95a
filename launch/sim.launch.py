"""ros2 launch smolvla_ros sim.launch.py: the simulated arm and its policy; takes so100.launch.py's arguments."""

from pathlib import Path

from launch.actions import IncludeLaunchDescription

from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    whole = str(Path(__file__).with_name("so100.launch.py"))
    return LaunchDescription([IncludeLaunchDescription(whole, launch_arguments={"hardware_type": "mujoco"}.items())])
