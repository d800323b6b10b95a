"""What is read of serialized messages without unpacking them: the stamp of their header."""

from __future__ import annotations

import struct

LITTLE_ENDIAN_HEADER, BIG_ENDIAN_HEADER = struct.Struct("<iI"), struct.Struct(">iI")
ENCAPSULATION = 4  # CDR begins with two bytes of kind and two of options; an odd kind is little-endian
NANOSECONDS = 1_000_000_000


def stamp_ns(data: bytes | memoryview) -> int:
    """header.stamp of a message whose first field is a std_msgs/Header. Raises ValueError where it is too short."""
    if len(data) < ENCAPSULATION + LITTLE_ENDIAN_HEADER.size:
        raise ValueError(f"expected a message that begins with a header, found {len(data)} bytes")
    header = LITTLE_ENDIAN_HEADER if data[1] & 1 else BIG_ENDIAN_HEADER
    whole, nanoseconds = header.unpack_from(data, ENCAPSULATION)
    return int(whole) * NANOSECONDS + int(nanoseconds)
