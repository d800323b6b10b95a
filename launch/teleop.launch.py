"""ros2 launch smolvla_ros teleop.launch.py leader_port:=/dev/ttyACM1: a leader arm leads, no policy.

Takes so100.launch.py's arguments. With record:=true, ros2 service call /recorder/start std_srvs/srv/Trigger begins an
episode of `instruction`, /recorder/stop ends it, /recorder/discard removes it.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.substitutions import LaunchConfiguration

from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    whole = str(Path(__file__).with_name("so100.launch.py"))
    leader_port = DeclareLaunchArgument("leader_port", description="serial device of the leader arm")
    led = {"leader_port": LaunchConfiguration("leader_port")}
    return LaunchDescription([leader_port, IncludeLaunchDescription(whole, launch_arguments=led.items())])
