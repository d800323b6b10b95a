from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import settings

# a busy host is no failure
settings.register_profile("any_host", deadline=None)
settings.load_profile("any_host")

# Above 101 a domain's ports lie where Linux hands out its own; the process id keeps test runs beside each other apart
_domains = itertools.count(os.getpid())


@pytest.fixture
def ros_domain() -> int:
    """A ROS domain that nobody else on this host is likely to use."""
    return 10 + next(_domains) % 90
