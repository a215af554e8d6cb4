# SPDX-License-Identifier: Apache-2.0
"""The short form of the part of `make torture` that needs a broker with a store."""
from torture.short import short


def test_the_broker_is_killed():
    short("broker")
