# SPDX-License-Identifier: Apache-2.0
"""The management node, as Qpid's clients and Python gofer's use it."""
import uuid

import pytest
from proton import Message
from proton.reactor import DynamicNodeProperties

from broker_peer import bodies, connect, flush, nothing_comes, relay, send

BROKER = "org.apache.qpid.broker:broker:amqp-broker"
QUEUE = "org.apache.qpid.broker:queue:"


class Failed(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class Qmf:
    """Speaks to qmf.default.direct through a reply queue asked for as Python gofer asks."""

    def __init__(self, connection):
        self.receiver = connection.create_receiver(
            None, dynamic=True, credit=10,
            options=DynamicNodeProperties({"x-opt-qd.address": "qmf.default.direct"}))
        self.sender = connection.create_sender("qmf.default.direct")
        self.reply_to = self.receiver.link.remote_source.address

    def request(self, body, opcode="_method_request", **override):
        properties = {"qmf.opcode": opcode, "x-amqp-0-10.app-id": "qmf2", "method": "request"}
        message = Message(body=body, reply_to=self.reply_to, subject="broker",
                          correlation_id=str(uuid.uuid4()), properties=properties)
        for name, value in override.items():
            setattr(message, name, value)
        self.sender.send(message)
        return message

    def ask(self, body, opcode="_method_request"):
        sent = self.request(body, opcode)
        reply = self.receiver.receive()
        self.receiver.accept()
        assert reply.correlation_id == sent.correlation_id
        assert reply.properties["method"] == "response"
        assert reply.properties["qmf.agent"] == "broker"
        return reply

    def call(self, method, arguments, target=BROKER):
        reply = self.ask({"_object_id": {"_object_name": target}, "_method_name": method,
                          "_arguments": arguments})
        assert reply.content_type == "amqp/map"
        if reply.properties["qmf.opcode"] == "_exception":
            values = reply.body["_values"]
            raise Failed(int(values["error_code"]), bytes(values["error_text"]).decode())
        assert reply.properties["qmf.opcode"] == "_method_response"
        assert reply.body == {"_arguments": {}}

    def create(self, kind, name, beside=None, **properties):
        self.call("create", {"strict": True, "name": name, "type": kind, **(beside or {}),
                             "properties": {k.replace("_", "-"): v for k, v in properties.items()}})

    def delete(self, kind, name):
        self.call("delete", {"strict": True, "name": name, "type": kind, "properties": {}})

    def query(self, name):
        """The values of an object, or None."""
        reply = self.ask({"_what": "OBJECT", "_object_id": {"_object_name": name}},
                         "_query_request")
        assert reply.content_type == "amqp/list"
        assert reply.properties["qmf.opcode"] == "_query_response"
        assert len(reply.body) <= 1
        return reply.body[0]["_values"] if reply.body else None


@pytest.fixture
def connection(broker):
    c = connect(broker)
    yield c
    c.close()


@pytest.fixture
def qmf(connection):
    return Qmf(connection)


def failure(action):
    with pytest.raises(Failed) as e:
        action()
    return e.value.code, e.value.text


def test_queues(qmf, connection):
    assert qmf.query(QUEUE + "q1") is None
    qmf.create("queue", "q1", durable=True, auto_delete=False, exclusive=False)
    assert failure(lambda: qmf.create("queue", "q1")) == (7, "object already exists: q1")
    values = qmf.query(QUEUE + "q1")
    assert values["durable"] is True and values["autoDelete"] is False
    counts = "msgDepth", "unackedMessages", "consumerCount", "bindingCount"
    assert [values[k] for k in counts] == [0, 0, 0, 0]
    assert relay(connection)("q1") == "accepted"
    qmf.delete("queue", "q1")
    assert failure(lambda: qmf.delete("queue", "q1")) == \
        (7, "not-found: Delete failed. No such queue: q1")
    assert relay(connection)("q1") == "released"


def test_depths(qmf, connection, broker):
    send(connection, "q1", *range(5))
    values = qmf.query(QUEUE + "q1")
    assert (values["msgDepth"], values["unackedMessages"], values["consumerCount"]) == (5, 0, 0)
    connection.create_receiver("q1", credit=0).link.flow(2)
    flush(connection)
    values = qmf.query(QUEUE + "q1")
    assert (values["msgDepth"], values["unackedMessages"], values["consumerCount"]) == (5, 2, 1)
    assert values["byteDepth"] > 0


def test_purge(qmf, connection):
    purge = lambda n, q="q1": qmf.call("purge", {"request": n}, QUEUE + q)
    send(connection, "q1", *range(5))
    purge(2)
    assert qmf.query(QUEUE + "q1")["msgDepth"] == 3
    purge(0)
    assert qmf.query(QUEUE + "q1")["msgDepth"] == 0
    assert failure(lambda: purge(0, "nope"))[0] == 1


def test_bindings(qmf, connection):
    qmf.create("exchange", "x1", beside={"exchange-type": "direct"}, durable=False)
    qmf.create("queue", "q1")
    to = relay(connection)
    assert to("x1/q1") == "released"
    qmf.create("binding", "x1/q1/q1")
    qmf.create("binding", "x1/q1/q1")
    assert to("x1/q1") == "accepted"
    assert to("x1", subject="q1") == "accepted"
    assert qmf.query(QUEUE + "q1")["bindingCount"] == 1
    values = qmf.query("org.apache.qpid.broker:exchange:x1")
    assert (values["type"], values["bindingCount"], values["durable"]) == ("direct", 1, False)
    qmf.delete("binding", "x1/q1/q1")
    qmf.delete("binding", "x1/q1/q1")
    assert to("x1/q1") == "released"
    qmf.delete("exchange", "x1")
    assert failure(lambda: qmf.delete("exchange", "x1")) == \
        (7, "not-found: Delete failed. No such exchange: x1")


def test_bindings_that_cannot_be(qmf):
    qmf.create("queue", "q1")
    assert failure(lambda: qmf.create("binding", "nope/q1/k")) == \
        (7, "not-found: Exchange not found: nope")
    assert failure(lambda: qmf.create("binding", "amq.direct/nope/k")) == \
        (7, "not-found: Queue not found: nope")
    assert failure(lambda: qmf.create("binding", "nonsense")) == (7, "invalid binding: nonsense")
    assert failure(lambda: qmf.delete("binding", "nope/q1/k"))[0] == 7


def test_slashes_in_names(qmf, connection):
    qmf.create("queue", "a/b")
    qmf.create("binding", "amq.direct/a/b/a/b")
    assert relay(connection)("amq.direct/a/b", "x") == "accepted"
    receiver = connection.create_receiver("a/b")
    assert bodies(receiver, 1) == ["x"]
    receiver.close()
    qmf.delete("queue", "a/b")
    assert relay(connection)("amq.direct/a/b") == "released"


@pytest.mark.parametrize("how, hit, miss", [
    ({"exchange_type": "topic"}, "a.b", "b.a"), ({"exchange_type": "direct"}, "a.#", "a.b"),
    ({"exchange_type": "fanout"}, "any", None), ({}, "a.x.y", "b")])
def test_exchange_types(qmf, connection, how, hit, miss):
    qmf.create("exchange", "x1", **how)
    qmf.create("queue", "q1")
    qmf.create("binding", "x1/q1/a.#")
    to = relay(connection)
    assert to("x1", subject=hit) == "accepted"
    assert not miss or to("x1", subject=miss) == "released"


def test_exchanges_of_the_brokers_own(qmf):
    assert failure(lambda: qmf.create("exchange", "amq.direct")) == \
        (7, "object already exists: amq.direct")
    for action in (lambda: qmf.delete("exchange", "amq.direct"),
                   lambda: qmf.create("exchange", "amq.mine"),
                   lambda: qmf.create("queue", "amq.mine")):
        code, text = failure(action)
        assert code == 7 and text.startswith("not-allowed: ")
    assert failure(lambda: qmf.create("exchange", "x", exchange_type="headers")) == \
        (7, "not-implemented: Exchange type not known: headers")


def test_bounds_of_a_queue(qmf, connection):
    qmf.call("create", {"type": "queue", "name": "q1", "properties": {"qpid.max_count": 2}})
    to = relay(connection)
    assert [to("q1") for _ in range(3)] == ["accepted", "accepted", "released"]


def test_auto_delete(qmf, connection):
    qmf.create("queue", "q1", auto_delete=True)
    assert qmf.query(QUEUE + "q1")["autoDelete"] is True
    a = connection.create_receiver("q1", name="a")
    b = connection.create_receiver("q1", name="b")
    a.close()
    assert qmf.query(QUEUE + "q1")
    b.close()
    assert qmf.query(QUEUE + "q1") is None


def test_unknown(qmf):
    assert failure(lambda: qmf.call("create", {"type": "queue"}, "nonsense"))[0] == 1
    assert failure(lambda: qmf.call("nonsense", {})) == (2, "UnknownMethod: nonsense")
    assert failure(lambda: qmf.create("link", "x"))[0] == 3
    assert failure(lambda: qmf.create("queue", ""))[0] == 7
    assert failure(lambda: qmf.create("queue", "n" * 600))[0] == 7
    assert qmf.query("nonsense") is None
    assert qmf.query(QUEUE) is None


@pytest.mark.parametrize("body, override", [
    ({}, {"properties": None}),
    ({}, {"properties": {"qmf.opcode": "_method_request"}}),
    ({}, {"properties": {"x-amqp-0-10.app-id": "qmf2"}}),
    ({}, {"properties": {"qmf.opcode": "_nonsense", "x-amqp-0-10.app-id": "qmf2"}}),
    ({"_method_name": "purge"}, {"reply_to": None}),
    ({"_method_name": "purge"}, {"reply_to": "nowhere"})])
def test_what_is_no_request_gets_no_reply(qmf, body, override):
    qmf.request(body, **override)
    assert nothing_comes(qmf.receiver)
    assert qmf.query(QUEUE + "nope") is None


@pytest.mark.parametrize("body", [None, "text", b"bytes", [1, 2], {"_object_id": 7}, {1: 2},
                                  {"_object_id": {"_object_name": None}}, {"_arguments": []}])
def test_bodies_that_make_no_sense(qmf, body):
    reply = qmf.ask(body)
    assert reply.properties["qmf.opcode"] == "_exception"
    assert reply.body["_values"]["error_code"] == 1


def test_as_python_gofer_declares(qmf, connection):
    """Exchange, queue, binding; a request; a reply to a queue that is there for one call only."""
    with pytest.raises(Failed) as e:  # which it takes for success
        qmf.create("exchange", "amq.direct", beside={"exchange-type": "direct"}, durable=True)
    assert e.value.code == 7
    qmf.create("queue", "agent", exclusive=False, auto_delete=False, durable=True)
    qmf.create("binding", "amq.direct/agent/agent")
    reply = str(uuid.uuid4())
    qmf.create("queue", reply, exclusive=False, auto_delete=False, durable=False)
    agent = connection.create_receiver("agent", credit=1)
    caller = connection.create_receiver(reply, credit=1)
    send(connection, "amq.direct/agent", "request", durable=True)
    assert bodies(agent, 1) == ["request"]
    send(connection, reply, "reply", durable=True)
    assert bodies(caller, 1) == ["reply"]
    caller.close()
    qmf.delete("queue", reply)
    assert qmf.query(QUEUE + reply) is None
