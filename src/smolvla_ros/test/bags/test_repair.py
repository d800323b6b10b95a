from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from filled_bag import IMAGE_BYTES, NOTES, filled
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader
from smolvla_ros.bags.errors import BagError
from smolvla_ros.bags.reader import BagCut, open_bag
from smolvla_ros.bags.repair import repair_bag


def cut_bag(folder: Path) -> Path:
    """Two chunks of two images, and a fifth image that was never flushed."""
    filled(folder, images=5).writer.abandon()
    return folder


def read_images(folder: Path) -> list[int]:
    with open_bag(folder) as bag:
        return [int(bag.unpack(t, data).data[0]) for t, _, data in bag.messages(["/top/image_raw"])]


def test_a_cut_recording_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    bag = cut_bag(tmp_path / "cut")
    with pytest.raises(BagCut, match=f"smolvla dataset repair-bag {bag}"):
        open_bag(bag)


def test_a_repaired_bag_has_all_that_was_flushed_and_its_notes(tmp_path: Path) -> None:
    done = repair_bag(cut_bag(tmp_path / "cut"))
    assert (done.messages, done.was_whole) == (8, False)
    assert read_images(done.folder) == [0, 1, 2, 3]
    with open_bag(done.folder) as bag:
        assert bag.notes == NOTES
    with Reader(done.folder) as reader:
        assert reader.message_count == 8


def test_a_cut_at_any_byte_leaves_a_bag_that_can_be_repaired_and_never_a_wrong_message(tmp_path: Path) -> None:
    whole = cut_bag(tmp_path / "cut")
    data = next(whole.glob("*.mcap")).read_bytes()
    first_chunk_ends = data.index(bytes([1]) * IMAGE_BYTES) + IMAGE_BYTES
    counts = set()
    for number, size in enumerate(range(len(data), first_chunk_ends, -97)):
        folder = tmp_path / f"at_{number}"
        shutil.copytree(whole, folder)
        next(folder.glob("*.mcap")).write_bytes(data[:size])
        done = repair_bag(folder)
        images = read_images(folder)
        assert images == list(range(len(images)))
        assert done.messages == 2 * len(images)
        with next(folder.glob("*.mcap")).open("rb") as stream:
            assert len(list(make_reader(stream).iter_messages())) == done.messages
        counts.add(len(images))
    assert counts == {2, 4}


def test_repair_finishes_what_a_killed_repair_began(tmp_path: Path) -> None:
    bag = cut_bag(tmp_path / "cut")
    repair_bag(bag)
    file = next(bag.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:-20])
    (bag / "metadata.yaml").unlink()
    assert repair_bag(bag).messages == 8
    assert read_images(bag) == [0, 1, 2, 3]


def test_a_whole_bag_stays_as_it_is(whole_bag: Path) -> None:
    before = {path: path.read_bytes() for path in whole_bag.iterdir()}
    assert repair_bag(whole_bag).was_whole
    assert {path: path.read_bytes() for path in whole_bag.iterdir()} == before


def test_lost_metadata_is_written_anew(whole_bag: Path) -> None:
    before = (whole_bag / "metadata.yaml").read_text()
    (whole_bag / "metadata.yaml").unlink()
    repair_bag(whole_bag)
    assert (whole_bag / "metadata.yaml").read_text() == before


def test_damage_with_sound_messages_behind_it_is_told_and_not_cut_off(tmp_path: Path) -> None:
    bag = cut_bag(tmp_path / "cut")
    file = next(bag.glob("*.mcap"))
    data = bytearray(file.read_bytes())
    middle = data.index(bytes([1] * 100))
    data[middle + 5] ^= 0xFF
    file.write_bytes(data)
    with pytest.raises(BagError, match="expected a sound record"):
        repair_bag(bag)
    assert file.read_bytes() == bytes(data)


@pytest.mark.parametrize("content", [b"", b"no bag at all", b"\x89MCAP0\r\n"])
def test_a_file_without_messages_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "foreign"
    folder.mkdir()
    (folder / "foreign_0.mcap").write_bytes(content)
    with pytest.raises(BagError, match="delete the bag"):
        repair_bag(folder)
