"""Errors of a running graph, with messages for the operator. No ROS here, so that any host can name them."""


class SessionError(RuntimeError):
    """The graph did not come up, or part of it died. The message says which and why."""


class OperatorError(RuntimeError):
    """The graph did not answer. The message says which part."""


class ReportMissing(RuntimeError):
    """There is no such report, or it has no such column."""


class RosMissing(RuntimeError):
    """A command needs ROS and this host has none."""
