# SPDX-License-Identifier: Apache-2.0
"""Queues of `gofer broker`, with qpid-proton's clients."""
import os
import signal
import subprocess
import sys
import time

import pytest
from proton import Message, uint
from proton.reactor import AtMostOnce

from broker_peer import Frames, NEVER, bodies, connect, flush, nothing_comes, outcome, relay, send
from peers import SLOW


@pytest.fixture
def connection(broker):
    c = connect(broker)
    yield c
    c.close()


def test_in_order(connection):
    send(connection, "q", *range(50))
    receiver = connection.create_receiver("q", credit=100)
    assert bodies(receiver, 50) == list(range(50))
    assert nothing_comes(receiver)


@pytest.mark.parametrize("body", ["text", b"bytes", {"a": [1, None, 2.5]}, [], None, "ä€\0x", 7])
def test_bodies_and_properties_come_as_they_went(connection, body):
    sent = Message(body=body, id="m1", correlation_id="c1", subject="s", reply_to="r",
                   content_type="text/x", durable=True, priority=9, user_id=b"u",
                   properties={"k": "v", "n": 1}, annotations=None, group_id="g")
    sender = connection.create_sender("q")
    sender.send(sent)
    got = connection.create_receiver("q").receive()
    for name in ("body", "id", "correlation_id", "subject", "reply_to", "content_type", "durable",
                 "priority", "user_id", "properties", "group_id", "delivery_count"):
        assert getattr(got, name) == getattr(sent, name), name


def test_large_messages(connection):
    sizes = [0, 1, 70_000, 1_000_000, 15_000_000]
    receiver = connection.create_receiver("q", credit=10)
    sender = connection.create_sender("q")
    for n in sizes:
        sender.send(Message(body=b"x" * n))
        assert len(receiver.receive().body) == n
        receiver.accept()


def test_competing_consumers_share(connection, broker):
    other = connect(broker)
    a = connection.create_receiver("q", credit=100)
    b = other.create_receiver("q", credit=100)
    send(connection, "q", *range(20))
    got = bodies(a, 10), bodies(b, 10)
    assert sorted(got[0] + got[1]) == list(range(20))
    assert nothing_comes(a) and nothing_comes(b)
    other.close()


def test_a_consumer_without_credit_gets_nothing(connection, broker):
    other = connect(broker)
    other.create_receiver("q", credit=0)
    send(connection, "q", *range(10))
    assert bodies(connection.create_receiver("q", credit=100), 10) == list(range(10))
    other.close()


@pytest.mark.parametrize("settle, again", [
    (lambda r: r.accept(), None), (lambda r: r.reject(), None),
    (lambda r: r.release(delivered=False), 0), (lambda r: r.release(delivered=True), 1)])
def test_outcomes(connection, settle, again):
    send(connection, "q", "x")
    receiver = connection.create_receiver("q", credit=1)
    assert receiver.receive().delivery_count == 0
    settle(receiver)
    if again is None:
        assert nothing_comes(receiver)
    else:
        message = receiver.receive()
        assert (message.body, message.delivery_count) == ("x", again)


def test_counts_add_up(connection):
    sender = connection.create_sender("q")
    message = Message(body="x", ttl=600)
    message.delivery_count = 3
    sender.send(message)
    receiver = connection.create_receiver("q", credit=1)
    for expected in (3, 4, 5, 6):
        message = receiver.receive()
        assert message.delivery_count == expected
        receiver.release(delivered=True)


def test_released_keeps_its_place(connection, broker):
    send(connection, "q", *range(6))
    other = connect(broker)
    receiver = other.create_receiver("q", credit=3)
    for _ in range(3):
        receiver.receive()
    other.close()
    assert bodies(connection.create_receiver("q", credit=10), 6) == list(range(6))


def test_a_closed_link_gives_back(connection):
    send(connection, "q", "a", "b")
    receiver = connection.create_receiver("q", credit=5)
    receiver.receive()
    receiver.close()
    again = connection.create_receiver("q", credit=5)
    got = [again.receive(), again.receive()]
    assert [(m.body, m.delivery_count) for m in got] == [("a", 1), ("b", 1)]


HOLDER = """
import sys, time
from proton.utils import BlockingConnection
c = BlockingConnection(sys.argv[1])
r = c.create_receiver("q", credit=10)
for _ in range(3):
    r.receive()
print("holding", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_client_gives_back(connection, broker, signum):
    send(connection, "q", *range(3))
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, broker.url], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"holding\n"
    receiver = connection.create_receiver("q", credit=10)
    assert nothing_comes(receiver)
    os.kill(holder.pid, signum)
    holder.wait()
    got = [receiver.receive() for _ in range(3)]
    assert [(m.body, m.delivery_count) for m in got] == [(0, 1), (1, 1), (2, 1)]


def test_ttl(connection):
    send(connection, "q", "short", ttl=0.2)
    send(connection, "q", "long", ttl=600)
    send(connection, "q", "ever")
    time.sleep(0.5)
    receiver = connection.create_receiver("q", credit=10)
    message = receiver.receive()
    assert message.body == "long" and 590 < message.ttl <= 599.6
    assert receiver.receive().body == "ever"


def test_expired_messages_make_room(start):
    broker = start.broker("--queue-messages", "4")
    connection = connect(broker)
    send(connection, "q", *range(4), ttl=0.2)
    sender = connection.create_sender("q")
    sender.send(Message(body="later"), timeout=10 * SLOW)  # there is no consumer: the timer does it
    assert connection.create_receiver("q").receive().body == "later"


def test_drain(connection):
    send(connection, "q", "a", "b")
    receiver = connection.create_receiver("q", credit=0)
    receiver.link.drain(10)
    connection.wait(lambda: receiver.link.credit == len(receiver.fetcher.incoming),
                    msg="the end of the drain")
    assert [receiver.receive().body for _ in range(2)] == ["a", "b"]
    connection.wait(lambda: not receiver.link.credit, msg="no credit left")
    send(connection, "q", "c")
    assert not receiver.fetcher.has_message


def test_settled_in_advance(connection):
    sender = connection.create_sender("q", options=AtMostOnce())
    sender.link.send(Message(body="x"))
    receiver = connection.create_receiver("q", credit=5, options=AtMostOnce())
    assert receiver.receive().body == "x"
    receiver.close()
    assert nothing_comes(connection.create_receiver("q", credit=5))


def test_a_full_queue_gives_no_credit(start):
    broker = start.broker("--queue-messages", "10")
    connection, other = connect(broker), connect(broker)
    sender = connection.create_sender("q")
    assert sender.link.credit == 10
    for i in range(10):
        sender.send(Message(body=i))
    with pytest.raises(Exception) as e:
        sender.send(Message(body=10), timeout=NEVER)
    assert type(e.value).__name__ == "Timeout"
    receiver = other.create_receiver("q", credit=20)
    assert bodies(receiver, 10) == list(range(10))
    connection.wait(lambda: sender.link.credit > 0, timeout=10 * SLOW, msg="credit")
    flush(connection)
    assert bodies(receiver, 1) == [10]  # it was only waiting
    for i in range(100):
        sender.send(Message(body=i))
        assert bodies(receiver, 1) == [i]
    connection.close()
    other.close()


def test_a_queue_full_of_bytes(start):
    broker = start.broker("--queue-bytes", "100000")
    connection = connect(broker)
    to = relay(connection)
    receiver = connection.create_receiver("q", credit=0)
    assert to("q", b"x" * 60000) == "accepted"
    assert to("q", b"x" * 60000) == "accepted"
    assert to("q", b"x") == "released"
    receiver.link.flow(1)
    assert bodies(receiver, 1) == [b"x" * 60000]
    assert to("q", b"x") == "accepted"


def test_a_message_too_large(start):
    broker = start.broker("--message-bytes", "100000")
    connection = connect(broker)
    sender = connection.create_sender("q")
    assert sender.link.remote_max_message_size == 100000
    sender.send(Message(body=b"x" * 90000))
    with pytest.raises(Exception) as e:
        sender.send(Message(body=b"x" * 200000))
    assert "message-size-exceeded" in str(e.value)
    again = connection.create_sender("q")
    assert outcome(lambda: again.send(Message(body="still here"))) == "accepted"


def test_a_receiver_of_small_messages(connection, broker):
    """What its attach says that it can't take waits for others, and holds up nothing."""
    send(connection, "q", "large" * 100, "small")
    frames = Frames(broker.port)
    frames.open()
    frames.attach_receiver("modest", "q", largest=100)
    frames.read(b"modest")
    frames.credit(10)
    assert b"largelarge" not in frames.read(b"small")
    frames.credit(10, count=1, drain=True)  # whose answer comes behind all that there is
    flow = b"\x00\x53\x13"
    frames.buffer = b""
    assert b"largelarge" not in frames.read(flow)
    assert bodies(connection.create_receiver("q", credit=1), 1) == ["large" * 100]
    frames.close()


def test_a_session_that_ends_gives_back(connection, broker):
    """Its connection goes on, and so may the next session on the same channel."""
    send(connection, "q", "x")
    frames = Frames(broker.port)
    frames.open()
    for _ in range(3):
        frames.attach_receiver("again", "q")
        frames.read(b"again")
        frames.credit(1)
        frames.read(b"\xa1\x01x")
        frames.buffer = b""
        frames.frame(0x17)
        frames.read(b"\x00\x53\x17")
        frames.buffer = b""
        frames.frame(0x11, None, uint(0), uint(100), uint(100))
    receiver = connection.create_receiver("q", credit=1)
    assert receiver.receive().delivery_count == 3
    receiver.accept()
    frames.close()


def test_many_messages_from_many(broker):
    clients = [connect(broker) for _ in range(5)]
    senders = [c.create_sender("q") for c in clients]
    for i in range(100):
        senders[i % 5].send(Message(body=i))
    receivers = [c.create_receiver("q", credit=20) for c in clients]
    got = [b for r in receivers for b in bodies(r, 20)]
    assert sorted(got) == list(range(100))
    for c in clients:
        c.close()


def resident(broker):
    with open(f"/proc/{broker.process.pid}/statm") as f:
        return int(f.read().split()[1]) * 4096


@pytest.mark.skipif(bool(os.environ.get("SANITIZE")), reason="a sanitizer's memory is its own")
def test_a_slow_consumer_is_not_read_ahead_for(connection, broker):
    """What it has credit for stays in the queue, once, until its connection can take more."""
    slow = connect(broker)
    receiver = slow.create_receiver("q", credit=0)
    receiver.link.flow(1000)
    flush(slow)
    sender = connection.create_sender("q")
    before = resident(broker)
    for i in range(100):
        sender.send(Message(body=bytes([i]) * 500_000))
    assert resident(broker) - before < 80_000_000
    for i in range(100):
        assert receiver.receive().body[0] == i
        receiver.accept()
    slow.close()


@pytest.mark.skipif(bool(os.environ.get("SANITIZE")), reason="a sanitizer keeps what is freed")
def test_memory_is_given_back(connection, broker):
    def some():
        sender = connection.create_sender("q", options=AtMostOnce())
        receiver = connection.create_receiver("q", credit=500)
        for i in range(2000):
            sender.link.send(Message(body="x" * 300))
            if i % 100 == 99:
                bodies(receiver, 100)
        sender.close()
        receiver.close()

    some()
    before = resident(broker)
    for _ in range(3):
        some()
    assert resident(broker) - before < 1_000_000
