# SPDX-License-Identifier: Apache-2.0
"""rhea's senders and receivers on `gofer broker`."""
import json

import pytest

from peers import SLOW, node

EXPECTED = {
    "thousand": {"received": 1000, "accepted": 1000},
    "outcomes": [["a", 0], ["a", 1], ["a", 1], ["a", 2], ["b", 0]],
    "undeliverable_here": ["a", "b", 1],
    "relay": ["accepted", "rejected", "released", "x"],
    "drain": [0, 1, 2],
    "settled": ["x", True],
    "topic": ["accepted", "released", "x"],
    "refused": ["amqp:not-found", "amqp:not-found", "accepted"],
    "large": 3000000,
}


@pytest.mark.parametrize("scenario", EXPECTED)
def test_rhea(broker, scenario):
    child = node("broker_rhea.js", str(broker.port), scenario)
    out, err = child.communicate(timeout=60 * SLOW)
    assert child.returncode == 0, err
    assert json.loads(out) == EXPECTED[scenario]
