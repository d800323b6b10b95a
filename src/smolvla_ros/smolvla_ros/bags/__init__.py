"""rosbag2 bags: written as MCAP, read as MCAP or sqlite3, repaired. No ROS is needed for any of it."""
