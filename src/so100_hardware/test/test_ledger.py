"""What the virtual bus records for whoever tests a driver against it."""

from __future__ import annotations

from so100_hardware import Bus, NoReplyError, VirtualBus

IDS = (1, 2, 3, 4, 5, 6)


def test_the_records_tell_what_was_true_of_every_reply(bus: Bus, virtual: VirtualBus) -> None:
    virtual.record()
    virtual.inject_fault(
        "flip bits probability 0.1\nlose packets probability 0.05 seed 1\nforeign bytes 55 ff probability 0.1 seed 2\n"
        "wrong id 77 probability 0.1 seed 3"
    )
    seen = 0
    for cycle in range(200):
        virtual.exchange([1000.0 + cycle] * 6, [0.0] * 6, [0.0] * 6, 0.0)
        try:
            got = bus.sync_read(IDS, "present_position")
        except NoReplyError:
            continue
        replies = virtual.take_replies()
        for servo_id, ticks in got.items():
            truths = [r for r in replies if r.servo_id == servo_id and r.address == 56]
            assert ticks in {int.from_bytes(r.truth[5:7], "little") for r in truths}
        for r in replies:
            assert (r.truth == r.sent) == (not r.faults), r
            seen += len(r.faults)
    virtual.take_replies()
    assert 0 < seen <= sum(virtual.fault_counters.values())
    virtual.record(False)
    bus.ping(1)
    assert virtual.take_replies() == []


def test_the_records_tell_what_the_servos_took(bus: Bus, virtual: VirtualBus) -> None:
    virtual.record()
    bus.write(3, "goal_position", 2222)
    bus.write(3, "torque_enable", 1)
    bus.sync_write("goal_position", {3: 2000, 4: 2001})
    bus.ping(3)
    goal, torque, third, fourth = virtual.take_writes()
    assert (goal.servo_id, goal.address, goal.data, goal.tampered) == (3, 42, (2222).to_bytes(2, "little"), False)
    assert (torque.torque_before, torque.torque_after) == (False, True)
    assert (torque.goal_ticks, torque.present_ticks) == (2222, 2048)
    assert (third.goal_ticks, fourth.servo_id, fourth.goal_ticks, fourth.torque_after) == (2000, 4, 2001, False)
    assert third.request == fourth.request == torque.request + 1
