"""Episodes into bags: what is recorded, whether it is fresh, when an episode ends. No ROS; times come in as arguments."""
