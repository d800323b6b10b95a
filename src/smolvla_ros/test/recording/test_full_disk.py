"""A disk that fills while an episode is written, in a process of its own whose files may not grow beyond a size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from smolvla_ros.bags.reader import open_bag
from smolvla_ros.bags.repair import repair_bag

MIB = 2**20
RECORD = """
import resource, signal, sys, time
from pathlib import Path
from smolvla_ros.bags.topic import Topic
from smolvla_ros.recording.bag_thread import BagThread

folder, limit = Path(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
bag = BagThread(folder, {"instruction": "lift"}, [Topic("/a", "std_msgs/msg/String", "string data")])
for k in range(200):
    bag.put("/a", 1000 + k, k.to_bytes(4, "little") * 25_000)
    time.sleep(0.002)
bag.close({"instruction": "lift"})
print(bag.failure.errno if bag.failure else 0, bag.messages, bag.dropped)
"""


@pytest.mark.parametrize("limit", [9 * MIB, 9 * MIB + 12_345])
def test_what_was_written_before_the_disk_was_full_is_a_whole_bag(tmp_path: Path, limit: int) -> None:
    folder = tmp_path / "bag"
    command = [sys.executable, "-c", RECORD, str(folder), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    failure, _, dropped = (int(word) for word in done.stdout.split())
    assert failure != 0
    assert dropped > 0
    with open_bag(folder) as bag:
        found = [int.from_bytes(data[:4], "little") for _, _, data in bag.messages(["/a"])]
        assert bag.notes is not None
    assert found == list(range(len(found)))
    assert len(found) * 100_000 > limit - 4.5 * MIB
    assert repair_bag(folder).was_whole
