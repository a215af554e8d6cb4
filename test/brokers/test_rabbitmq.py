# SPDX-License-Identifier: Apache-2.0
"""Agent and call through RabbitMQ 3.10, with AMQP 0-9-1 programs at either end.

The 0-9-1 programs do what gofer's Python system does on RabbitMQ: python3-amqp, durable
messages, plain JSON text, published to the exchange '' with the queue's name as the key.
"""
import json
import threading
import time
import uuid

import amqp
import pytest
from peers import gofer, request, wait_for


class Caller091:
    def __init__(self, port):
        self.connection = amqp.Connection(f"127.0.0.1:{port}", userid="guest", password="guest")
        self.connection.connect()
        self.channel = self.connection.channel()
        self.replyto = str(uuid.uuid4())
        self.channel.queue_declare(self.replyto, durable=False, auto_delete=False)
        self.got = []
        self.tag = self.channel.basic_consume(self.replyto, callback=self.on_message, no_ack=True)

    def on_message(self, message):
        self.got.append(json.loads(message.body))

    def send(self, queue, body):
        self.channel.basic_publish(
            amqp.Message(body if isinstance(body, str) else json.dumps(body), delivery_mode=2,
                         content_encoding="utf-8"), exchange="", routing_key=queue)

    def replies(self, limit=30):
        end = time.monotonic() + limit
        while not (self.got and ("result" in self.got[-1]
                                 or self.got[-1].get("status") == "rejected")):
            assert time.monotonic() < end, self.got
            try:
                self.connection.drain_events(timeout=0.5)
            except TimeoutError:
                pass
        got, self.got = self.got, []
        return got

    def call(self, queue, classname, method, *args, **keys):
        self.send(queue, request(classname, method, *args, replyto=self.replyto, **keys))
        return self.replies()

    def close(self):
        self.channel.basic_cancel(self.tag)
        self.channel.queue_delete(self.replyto)
        self.connection.close()


@pytest.fixture
def queue():
    return f"agent-{uuid.uuid4()}"


@pytest.fixture
def rabbit_agent(start, rabbit, queue):
    place = start.agent(broker=rabbit, plugin=f"demo={queue}")
    place.queue = queue
    return place


def test_call_through_rabbitmq(rabbit, rabbit_agent):
    done = gofer("call", "-u", rabbit.url, rabbit_agent.queue, "Demo.echo", "hello")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
    done = gofer("call", "-u", rabbit.url, rabbit_agent.queue, "Demo.fail", "no luck")
    assert done.returncode == 1 and "no luck" in done.stderr
    done = gofer("call", "-u", rabbit.url, "--jsonl", rabbit_agent.queue, "Demo.count", "3")
    kinds = [json.loads(line).get("status", "result") for line in done.stdout.splitlines()]
    assert kinds == ["accepted", "started"] + ["progress"] * 3 + ["result"]


def test_many_calls_over_one_reply_queue(rabbit, rabbit_agent):
    done = gofer("call", "-u", rabbit.url, "-n", "500", "-C", "8", "--json", rabbit_agent.queue,
                 "Demo.echo", "hello")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["failed"] == 0 and json.loads(done.stdout)["calls"] == 500


def test_credentials(rabbit, rabbit_agent):
    def call(user):
        return gofer("call", "-u", f"amqp://{user}@127.0.0.1:{rabbit.port}", rabbit_agent.queue,
                     "Demo.hello")
    assert call("guest:guest").returncode == 0
    assert call("guest:wrong").returncode == 77


def test_virtual_host_that_does_not_exist(rabbit):
    done = gofer("call", "-u", f"{rabbit.url}/nowhere", "-w", "20", "any", "Demo.hello")
    assert done.returncode in (69, 77) and "nowhere" in done.stderr


def test_caller_on_091_reads_every_reply(rabbit, rabbit_agent):
    caller = Caller091(rabbit.port)
    replies = caller.call(rabbit_agent.queue, "Demo", "echo", "hello", data={"task": 1})
    assert [r.get("status", "result") for r in replies] == ["accepted", "started", "result"]
    assert replies[-1]["result"] == {"retval": "hello"} and replies[-1]["data"] == {"task": 1}
    assert caller.call(rabbit_agent.queue, "Demo", "hello", version="1.0")[0]["status"] == \
        "rejected"
    body = request("Demo", "fail", "no", replyto=caller.replyto)
    caller.send(rabbit_agent.queue, body)
    assert caller.replies()[-1]["result"]["xclass"] == "Exception"
    caller.close()


def test_garbage_from_091_does_not_come_back(rabbit, rabbit_agent):
    caller = Caller091(rabbit.port)
    for body in ("{not json", "[1]", "", "x" * 10_000_000):
        caller.send(rabbit_agent.queue, body)
    assert caller.call(rabbit_agent.queue, "Demo", "hello")[-1]["result"]["retval"]
    assert caller.channel.queue_declare(rabbit_agent.queue, passive=True).message_count == 0
    caller.close()


def test_agent_on_091_is_called(rabbit, queue):
    """An agent that reads plain bytes, as the Python one does, understands our request."""
    connection = amqp.Connection(f"127.0.0.1:{rabbit.port}", userid="guest", password="guest")
    connection.connect()
    channel = connection.channel()
    channel.queue_declare(queue, durable=True, auto_delete=False)
    bodies, stop = [], threading.Event()

    def on_message(message):
        body = json.loads(message.body)
        bodies.append(body)
        for more in ({"status": "accepted"}, {"status": "started"},
                     {"result": {"retval": body["request"]["args"]}}):
            reply = {"sn": body["sn"], "version": "2.0", "routing": [None, body["replyto"]],
                     "data": body["data"], "timestamp": "2026-11-23T16:15:38Z", **more}
            channel.basic_publish(amqp.Message(json.dumps(reply), delivery_mode=2), exchange="",
                                  routing_key=body["replyto"])
        channel.basic_ack(message.delivery_tag)

    def serve():
        channel.basic_consume(queue, callback=on_message)
        while not stop.is_set():
            try:
                connection.drain_events(timeout=0.2)
            except TimeoutError:
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        done = gofer("call", "-u", rabbit.url, "--json", queue, "Dog.bark", "h\u00e9", "7")
    finally:
        stop.set()
        thread.join()
        connection.close()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == {"retval": ["h\u00e9", 7]}
    assert bodies[0]["routing"] == [None, queue]


def test_request_waits_for_an_agent_that_is_away(start, rabbit, queue):
    first = start.agent(broker=rabbit, plugin=f"demo={queue}")
    assert first.process.stop() == 0
    caller = Caller091(rabbit.port)
    caller.send(queue, request("Demo", "echo", "waited", replyto=caller.replyto))
    start.agent(broker=rabbit, plugin=f"demo={queue}")
    assert caller.replies()[-1]["result"] == {"retval": "waited"}
    caller.close()


def test_broker_killed_in_mid_call(start, rabbit, rabbit_node, queue):
    """kill -9 of the broker while a method runs: the result comes once it is back."""
    agent = start.agent(broker=rabbit, plugin=f"demo={queue}")
    replies = f"replies-{queue}"
    keeper = Caller091(rabbit.port)
    keeper.channel.queue_declare(replies, durable=True, auto_delete=False)
    keeper.send(queue, request("Demo", "sleep", 12, replyto=replies))
    wait_for(lambda: keeper.channel.queue_declare(replies, passive=True).message_count >= 2,
             "the call to start")
    time.sleep(3)  # what RabbitMQ 3.10 knows of a new queue is on its disk only after a while
    rabbit_node.kill()
    rabbit_node.start()
    caller = Caller091(rabbit.port)
    caller.channel.basic_consume(replies, callback=caller.on_message, no_ack=True)
    assert caller.replies(60)[-1]["result"] == {"retval": 12}
    # and takes requests again
    wait_for(lambda: gofer("call", "-u", rabbit.url, "-w", "5", queue, "Demo.hello").returncode
             == 0, "the agent to be back", 60)
    assert agent.process.alive()
    caller.close()
