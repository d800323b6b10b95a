"""Lets the tests here import golden_twins.py, which is no test and no part of the package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
