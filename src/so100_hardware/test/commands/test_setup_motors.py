"""`so100 setup-motors`: servos are connected one at a time, that is: the others are mute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted_port import CollidingServos, scripted_port
from so100_hardware.commands import setup_motors

from so100_hardware import VirtualBus

Run = Callable[..., tuple[int, str]]
FACTORY_IDS = (21, 22, 23, 24, 25, 26)  # the virtual bus does not take one id twice


@pytest.fixture(autouse=True)
def short_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_motors, "LISTEN_S", 0.03)


@pytest.fixture
def factory() -> Iterator[VirtualBus]:
    """Six servos as bought, none connected."""
    with VirtualBus(FACTORY_IDS) as virtual:
        for servo_id in FACTORY_IDS:
            virtual.inject_fault(f"mute servo {servo_id}")
        yield virtual


def connect(virtual: VirtualBus, *servo_ids: int, unplug: tuple[int, ...] = ()) -> Callable[[], str]:
    """An answer to a prompt: these are plugged in, those are not any more."""

    def answer() -> str:
        for servo_id in unplug:
            virtual.inject_fault(f"mute servo {servo_id}")
        for servo_id in servo_ids:
            virtual.inject_fault(f"clear mute servo {servo_id}")
        return ""

    return answer


def test_each_servo_gets_its_joint_s_id_the_gripper_first(so100: Run, factory: VirtualBus, make_console) -> None:
    answers = [
        connect(factory, factory_id, unplug=(factory_id - 20 + 1,) if factory_id < 26 else ())
        for factory_id in reversed(FACTORY_IDS)
    ]
    console = make_console(answers)
    code, said = so100("setup-motors", "--port", factory.port, console=console)
    assert code == 0, said
    assert "gripper: id 26 at 1000000 baud is now id 6 at 1000000" in said
    assert "6 of 6 servos set up" in said
    assert [question.split()[4] for question in console.asked] == [
        "gripper",
        "wrist_roll",
        "wrist_flex",
        "elbow_flex",
        "shoulder_lift",
        "shoulder_pan",
    ]
    assert [factory.get(servo_id, "id") for servo_id in range(1, 7)] == [1, 2, 3, 4, 5, 6]
    assert {factory.get(servo_id, "lock") for servo_id in range(1, 7)} == {1}


@pytest.mark.parametrize("code", [1, 4, 7])
def test_a_servo_at_another_baud_rate_gets_the_arm_s(so100: Run, factory: VirtualBus, make_console, code: int) -> None:
    factory.set(23, "baud_rate", code)
    console = make_console([connect(factory, 23)])
    assert so100("setup-motors", "--port", factory.port, "--joint", "elbow_flex", console=console)[0] == 0
    assert (factory.get(3, "baud_rate"), factory.get(3, "lock")) == (0, 1)


def test_a_servo_that_is_right_is_left_alone(so100: Run, virtual: VirtualBus, make_console) -> None:
    for servo_id in (1, 2, 4, 5, 6):
        virtual.inject_fault(f"mute servo {servo_id}")
    code, said = so100("setup-motors", "--port", virtual.port, "--joint", "elbow_flex", console=make_console([""]))
    assert code == 0
    assert "elbow_flex: has id 3 at 1000000 baud already" in said


def test_nothing_is_written_while_two_servos_answer(so100: Run, factory: VirtualBus, make_console) -> None:
    console = make_console([connect(factory, 23, 24), connect(factory, unplug=(24,))])
    code, said = so100("setup-motors", "--port", factory.port, "--joint", "elbow_flex", console=console)
    assert "expected one servo, found ids 23, 24" in said
    assert code == 0
    assert (factory.get(3, "id"), factory.get(24, "id")) == (3, 24)


@pytest.mark.parametrize("on_top", [False, True])
def test_two_servos_with_one_id_are_refused(so100: Run, make_console, on_top: bool) -> None:
    """As bought, all have id 1."""
    servos = CollidingServos([(1, 2000), (1, 1771)], on_top)
    with scripted_port(servos.answer) as port:
        code, said = so100("setup-motors", "--port", port, "--joint", "gripper", console=make_console(["", "s"]))
    assert code == 1
    assert "2 with id 1" in said or "two servos have it" in said
    assert "0 of 1 servos set up" in said


def test_a_servo_that_is_not_there_is_asked_for_again(so100: Run, factory: VirtualBus, make_console) -> None:
    console = make_console(["", connect(factory, 26)])
    code, said = so100("setup-motors", "--port", factory.port, "--joint", "gripper", console=console)
    assert code == 0
    assert "none answers at any baud rate" in said
    assert "power supply" in said


def test_another_model_is_refused(so100: Run, factory: VirtualBus, make_console) -> None:
    factory.set(26, "model_number", 1284)
    console = make_console([connect(factory, 26), "s"])
    code, said = so100("setup-motors", "--port", factory.port, "--joint", "gripper", console=console)
    assert code == 1
    assert "expected model 777 (STS3215), found 1284" in said
    assert factory.get(26, "id") == 26


def test_an_input_that_has_ended_is_one_line_and_code_2(so100: Run, factory: VirtualBus) -> None:
    code, said = so100("setup-motors", "--port", factory.port)
    assert code == 2
    assert "needs a terminal" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--joint", "thumb"], "--joint: expected one of shoulder_pan, "),
        (["--baud-rate", "9600"], "--baud-rate: expected one of 1000000, "),
    ],
)
def test_arguments_that_make_no_sense_are_told(so100: Run, tmp_path: Path, words: list[str], message: str) -> None:
    code, said = so100("setup-motors", "--port", tmp_path / "none", *words)
    assert code == 2
    assert message in said
