# SPDX-License-Identifier: Apache-2.0
import pytest
from peers import Peer, Starter


@pytest.fixture
def start(tmp_path):
    """start.agent(...), start.broker(...): processes that are ended with the test."""
    starter = Starter(str(tmp_path))
    yield starter
    starter.stop()


@pytest.fixture
def agent(start):
    """An agent that is its own broker, with the demo plugin on the queue `demo`."""
    return start.agent()


@pytest.fixture
def broker(start):
    return start.broker()


@pytest.fixture
def peer(agent):
    p = Peer(agent.url)
    yield p
    p.close()
