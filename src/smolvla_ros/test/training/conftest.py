"""Lets the tests here import training_support.py, which is no test and no part of the package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from training_support import make_trainer, samples  # noqa: F401
