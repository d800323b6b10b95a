"""ros2 launch smolvla_ros record.launch.py: the arm, the policy and the recorder, a bag for each task.

Takes so100.launch.py's arguments; record_folder:= says where the bags go.
"""

from pathlib import Path

from launch.actions import IncludeLaunchDescription

from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    whole = str(Path(__file__).with_name("so100.launch.py"))
    return LaunchDescription([IncludeLaunchDescription(whole, launch_arguments={"record": "true"}.items())])
