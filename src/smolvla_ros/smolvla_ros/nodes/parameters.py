"""Parameters of a node as a table: name, default, what it is for, and the range it may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node


@dataclass(frozen=True)
class Parameter:
    """`bounds` are inclusive; None where any value will do. A `live` one may change while the node works."""

    name: str
    default: Any
    description: str
    bounds: tuple[float, float] | None = None
    live: bool = False


def declare(node: Node, parameters: tuple[Parameter, ...], read_only: bool = True) -> dict[str, Any]:
    """Declares them and returns their values. rclpy refuses values outside the bounds."""
    values = {}
    for parameter in parameters:
        descriptor = ParameterDescriptor(description=parameter.description, read_only=read_only)
        if parameter.bounds and isinstance(parameter.default, float):
            low, high = parameter.bounds
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
        elif parameter.bounds:
            low, high = parameter.bounds
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
        values[parameter.name] = node.declare_parameter(parameter.name, parameter.default, descriptor).value
    return values
