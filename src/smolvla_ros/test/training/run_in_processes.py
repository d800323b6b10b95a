"""Trains the made checkpoint on the made samples into the folder given; started once for each process."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

from smolvla_ros.training.samples import ArraySamples
from smolvla_ros.training.settings import TrainingSettings
from smolvla_ros.training.trainer import Trainer
from training_support import TASKS, made_arrays, made_checkpoint

torch.set_num_threads(1)
settings = TrainingSettings(
    steps=3, batch_size=8, accumulate=2, train="all", freeze_vision_encoder=False, epsilon=1e-3, ema_decay=0.5, seed=3
)
samples = ArraySamples(made_arrays(), TASKS)
Trainer(made_checkpoint(), samples, settings, Path(sys.argv[1]), held_out=samples, stream=None).run()
