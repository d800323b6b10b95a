from __future__ import annotations

from pathlib import Path

import pytest
from smolvla_ros.cli import main as smolvla
from smolvla_ros.network.machines import NoNamespaces, in_own_namespace


def test_a_host_without_the_tools_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoNamespaces, match="expected the command ip"):
        in_own_namespace()
    assert smolvla(["bench", "network", "--reports", str(tmp_path)]) == 2
    assert "expected the command ip (packages iproute2 and util-linux)" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_host_that_forbids_namespaces_is_told_where_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for tool in ("ip", "nsenter", "unshare"):
        (tmp_path / tool).write_text("#!/bin/sh\necho unshare: Operation not permitted >&2\nexit 1\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoNamespaces, match="found: unshare: Operation not permitted; run it as root"):
        in_own_namespace()
