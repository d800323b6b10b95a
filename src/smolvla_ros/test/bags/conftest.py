from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from filled_bag import filled


@pytest.fixture
def whole_bag(tmp_path: Path) -> Path:
    filled(tmp_path / "whole").close()
    return tmp_path / "whole"
