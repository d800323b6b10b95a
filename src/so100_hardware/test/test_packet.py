from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from so100_hardware import PacketParser, encode_packet

ids = st.integers(0, 254)
codes = st.integers(0, 255)
parameters = st.binary(max_size=250)
packets = st.tuples(ids, codes, parameters)


def parse_all(stream: bytes, pieces: int = 1) -> list[tuple[int, int, bytes]]:
    parser, found = PacketParser(), []
    for start in range(0, len(stream), pieces):
        parser.push(stream[start : start + pieces])
        while (packet := parser.next()) is not None:
            found.append(packet)
    return found


def test_known_requests_have_the_maker_s_bytes() -> None:
    assert encode_packet(1, 1) == bytes.fromhex("ff ff 01 02 01 fb")  # ping
    assert encode_packet(1, 2, bytes([0x38, 2])) == bytes.fromhex("ff ff 01 04 02 38 02 be")  # read position
    assert encode_packet(0xFE, 0x83, bytes([0x2A, 2, 1, 0, 8])) == bytes.fromhex("ff ff fe 07 83 2a 02 01 00 08 42")


@given(st.lists(packets, max_size=8), st.integers(1, 64))
def test_packets_in_any_pieces_come_out_as_they_went_in(sent: list, pieces: int) -> None:
    stream = b"".join(encode_packet(*packet) for packet in sent)
    assert parse_all(stream, pieces) == sent


@given(packets, st.binary(max_size=60).filter(lambda noise: b"\xff" not in noise))
def test_noise_without_header_bytes_never_costs_a_packet(packet: tuple, noise: bytes) -> None:
    assert parse_all(noise + encode_packet(*packet) + noise + encode_packet(*packet)) == [packet, packet]


@given(st.binary(max_size=200), packets)
def test_after_any_noise_the_next_but_some_packet_is_found(noise: bytes, packet: tuple) -> None:
    """A false header may swallow at most its own length; then the parser is in step again."""
    stream = noise + encode_packet(*packet) * 60
    found = parse_all(stream)
    assert found[-1] == packet
    assert len(found) >= 60 - 256 // len(encode_packet(*packet)) - 1


def test_a_false_header_before_a_packet_does_not_hide_it() -> None:
    packet = (1, 0, b"\x12\x34")
    for noise in (b"\xff", b"\xff\xff", b"\xff\xff\xff", b"\xff\xff\x01\x04", b"\xff\xff\x01\x02\x00"):
        assert packet in parse_all(noise + encode_packet(*packet) + encode_packet(*packet)), noise


def test_a_length_beyond_the_expected_is_garbage_at_once() -> None:
    parser = PacketParser()
    parser.expect_at_most(2)
    parser.push(b"\xff\xff\x01\xc8" + encode_packet(1, 0, b"\x12\x34"))
    assert parser.next() == (1, 0, b"\x12\x34")


@given(packets.filter(lambda packet: len(packet[2]) > 0), st.data())
def test_a_flipped_bit_is_never_accepted(packet: tuple, data: st.DataObject) -> None:
    good = encode_packet(*packet)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    parser = PacketParser()
    parser.push(bytes(bad))
    assert parser.next() != packet


@given(st.binary(max_size=4000))
def test_any_bytes_are_survived_and_accounted_for(noise: bytes) -> None:
    parser = PacketParser()
    parser.push(noise)
    used = 0
    while (packet := parser.next()) is not None:
        used += 6 + len(packet[2])
    assert used + parser.discarded_bytes + parser.pending == len(noise)
