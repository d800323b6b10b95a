import smolvla_ros.simulation  # noqa: F401  names the OpenGL that mujoco takes, before a test imports mujoco
