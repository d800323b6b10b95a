"""What a message type is made of, from the files that every package of interfaces installs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from smolvla_ros.bags.errors import mismatch
from smolvla_ros.bags.topic import Topic

BUILT_IN = {
    *("bool", "byte", "char", "float32", "float64", "string", "wstring"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
RULE = "=" * 80


def topic_of(name: str, message_type: str, qos: Iterable[dict[str, Any]] = ()) -> Topic:
    """message_type: "sensor_msgs/msg/Image". Raises BagError where no package on AMENT_PREFIX_PATH has it."""
    type_hash = _type_hash(_file(*_split(message_type), "json"))
    return Topic(name, message_type, definition(message_type), type_hash, tuple(qos))


def definition(message_type: str) -> str:
    """The message's own text, then each nested message's under a rule and its name. Raises BagError."""
    first = _split(message_type)
    texts = {first: _file(*first, "msg").read_text()}
    waiting = [first]
    while waiting:
        package, _ = known = waiting.pop(0)
        for nested in _nested(texts[known], package):
            if nested not in texts:
                texts[nested] = _file(*nested, "msg").read_text()
                waiting.append(nested)
    own, *others = texts.items()
    return own[1] + "".join(f"\n{RULE}\nMSG: {package}/{name}\n{text}" for (package, name), text in others)


def _split(message_type: str) -> tuple[str, str]:
    parts = message_type.split("/")
    return parts[0], parts[-1]


def _nested(text: str, package: str) -> list[tuple[str, str]]:
    found = []
    for line in text.splitlines():
        word = re.match(r"\s*([A-Za-z][\w/]*)", line.split("#", 1)[0])
        if word and word[1] not in BUILT_IN:
            name = word[1] if "/" in word[1] else f"{package}/{word[1]}"
            found.append(_split(name))
    return found


def _file(package: str, message: str, ending: str) -> Path:
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    for prefix in prefixes:
        path = prefix / "share" / package / "msg" / f"{message}.{ending}"
        if path.exists():
            return path
    places = ", ".join(str(prefix) for prefix in prefixes) or "nowhere: AMENT_PREFIX_PATH is empty"
    raise mismatch(f"{package}/{message}.{ending}", f"the file in {places}", "none", "build or install its package")


def _type_hash(path: Path) -> str:
    name = f"{path.parent.parent.name}/msg/{path.stem}"
    hashes = {entry["type_name"]: entry["hash_string"] for entry in json.loads(path.read_text()).get("type_hashes", [])}
    return str(hashes.get(name, ""))
