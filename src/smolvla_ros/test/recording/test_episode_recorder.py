from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from smolvla_ros.bags.episode_notes import EpisodeNotes
from smolvla_ros.bags.errors import BagError
from smolvla_ros.bags.reader import open_bag
from smolvla_ros.bags.topic import Topic
from smolvla_ros.recording.arrivals import NANOSECONDS, Arrivals
from smolvla_ros.recording.episode_recorder import (
    EndReason,
    EpisodeRecorder,
    NotReady,
    RecorderSettings,
)

BEGIN = 1_700_000_000 * NANOSECONDS
MS = NANOSECONDS // 1000
TOPICS = {
    name: Topic(name, "std_msgs/msg/String", "string data\n")
    for name in ("/camera", "/joints", "/chunks", "/description", "/recorder/episode")
}


class Robot:
    """A recorder, what comes in, and the clock. A step is 10 ms."""

    def __init__(self, folder: Path, **settings: float) -> None:
        self.now, self.announced = BEGIN, list[EpisodeNotes]()
        self.recorder = EpisodeRecorder(
            TOPICS,
            ("/camera", "/joints"),
            {"/description"},
            "/recorder/episode",
            "robot_type: so100\n",
            RecorderSettings(folder, min_free_bytes=0, **settings),  # type: ignore[arg-type]
            self._announce,
        )
        self.sequence = 0

    def _announce(self, notes: EpisodeNotes) -> bytes:
        self.announced.append(notes)
        return notes.instruction.encode()

    def run(self, steps: int, without: str = "") -> None:
        for _ in range(steps):
            self.now += 10 * MS
            self.sequence += 1
            for topic in ("/camera", "/joints"):
                if topic != without:
                    self.recorder.on_message(topic, self.now, self.now, b"data" * 9, self.sequence)

    def start(self, instruction: str = "lift", limit_s: float = 0.0) -> Path:
        return self.recorder.start(instruction, "by hand", limit_s, self.now)


@pytest.fixture
def robot(tmp_path: Path) -> Iterator[Robot]:
    robot = Robot(tmp_path / "recordings")
    yield robot
    if robot.recorder.recording:
        robot.recorder.discard()


def counts(folder: Path | None) -> dict[str, int]:
    assert folder is not None
    with open_bag(folder) as bag:
        return {topic: count for topic, count in bag.counts.items() if count}


def test_it_refuses_to_start_and_names_every_topic_that_is_not_fresh(robot: Robot) -> None:
    with pytest.raises(NotReady, match="/camera: nothing has come on it; /joints: nothing has come on it"):
        robot.start()
    robot.run(3)
    robot.run(80, without="/camera")
    with pytest.raises(NotReady, match=r"/camera: the newest is 0\.80 s old; start what publishes there"):
        robot.start()
    robot.run(1)
    assert robot.start().exists()


def test_an_episode_waits_for_topics_that_have_not_come_as_long_as_the_lead_has_what_it_misses(robot: Robot) -> None:
    asked = robot.now
    assert robot.recorder.may_wait(asked, robot.now)
    assert not robot.recorder.may_wait(asked, asked + 500 * MS)  # then it is told what is missing
    robot.run(1)
    assert not robot.recorder.may_wait(asked, robot.now)


def test_an_episode_has_all_that_came_and_the_lead_before_it(robot: Robot) -> None:
    robot.recorder.on_message("/description", robot.now, robot.now, b"<robot/>", None)
    robot.run(100)
    robot.start()
    robot.run(30)
    ended = robot.recorder.stop()
    assert (ended.reason, ended.dropped) == (EndReason.STOPPED, 0)
    assert counts(ended.folder) == {"/camera": 81, "/joints": 81, "/description": 1, "/recorder/episode": 1}
    assert ended.messages == 164
    assert ended.duration_s == pytest.approx(0.8)


def test_instruction_embodiment_and_note_are_in_the_bag_and_on_the_latched_topic(robot: Robot) -> None:
    robot.run(1)
    robot.start("put it away")
    folder = robot.recorder.stop().folder
    assert folder is not None
    with open_bag(folder) as bag:
        assert bag.notes == EpisodeNotes("put it away", "robot_type: so100\n", None, "by hand")
        assert [data for _, _, data in bag.messages(["/recorder/episode"])] == [b"put it away"]
    assert robot.announced == [bag.notes]
    assert yaml.safe_load(robot.announced[0].to_yaml())["instruction"] == "put it away"


def test_the_operators_word_reaches_the_newest_episode_after_its_end_too(robot: Robot) -> None:
    robot.run(1)
    with pytest.raises(NotReady, match="record one first"):
        robot.recorder.label(True, "")
    folder = robot.start()
    robot.recorder.stop()
    assert robot.recorder.label(False, "dropped it") == folder
    robot.recorder.label(True, "")
    with open_bag(folder) as bag:
        assert bag.notes == EpisodeNotes("lift", "robot_type: so100\n", True, "dropped it")
    robot.start()
    robot.recorder.label(False, "during")
    ended = robot.recorder.stop()
    with open_bag(ended.folder or Path()) as bag:
        assert bag.notes is not None
        assert (bag.notes.succeeded, bag.notes.note) == (False, "during")


def test_discard_removes_the_episode_under_way_or_else_the_newest(robot: Robot) -> None:
    robot.run(1)
    first = robot.start()
    robot.recorder.stop()
    second = robot.start()
    ended = robot.recorder.discard()
    assert ended is not None
    assert (ended.reason, ended.folder) == (EndReason.DISCARDED, None)
    assert first.exists()
    assert not second.exists()
    assert robot.recorder.discard() is None
    assert not first.exists()
    with pytest.raises(NotReady, match="nothing was removed"):
        robot.recorder.discard()


def test_an_episode_is_discarded_for_another_only_where_another_can_begin(robot: Robot) -> None:
    robot.run(1)
    folder = robot.start()
    robot.recorder.stop()
    robot.run(80, without="/camera")
    with pytest.raises(NotReady, match="/camera: the newest"):
        robot.recorder.discard_for_another(robot.now)
    assert folder.exists()
    robot.run(1)
    robot.recorder.discard_for_another(robot.now)
    assert not folder.exists()


def test_the_time_limit_and_a_topic_that_stays_away_end_an_episode_and_keep_it(robot: Robot) -> None:
    robot.run(1)
    robot.start(limit_s=0.25)
    robot.run(24)
    assert robot.recorder.tick(robot.now) is None
    robot.run(1)
    ended = robot.recorder.tick(robot.now)
    assert ended is not None
    assert ended.reason == EndReason.TIME_LIMIT
    robot.start()
    robot.run(190, without="/joints")
    assert robot.recorder.tick(robot.now) is None
    robot.run(20, without="/joints")
    ended = robot.recorder.tick(robot.now)
    assert ended is not None
    assert ended.reason == EndReason.STALE_TOPIC
    assert ended.message.startswith("/joints: the newest is 2.10 s old")
    assert counts(ended.folder)["/camera"] == 210


def test_messages_lost_on_the_way_are_counted_by_the_publishers_numbers(robot: Robot) -> None:
    robot.run(5)
    robot.start()
    robot.run(5)
    robot.sequence += 3
    robot.run(5)
    robot.sequence = 0  # the publisher was started again
    robot.run(5)
    assert robot.recorder.stop().dropped == 6
    robot.start()
    robot.run(5)
    assert robot.recorder.stop().dropped == 0


def test_what_was_lost_before_an_episode_is_not_counted(robot: Robot) -> None:
    robot.run(5)
    robot.sequence += 3
    robot.run(5)
    assert robot.recorder.dropped == 0
    robot.start()
    assert robot.recorder.dropped == 0


def test_several_publishers_numbers_say_nothing() -> None:
    arrivals = Arrivals(["/a"])
    for stamp in range(3):
        arrivals.note("/a", stamp, None)
    assert arrivals.lost == 0


def test_one_episode_at_a_time_and_none_without_an_instruction(robot: Robot) -> None:
    robot.run(1)
    with pytest.raises(NotReady, match="expected an instruction"):
        robot.start(" ")
    robot.start()
    with pytest.raises(NotReady, match="expected no episode under way"):
        robot.start()


def test_two_episodes_of_one_second_have_two_folders(robot: Robot) -> None:
    robot.run(1)
    first = robot.start()
    robot.recorder.stop()
    assert robot.start() != first


def test_too_little_disk_keeps_an_episode_from_beginning_and_ends_one(tmp_path: Path) -> None:
    robot = Robot(tmp_path)
    robot.run(1)
    robot.start()
    free = shutil.disk_usage(tmp_path).free
    robot.recorder._settings = RecorderSettings(tmp_path, min_free_bytes=2 * free)
    robot.run(150)
    ended = robot.recorder.tick(robot.now)
    assert ended is not None
    assert ended.reason == EndReason.STORAGE
    assert counts(ended.folder)["/camera"] == 151
    with pytest.raises(NotReady, match="GiB of free disk, found"):
        robot.start()


def test_a_disk_that_refuses_to_begin_leaves_the_recorder_ready(tmp_path: Path) -> None:
    robot = Robot(tmp_path / "recordings")
    robot.run(1)
    shutil.rmtree(tmp_path / "recordings")
    robot.recorder._look_at_disk = lambda: 2**40  # type: ignore[method-assign]
    (tmp_path / "recordings").write_text("no folder")
    with pytest.raises((OSError, BagError)):
        robot.start()
    assert not robot.recorder.recording
    (tmp_path / "recordings").unlink()
    robot.start()
    time.sleep(0.01)
    assert robot.recorder.stop().messages == 3
