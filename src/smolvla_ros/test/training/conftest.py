"""Lets the tests here import training_support.py and the golden twins, which are no part of the package."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "model")]

from training_support import make_trainer, samples  # noqa: E402, F401
