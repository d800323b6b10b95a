"""Bags become LeRobot datasets: which topic is which feature, what was commanded, one episode a bag."""
