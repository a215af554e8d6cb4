# SPDX-License-Identifier: Apache-2.0
"""Agents that nobody here wrote, called with `gofer call` through the embedded broker."""
import json
import threading

import pytest
from peers import gofer, node
from proton import Message
from proton.handlers import MessagingHandler
from proton.reactor import Container
from proton.utils import BlockingConnection


class PythonAgent(MessagingHandler):
    """Echo.say(text) as a Python program on qpid-proton would provide it."""

    def __init__(self, url, address):
        super().__init__()
        self.url, self.address = url, address
        self.requests, self.bodies = [], []
        self.ready = threading.Event()

    def on_start(self, event):
        self.connection = event.container.connect(self.url)
        event.container.create_receiver(self.connection, self.address)
        self.sender = event.container.create_sender(self.connection, None)

    def on_link_opened(self, event):
        if event.receiver:
            self.ready.set()

    def on_message(self, event):
        self.requests.append(event.message)
        request = json.loads(event.message.body)
        self.bodies.append(request)
        if not request["replyto"]:
            return
        common = {"sn": request["sn"], "version": "2.0", "routing": [None, request["replyto"]],
                  "data": request["data"], "timestamp": "2026-11-23T16:15:38Z"}
        for more in ({"status": "accepted"}, {"status": "started"},
                     {"status": "progress", "total": 2, "completed": 1, "details": "half"},
                     {"result": self.result(request["request"])}):
            self.sender.send(Message(address=request["replyto"],
                                     body=json.dumps({**common, **more})))

    @staticmethod
    def result(call):
        if (call["classname"], call["method"]) == ("Echo", "say"):
            return {"retval": call["args"][0]}
        return {"exval": "Traceback ... ValueError: no", "xmodule": "builtins",
                "xclass": "ValueError", "xstate": {"trace": "Traceback ... ValueError: no"},
                "xargs": ["no"]}


@pytest.fixture
def python_agent(broker):
    agent = PythonAgent(broker.url, "py")
    container = Container(agent)
    thread = threading.Thread(target=container.run, daemon=True)
    thread.start()
    assert agent.ready.wait(20)
    agent.place = broker
    yield agent
    container.stop()
    thread.join(10)


@pytest.fixture
def rhea_agent(broker):
    child = node("rhea_agent.js", str(broker.port), "js")
    assert child.stdout.readline().strip() == "ready", child.stderr.read()
    child.place = broker
    yield child
    child.terminate()
    child.wait(10)


def test_call_to_python_agent(python_agent):
    done = gofer("call", "-u", python_agent.place.url, "py", "Echo.say", "hello")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
    body = python_agent.bodies[0]
    assert set(body) == {"data", "pam", "replyto", "request", "routing", "secret", "sn", "version"}
    assert body["routing"] == [None, "py"] and body["version"] == "2.0"
    assert body["request"] == {"args": ["hello"], "classname": "Echo", "cntr": None, "kws": {},
                               "method": "say"}
    message = python_agent.requests[0]
    assert isinstance(message.body, str), "a Python agent reads nothing but an amqp-value string"
    assert message.correlation_id == body["sn"] and message.content_type == "application/json"
    assert message.reply_to == body["replyto"] and not message.durable


def test_call_to_python_agent_raises(python_agent):
    done = gofer("call", "-u", python_agent.place.url, "py", "Echo.shout", "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "ValueError: no" in done.stderr


def test_jsonl_prints_every_reply(python_agent):
    done = gofer("call", "-u", python_agent.place.url, "--jsonl", "py", "Echo.say", "x")
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r.get("status", "result") for r in replies] == ["accepted", "started", "progress",
                                                            "result"]


def test_fire_and_forget_is_durable_and_asks_for_no_reply(python_agent):
    done = gofer("call", "-u", python_agent.place.url, "-w", "0", "py", "Echo.say", "x")
    assert done.returncode == 0
    gofer("call", "-u", python_agent.place.url, "py", "Echo.say", "y")  # comes behind it
    assert python_agent.bodies[0]["sn"] == done.stdout.strip()
    assert python_agent.bodies[0]["replyto"] is None
    assert python_agent.requests[0].durable


def test_ttl_travels_in_the_header(python_agent):
    gofer("call", "-u", python_agent.place.url, "--ttl", "2m", "py", "Echo.say", "x")
    assert 110 <= python_agent.requests[0].ttl <= 120


def test_data_and_secret_travel(python_agent):
    gofer("call", "-u", python_agent.place.url, "-d", '{"task": 42}', "py", "Echo.say", "x",
          env={"GOFER_SECRET": "garfield"})
    assert python_agent.bodies[0]["data"] == {"task": 42}
    assert python_agent.bodies[0]["secret"] == "garfield"


def test_asynchronous_call_and_listener(python_agent):
    url = python_agent.place.url
    maker = BlockingConnection(url)
    maker.create_receiver("answers", credit=0)  # makes the queue
    maker.close()
    sent = gofer("call", "-u", url, "-r", "answers", "py", "Echo.say", "later")
    assert sent.returncode == 0, sent.stderr
    heard = gofer("call", "-u", url, "--jsonl", "--listen", "answers", "--count", "4", "-w", "30")
    assert heard.returncode == 0, heard.stderr
    replies = [json.loads(line) for line in heard.stdout.splitlines()]
    assert replies[-1]["result"] == {"retval": "later"}
    assert {r["sn"] for r in replies} == {sent.stdout.strip()}


def test_call_to_rhea_agent(rhea_agent):
    done = gofer("call", "-u", rhea_agent.place.url, "js", "Echo.say", "hello")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
    done = gofer("call", "-u", rhea_agent.place.url, "js", "Echo.shout")
    assert done.returncode == 1 and "ValueError: no" in done.stderr
