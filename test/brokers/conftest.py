# SPDX-License-Identifier: Apache-2.0
import pytest
from peers import Place
from rabbitmq import RabbitMQ


@pytest.fixture(scope="session")
def rabbit_node(tmp_path_factory):
    node = RabbitMQ(str(tmp_path_factory.mktemp("rabbitmq")))
    yield node
    node.stop()


@pytest.fixture
def rabbit(rabbit_node):
    return Place(rabbit_node, rabbit_node.port)

