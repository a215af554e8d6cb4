# SPDX-License-Identifier: Apache-2.0
"""Where messages go: relay, exchanges, dynamic queues, and addresses that lead nowhere."""
import pytest
from proton import Described, Message, symbol
from proton.reactor import Copy, LinkOption
from proton.utils import LinkDetached

from broker_peer import (bodies, connect, detached_with, dynamic, nothing_comes, outcome, relay,
                         send)
from peers import SLOW
from test_broker_qmf import Qmf


@pytest.fixture
def connection(broker):
    c = connect(broker)
    yield c
    c.close()


def test_what_the_broker_says_of_itself(connection):
    assert connection.conn.remote_properties["product"] == "gofer"
    assert connection.conn.remote_properties["version"]
    assert "ANONYMOUS-RELAY" in list(connection.conn.remote_offered_capabilities)


# --- relay ---


def test_relay(connection):
    to = relay(connection)
    assert to("q") == "released"
    receiver = connection.create_receiver("q", credit=10)
    assert to("q", "there") == "accepted"
    assert bodies(receiver, 1) == ["there"]
    assert to(None) == "rejected"
    assert to("") == "rejected"
    assert to("amq.nope") == "released"
    assert to("q", "still") == "accepted"


def test_relay_to_exchanges(connection):
    to = relay(connection)
    receiver = connection.create_receiver("amq.direct/k", credit=10)
    assert to("amq.direct/k", 1) == "accepted"
    assert to("amq.direct", 2, subject="k") == "accepted"
    assert to("amq.direct/k", 3, subject="other") == "accepted"
    assert to("amq.direct", 4, subject="other") == "released"
    assert to("amq.direct/other", 5) == "released"
    assert to("amq.direct", 6) == "released"
    assert bodies(receiver, 3) == [1, 2, 3]


def test_many_queues_through_one_relay(connection):
    receivers = [dynamic(connection) for _ in range(30)]
    to = relay(connection)
    for i, (_, address) in enumerate(receivers):
        assert to(address, i) == "accepted"
    for i, (receiver, _) in enumerate(receivers):
        assert bodies(receiver, 1) == [i]


def test_a_queue_that_is_full_does_not_stop_the_others(start):
    broker = start.broker("--queue-messages", "3")
    connection = connect(broker)
    to = relay(connection)
    connection.create_receiver("full", credit=0)
    other = connection.create_receiver("other", credit=100)
    for _ in range(3):
        assert to("full") == "accepted"
    for i in range(20):
        assert to("full") == "released"
        assert to("other", i) == "accepted"
        assert bodies(other, 1) == [i]


# --- exchanges ---


def test_fanout(connection):
    a = connection.create_receiver("amq.fanout", name="a", credit=10)
    b = connection.create_receiver("amq.fanout", name="b", credit=10)
    send(connection, "amq.fanout", "x", subject="whatever")
    assert bodies(a, 1) == bodies(b, 1) == ["x"]


class Filter(LinkOption):
    def __init__(self, kind, key):
        name = symbol(f"apache.org:legacy-amqp-{kind}-binding:string")
        self.filter = {symbol("f"): Described(name, key)}

    def apply(self, link):
        link.source.filter.put_dict(self.filter)


@pytest.mark.parametrize("kind, exchange, key, hit, miss", [
    ("topic", "amq.topic", "news.#", "news.a.b", "old.a"),
    ("topic", "amq.topic", "*.x", "a.x", "a.b.x"),
    ("direct", "amq.direct", "k", "k", "j")])
def test_filters(connection, kind, exchange, key, hit, miss):
    receiver = connection.create_receiver(exchange, credit=10, options=Filter(kind, key))
    sender = connection.create_sender(exchange)
    assert outcome(lambda: sender.send(Message(subject=miss))) == "released"
    assert outcome(lambda: sender.send(Message(subject=hit, body="hit"))) == "accepted"
    assert bodies(receiver, 1) == ["hit"]


def test_a_topic_without_a_filter_is_everything(connection):
    receiver = connection.create_receiver("amq.topic", credit=10)
    send(connection, "amq.topic", 1, subject="a.b")
    send(connection, "amq.topic", 2)
    assert bodies(receiver, 2) == [1, 2]


def test_a_subscription_goes_with_its_receiver(connection):
    receiver = connection.create_receiver("amq.direct/k", credit=10)
    to = relay(connection)
    assert to("amq.direct/k") == "accepted"
    receiver.close()
    assert to("amq.direct/k") == "released"


def test_a_full_queue_behind_an_exchange(start):
    """All or nothing: a message that one of them could not take is the sender's still."""
    broker = start.broker("--queue-messages", "2")
    connection = connect(broker)
    connection.create_receiver("amq.fanout", name="slow", credit=0)
    quick = connection.create_receiver("amq.fanout", name="quick", credit=100)
    sender = connection.create_sender("amq.fanout")
    for i in range(2):
        assert outcome(lambda: sender.send(Message(body=i))) == "accepted"
    assert bodies(quick, 2) == [0, 1]
    assert outcome(lambda: sender.send(Message(body=2))) == "released"
    assert nothing_comes(quick)


def test_slashes_in_queue_names(connection):
    send(connection, "no-exchange/q", "x")
    assert bodies(connection.create_receiver("no-exchange/q"), 1) == ["x"]


# --- dynamic ---


def test_dynamic(connection, broker):
    receiver, address = dynamic(connection)
    other, second = dynamic(connection)
    assert address != second and receiver.link.remote_source.dynamic
    sender = connection.create_sender(address)
    sender.send(Message(body="x"))
    assert bodies(receiver, 1) == ["x"]
    sender.close()
    receiver.close()
    client = connect(broker)
    assert relay(client)(address) == "released"
    assert relay(client)(second) == "accepted"
    assert detached_with(lambda: client.create_sender(address)) == "amqp:not-found"
    client.close()


def test_dynamic_queues_go_with_their_connection(connection, broker):
    other = connect(broker)
    _, address = dynamic(other)
    to = relay(connection)
    assert to(address) == "accepted"
    other.close()
    assert to(address) == "released"


# --- nowhere ---


@pytest.mark.parametrize("address", ["amq.nope", "qmf.nope", "temp.0c1d"])
def test_not_found(connection, address):
    assert detached_with(lambda: connection.create_sender(address)) == "amqp:not-found"
    assert detached_with(lambda: connection.create_receiver(address)) == "amqp:not-found"
    send(connection, "q", "the connection is well")


def test_other_refusals(connection):
    assert detached_with(lambda: connection.create_receiver("qmf.default.direct")) == \
        "amqp:invalid-field"
    assert detached_with(lambda: connection.create_receiver("n" * 600)) == "amqp:invalid-field"
    assert detached_with(lambda: connection.create_receiver("q", options=Copy())) == \
        "amqp:not-implemented"


def test_resource_deleted(connection, broker):
    receiver = connection.create_receiver("q", credit=5)
    sender = connection.create_sender("q")
    other = connect(broker)
    Qmf(other).delete("queue", "q")
    with pytest.raises(LinkDetached) as e:
        for _ in range(50):
            receiver.receive(timeout=10 * SLOW)
    assert e.value.condition == "amqp:resource-deleted"
    with pytest.raises(Exception) as e:
        sender.send(Message(body="x"))
    assert "resource-deleted" in str(e.value) or "LinkDetached" in type(e.value).__name__
    send(connection, "q", "anew")
    assert bodies(connection.create_receiver("q", name="again"), 1) == ["anew"]
    other.close()


def test_a_deleted_queue_with_unsettled_messages(connection, broker):
    send(connection, "q", 1, 2)
    receiver = connection.create_receiver("q", credit=5)
    receiver.receive()
    other = connect(broker)
    Qmf(other).delete("queue", "q")
    with pytest.raises(LinkDetached):
        receiver.accept()
        for _ in range(3):
            receiver.receive(timeout=5 * SLOW)
    assert nothing_comes(other.create_receiver("q", credit=5))
    other.close()
