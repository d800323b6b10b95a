from __future__ import annotations

import importlib.util
from pathlib import Path

SPEC = importlib.util.spec_from_file_location("fix", Path(__file__).parents[1] / "fix_wheel_exports.py")
fix = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(fix)


def test_folders_of_the_build_machine_become_this_environments() -> None:
    text = (
        'set(x "/opt/python/cp312-cp312/include/python3.12;'
        '/opt/python/cp312-cp312/lib/python3.12/site-packages/numpy/_core/include;/usr/lib64/libtinyxml2.so")'
    )
    assert fix.rewritten(text, "/here/include", "/here/numpy") == 'set(x "/here/include;/here/numpy")'


def test_a_second_run_changes_nothing() -> None:
    once = fix.rewritten("-I/opt/python/cp311-cp311/include/python3.11 ", "/here", "/numpy")
    assert fix.rewritten(once, "/here", "/numpy") == once
