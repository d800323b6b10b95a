from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.bags.episode_notes import EpisodeNotes
from smolvla_ros.bags.errors import BagError
from smolvla_ros.bags.made_bag import BEGIN_NS, BagMaker, swing
from smolvla_ros.bags.metadata import relabel
from smolvla_ros.bags.serialized import NANOSECONDS
from smolvla_ros.cli import main
from smolvla_ros.conversion.bags_to_dataset import commit, convert_bags, look_at, open_or_create
from smolvla_ros.conversion.episode import Conversion
from smolvla_ros.data.commit import read_notes
from smolvla_ros.data.dataset import open_dataset
from smolvla_ros.data.dataset_check import check
from smolvla_ros.data.info import read_info
from smolvla_ros.data.writer import pending_parts
from smolvla_ros.embodiment import Embodiment

Make = Callable[..., Path]


def converted(output: Path, *words: str | Path) -> int:
    return main(["dataset", "convert", *(str(word) for word in words), "--output", str(output), "--jobs", "1"])


def test_bags_become_a_sound_dataset_with_units_quantiles_and_their_labels(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bags = [make("a", instruction="lift"), make("b", instruction="put it down", jpeg=True)]
    assert converted(tmp_path / "set", *bags) == 0
    assert "2 episodes, 60 frames; 2.0 s of bags in" in capsys.readouterr().out
    dataset = open_dataset(tmp_path / "set")
    assert dataset.tasks == ("lift", "put it down")
    assert dataset.info.fps == 30
    assert dataset.info.features["action"].units == (*["degrees"] * 5, "range_0_100")
    assert dataset.info.features["observation.images.top"].info["video.codec"] == "h264"
    assert {"q01", "q99"} <= set(dataset.statistics["observation.state"])
    assert dataset.image("observation.images.wrist", 59).shape == (48, 64, 3)
    notes = read_notes(tmp_path / "set", dataset.info)
    assert [note["success"] for note in notes] == [True, True]
    assert (tmp_path / "set" / "meta" / "embodiment.yaml").read_text() == (tmp_path / "small.yaml").read_text()
    assert list(check(dataset)) == []


def test_a_folder_of_bags_stands_for_all_and_a_second_run_adds_only_what_is_new(make: Make, tmp_path: Path) -> None:
    make("bags/a")
    assert converted(tmp_path / "set", tmp_path / "bags") == 0
    make("bags/b", duration_s=1.2)
    assert converted(tmp_path / "set", tmp_path / "bags") == 0
    assert converted(tmp_path / "set", tmp_path / "bags") == 0
    assert [episode.length for episode in open_dataset(tmp_path / "set").episodes] == [30, 36]


def test_an_interrupted_conversion_goes_on_and_writes_no_part_twice(
    make: Make, tmp_path: Path, robot: Embodiment
) -> None:
    bags = [look_at(make(name, 0.5 + 0.1 * k)) for k, name in enumerate("abc")]
    root, conversion = tmp_path / "set", Conversion(30, 0.15)
    embodiment, _ = open_or_create(root, bags, None, None, "h264")
    convert_bags(root, [bags[1]], embodiment, conversion, 1)
    written = (root / ".parts/episode-000000/rows.parquet").stat().st_mtime_ns
    done = convert_bags(root, bags, embodiment, conversion, 1)
    assert [outcome.bag.name for outcome in done] == ["a", "c"]
    assert (root / ".parts/episode-000000/rows.parquet").stat().st_mtime_ns == written
    assert read_info(root).total_episodes == 0
    assert commit(root).total_episodes == 3
    assert [note["bag"].split(":")[0] for note in read_notes(root, read_info(root))] == ["b", "a", "c"]  # type: ignore[attr-defined]


def test_several_processes_write_what_one_does(make: Make, tmp_path: Path) -> None:
    bags = [make("a", 0.5), make("b", 0.6)]
    converted(tmp_path / "one", *bags)
    words = ["dataset", "convert", *map(str, bags), "--output", str(tmp_path / "two"), "--jobs", "2"]
    assert main(words) == 0
    one, two = open_dataset(tmp_path / "one"), open_dataset(tmp_path / "two")
    for name in ("action", "observation.state", "task_index"):
        np.testing.assert_array_equal(one.column(name), two.column(name))
    top = "observation.images.top"
    np.testing.assert_array_equal(one.image(top, 20), two.image(top, 20))


def test_v21_is_written_on_request_and_leaves_nothing_beside_it(make: Make, tmp_path: Path) -> None:
    assert converted(tmp_path / "old", make("a", 0.5), "--version", "v2.1") == 0
    assert open_dataset(tmp_path / "old").info.version == "v2.1"
    assert [path.name for path in tmp_path.glob(".old*")] == []


def gap_bag(folder: Path, robot: Embodiment, lost: range) -> Path:
    """Two seconds in which the top camera misses some pictures."""
    maker = BagMaker(folder, EpisodeNotes("lift", robot.path.read_text()))
    picture = np.zeros((48, 64, 3), np.uint8)
    middle = (robot.lower_rad + robot.upper_rad) / 2
    for k in range(60):
        at = BEGIN_NS + k * NANOSECONDS // 30
        maker.joint_state(at, robot.joint_names, swing(middle, k / 30))
        maker.command(at, robot.joint_names, 0, [0.03], swing(middle, k / 30)[None])
        maker.image("/wrist/image_raw", at, picture)
        if k not in lost:
            maker.image("/top/image_raw", at, picture)
    maker.close()
    return folder


def test_a_gap_is_refused_and_a_short_one_reported(
    tmp_path: Path, robot: Embodiment, capsys: pytest.CaptureFixture[str]
) -> None:
    long = gap_bag(tmp_path / "long", robot, range(20, 30))
    assert converted(tmp_path / "set", long) == 2
    told = capsys.readouterr().err
    assert "observation.images.top: expected at every step a sample at most 0.15 s old" in told
    assert "nothing was added" in told
    assert read_info(tmp_path / "set").total_episodes == 0
    short = gap_bag(tmp_path / "short", robot, range(20, 22))
    assert converted(tmp_path / "set", short) == 0
    assert "observation.images.top: 1 of 59 frames late, up to 0.067 s old" in capsys.readouterr().out


def test_refused_bags_are_left_out_on_request_and_told(
    make: Make, tmp_path: Path, robot: Embodiment, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = make("cut")
    file = next(cut.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:-1000])
    (tmp_path / "empty").mkdir()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "foreign_0.db3").write_bytes(b"no database")
    gap = gap_bag(tmp_path / "a_gap", robot, range(20, 30))
    bags = [gap, cut, tmp_path / "empty", foreign, make("good", 0.5)]
    assert converted(tmp_path / "set", *bags) == 2
    assert not (tmp_path / "set").exists()
    assert converted(tmp_path / "set", *bags, "--skip-refused") == 1
    told = capsys.readouterr().err
    assert f"smolvla dataset repair-bag {cut}" in told
    assert "expected a bag: a folder with .mcap or .db3 files, found none" in told
    assert f"{foreign}: expected a sound bag" in told
    assert [episode.length for episode in open_dataset(tmp_path / "set").episodes] == [15]


def test_failed_episodes_are_left_out_unless_wanted(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = make("good", 0.5), make("bad", 0.6)
    relabel(bad, EpisodeNotes("lift", (tmp_path / "small.yaml").read_text(), False).to_texts())
    assert converted(tmp_path / "set", good, bad) == 0
    assert "the operator labelled it as failed" in capsys.readouterr().out
    assert len(open_dataset(tmp_path / "set").episodes) == 1
    assert converted(tmp_path / "set", good, bad, "--keep-failed") == 0
    assert len(open_dataset(tmp_path / "set").episodes) == 2


def test_bags_of_two_robots_are_not_mixed(make: Make, tmp_path: Path, robot: Embodiment) -> None:
    first, second = make("a", 0.3), make("b", 0.4)
    other = robot.path.read_text().replace("lerobot_unit: range_0_100", "lerobot_unit: degrees")
    relabel(second, EpisodeNotes("lift", other).to_texts())
    with pytest.raises(BagError, match=f"{second}: expected the joints, units and cameras of .*a, found others"):
        open_or_create(tmp_path / "set", [look_at(first), look_at(second)], None, None, "h264")
    assert not (tmp_path / "set").exists()


def test_a_bag_without_words_needs_a_task(tmp_path: Path, robot: Embodiment, make: Make) -> None:
    bag = make("wordless", 0.3, instruction="")
    assert converted(tmp_path / "set", bag) == 2
    assert converted(tmp_path / "set", bag, "--task", "wave") == 0
    assert open_dataset(tmp_path / "set").tasks == ("wave",)


SMALL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from smolvla_ros.cli import main
sys.exit(main(sys.argv[2:]))
"""


def test_a_full_disk_is_told_and_the_same_command_goes_on_when_there_is_room(make: Make, tmp_path: Path) -> None:
    words = ["dataset", "convert", str(make("a", 2.0)), "--output", str(tmp_path / "set"), "--jobs", "1"]
    small = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, "6000", *words], capture_output=True, text=True, check=False
    )
    assert small.returncode == 2, small.stderr
    assert "found the disk full" in small.stderr
    assert "Traceback" not in small.stderr
    assert read_info(tmp_path / "set").total_episodes == 0
    assert pending_parts(tmp_path / "set") == []
    assert main(words) == 0
    assert open_dataset(tmp_path / "set").episodes[0].length == 60


def test_a_moved_bag_is_the_same_bag(make: Make, tmp_path: Path) -> None:
    bag = make("a", 0.3)
    converted(tmp_path / "set", bag)
    (tmp_path / "elsewhere").mkdir()
    shutil.move(bag, tmp_path / "elsewhere")
    converted(tmp_path / "set", tmp_path / "elsewhere" / "a")
    assert len(open_dataset(tmp_path / "set").episodes) == 1
