"""Training of SmolVLA checkpoints on datasets or arrays. Knows no ROS.

samples → (order, augmentation, preparation) → batch → objective over a frozen prefix → optimiser → checkpoints
"""
