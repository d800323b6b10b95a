"""Two machines as network namespaces, each with a wire to this process's namespace, where a Link joins the wires.

    with two_machines() as machines:            # in a process begun with in_own_namespace()
        link = Link(machines.wires, Conditions(delay_s=0.05))
        machines.start(ROBOT, ["smolvla", "run", "side:=robot"])

No rights are needed where the kernel lets users make namespaces of their own. Each machine has its own /dev/shm, so
that no middleware goes round the wire by shared memory.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

ROBOT, POLICY = 0, 1
ADDRESSES = ("10.99.0.1/24", "10.99.0.2/24")
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17
TOOLS = ("ip", "nsenter", "unshare")
WHERE_IT_RUNS = "run it as root, or where users may make namespaces (kernel.unprivileged_userns_clone=1)"


class NoNamespaces(RuntimeError):
    """Network namespaces cannot be made on this host. The message says what is missing."""


@dataclass(frozen=True)
class Machines:
    """`wires`: the interfaces here whose other ends are the machines'. `holders`: processes that keep them alive."""

    wires: tuple[str, str]
    holders: tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]

    def start(
        self, machine: int, command: Sequence[str], environment: Mapping[str, str], **popen: Any
    ) -> subprocess.Popen[Any]:
        """A process on that machine."""
        enter = ["nsenter", f"--target={self.holders[machine].pid}", "--net", "--mount", "--ipc", "--"]
        return subprocess.Popen([*enter, *command], env=dict(environment), **popen)


def in_own_namespace() -> list[str]:
    """What to put before a command that makes machines. Raises NoNamespaces."""
    for tool in TOOLS:
        if not shutil.which(tool):
            raise NoNamespaces(f"expected the command {tool} (packages iproute2 and util-linux), found none")
    own = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    tried = subprocess.run([*own, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        raise NoNamespaces(f"expected to make a network namespace, found: {tried.stderr.strip()}; {WHERE_IT_RUNS}")
    return own


@contextmanager
def two_machines() -> Iterator[Machines]:
    """Raises NoNamespaces."""
    wires, holders = ("wire0", "wire1"), []
    hold = "mount -t tmpfs tmpfs /dev/shm && ip link set lo up && echo up && exec sleep infinity"
    try:
        for _ in wires:
            holder = subprocess.Popen(
                ["unshare", "--net", "--mount", "--ipc", "sh", "-c", hold],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            holders.append(holder)
            assert holder.stdout
            assert holder.stderr
            if holder.stdout.readline() != b"up\n":
                raise NoNamespaces(f"a machine's namespace: {holder.stderr.read().decode().strip()}; {WHERE_IT_RUNS}")
        for wire, holder, address in zip(wires, holders, ADDRESSES, strict=True):
            _ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
            inside = ["nsenter", f"--target={holder.pid}", "--net", "--"]
            _ip("addr", "add", address, "dev", "eth0", before=inside)
            # frames leave by a packet socket as they are: without this the kernel would leave their checksums open
            _run([*inside, sys.executable, "-S", __file__, "eth0"])
            _ip("link", "set", "eth0", "multicast", "on", "up", before=inside)
            _ip("route", "add", "default", "dev", "eth0", before=inside)
            _ip("link", "set", wire, "up")
        yield Machines(wires, (holders[0], holders[1]))
    finally:
        for holder in holders:
            holder.send_signal(signal.SIGKILL)
            holder.wait()
            for pipe in (holder.stdout, holder.stderr):
                if pipe:
                    pipe.close()


def complete_checksums(interface: str) -> None:
    """As `ethtool -K interface tx off`."""
    value = ctypes.create_string_buffer(struct.pack("II", ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCETHTOOL, request)


def _ip(*words: str, before: Sequence[str] = ()) -> None:
    _run([*before, "ip", *words])


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoNamespaces(f"{' '.join(command)}: {done.stderr.strip()}; {WHERE_IT_RUNS}")


if __name__ == "__main__":
    complete_checksums(sys.argv[1])
