"""Lets the tests here use the twins of the model's parity tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "model"))
