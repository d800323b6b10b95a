"""ros2 launch smolvla_ros policy.launch.py policy:=... device:=cuda: the policy alone, on a GPU machine of the same ROS
domain; the robot's machine runs so100.launch.py side:=robot. Takes so100.launch.py's arguments.
"""

from pathlib import Path

from launch.actions import IncludeLaunchDescription

from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    whole = str(Path(__file__).with_name("so100.launch.py"))
    return LaunchDescription([IncludeLaunchDescription(whole, launch_arguments={"side": "policy"}.items())])
