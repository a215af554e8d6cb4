# SPDX-License-Identifier: Apache-2.0
"""The short forms of `make torture`, but for the one that needs a broker with a store."""
import pytest
from torture.short import short


@pytest.mark.parametrize("part", ["kill", "network", "disk", "damage", "million", "sync", "start",
                                  "reload", "cancel", "again"])
def test_short(part):
    short(part)
