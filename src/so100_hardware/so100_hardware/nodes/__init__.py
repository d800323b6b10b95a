"""rclpy lives in this folder and nowhere else in the package."""
