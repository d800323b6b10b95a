"""Real cameras: which are wanted and where they are, their images, the calibration of their lenses. No ROS here."""
