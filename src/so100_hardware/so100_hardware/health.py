"""The driver's state as an operator reads it on /diagnostics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from so100_hardware.arm_driver import ArmDriver, DriverCounters

# The error bits of a servo's replies.
ERROR_BITS = {1: "voltage", 2: "angle sensor", 4: "overheating", 8: "over-current", 32: "overload"}
HOT_C = 60.0  # the servo turns itself off at 70


class Level(IntEnum):
    """diagnostic_msgs/DiagnosticStatus's levels."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Health:
    """One status: `name` of what, `message` for people, `values` for tools."""

    level: Level
    name: str
    message: str
    values: dict[str, str]


def error_text(bits: int) -> str:
    """The names of the bits that are set, '' for none."""
    return ", ".join(ERROR_BITS.get(1 << k, f"bit {k}") for k in range(8) if bits >> k & 1)


class HealthReporter:
    """Compares the counters with those of the report before."""

    def __init__(self) -> None:
        self._before = DriverCounters()

    def report(self, driver: ArmDriver) -> list[Health]:
        """The bus first, then each joint that has ever been read."""
        counters = replace(driver.counters)
        failed = counters.failed_reads - self._before.failed_reads
        cycles = counters.cycles - self._before.cycles
        self._before = counters
        if not driver.connected:
            level, message = Level.ERROR, f"bus lost, trying to reconnect: {driver.trouble}"
        elif failed:
            level, message = Level.WARN, f"{failed} of the last {cycles} reads failed"
        else:
            level, message = Level.OK, "following a trajectory" if driver.following else "holding"
        values = {name: str(value) for name, value in vars(counters).items()}
        values["clamped_goals"] = str(driver.clamped_goals)
        bus = driver.bus_counters
        if bus is not None:
            for name in ("requests", "retries", "failures", "discarded_bytes", "checksum_errors", "foreign_packets"):
                values[f"bus_{name}"] = str(getattr(bus, name))
        return [Health(level, "servo bus", message, values), *self._joints(driver)]

    @staticmethod
    def _joints(driver: ArmDriver) -> list[Health]:
        state = driver.last_state
        if state is None:
            return []
        rows = []
        for i, name in enumerate(driver.description.joint_names):
            errors = error_text(int(state.error_bits[i]))
            temperature_c = float(state.temperature_c[i])
            level, message = Level.OK, "ok"
            if temperature_c >= HOT_C:
                level, message = Level.WARN, f"hot: {temperature_c:.0f} C"
            if errors:
                level, message = Level.ERROR, f"servo reports: {errors}"
            values = {
                "temperature_c": f"{temperature_c:.0f}",
                "voltage_v": f"{state.voltage_v[i]:.1f}",
                "current_a": f"{state.current_a[i]:.3f}",
                "load": f"{state.effort[i]:.3f}",
                "error_bits": str(int(state.error_bits[i])),
            }
            rows.append(Health(level, f"joint {name}", message, values))
        return rows
