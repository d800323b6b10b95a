from __future__ import annotations

from pathlib import Path

import pytest
from smolvla_ros.data import whole_file
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.whole_file import replaced_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_text("before")
    return tmp_path / "d"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.iterdir())


@pytest.mark.parametrize("exchange", [whole_file._EXCHANGE, 1 << 30], ids=["in one step", "on other file systems"])
def test_a_folder_is_replaced_and_what_it_was_is_kept_or_not(
    folder: Path, exchange: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_file, "_EXCHANGE", exchange)
    with replaced_folder(folder, keep=True) as part:
        (part / "a").write_text("after")
        assert (folder / "a").read_text() == "before"
    assert (folder / "a").read_text() == "after"
    assert (folder.with_name("d_old") / "a").read_text() == "before"
    with pytest.raises(DatasetError, match="d_old: expected room"), replaced_folder(folder, keep=True):
        pass
    with replaced_folder(folder, keep=False) as part:
        (part / "a").write_text("again")
    assert (folder / "a").read_text() == "again"
    assert names(folder) == ["d", "d_old"]


def test_nothing_changes_where_the_new_one_is_not_finished(folder: Path) -> None:
    def fill_the_disk() -> None:
        with replaced_folder(folder, keep=True) as part:
            (part / "a").write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="full"):
        fill_the_disk()
    assert (folder / "a").read_text() == "before"
    assert names(folder) == ["d"]
