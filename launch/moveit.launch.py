"""ros2 launch smolvla_ros moveit.launch.py: the arm under ros2_control and MoveIt's move_group beside the policy.

Takes so100.launch.py's arguments. The policy commands the arm first; to let MoveIt do so:
ros2 service call /arbiter/moveit std_srvs/srv/Trigger, and back: /arbiter/policy.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import IncludeLaunchDescription
from launch.substitutions import LaunchConfiguration

from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    whole = Path(__file__).with_name("so100.launch.py")
    move_group = Path(get_package_share_directory("so100_moveit_config")) / "launch" / "move_group.launch.py"
    robot = {name: LaunchConfiguration(name) for name in ("embodiment", "prefix")}
    return LaunchDescription(
        [
            IncludeLaunchDescription(str(whole), launch_arguments={"driver": "ros2_control"}.items()),
            IncludeLaunchDescription(str(move_group), launch_arguments=robot.items()),
        ]
    )
