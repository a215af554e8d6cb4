# SPDX-License-Identifier: Apache-2.0
"""Management: an agent asked over its unix socket and over TCP, as Python gofer 2.x asks, by those
who ask badly, and by gofer admin."""
import json
import os
import socket
import threading

import pytest
from managed import Managed, Socket, encode
from peers import SLOW, Peer, free_port, gofer, listens, request, wait_for
from prometheus_client.openmetrics.parser import text_string_to_metric_families

LIMIT = 65536


class Method:
    """One method of management, called as the Python system's own client does: everything in one
    send, the reply in one receive of 4096 bytes."""

    def __init__(self, port, name):
        self.port, self.name = port, name

    def __call__(self, *args, **kwargs):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.settimeout(20 * SLOW)
            s.connect(("localhost", self.port))
            s.send(json.dumps({"name": self.name, "args": args, "kwargs": kwargs}).encode())
            reply = json.loads(s.recv(4096))
        return reply["code"], reply["result"]


class Client:
    def __init__(self, port):
        self.port = port

    def __getattr__(self, name):
        return Method(self.port, name)


@pytest.fixture
def agent(start, tmp_path):
    return Managed(start, str(tmp_path))


@pytest.fixture
def peer(agent):
    p = Peer(agent.url)
    yield p
    p.close()


def send(peer, method, *args, address="demo", **keys):
    """Sends a call and waits for `accepted`; its serial number."""
    body = request("Demo", method, *args, replyto=peer.replyto, **keys)
    peer.send(json.dumps(body), address)
    while True:
        reply = json.loads(peer.receive().body)
        if reply["sn"] == body["sn"]:
            assert reply.get("status") == "accepted", reply
            return body["sn"]


def result_of(peer, sn):
    while True:
        reply = json.loads(peer.receive().body)
        if reply["sn"] == sn and "result" in reply:
            return reply["result"]


# --- as Python gofer asks


def test_show_as_python_asks(agent):
    code, text = Client(agent.port).show()
    assert code == 0
    assert "<plugin> demo" in text and "<class> Demo" in text and "echo(self, something)" in text


def test_load_reload_unload_as_python_asks(agent, peer):
    client = Client(agent.port)
    path = agent.describe("second")
    assert client.load(path)[0] == 0
    assert "<plugin> second" in client.show()[1]
    wait_for(lambda: agent.plugin("second")["state"] == "attached", "the second plugin")
    sn = send(peer, "echo", "x", address="second")
    assert result_of(peer, sn)["retval"] == "x"
    assert client.reload(path)[0] == 0
    assert client.unload(path)[0] == 0
    wait_for(lambda: agent.plugin("second") is None, "the second plugin to go")
    code, why = client.load(path + ".missing")
    assert code == 1 and path in why


def test_cancel_as_python_asks(agent, peer):
    client = Client(agent.port)
    sn = send(peer, "sleep", 600)
    assert client.cancel(sn=sn) == (0, [sn])
    assert result_of(peer, sn)["xclass"] == "Cancelled"
    assert client.cancel(sn="nonsense") == (1, "serial number (nonsense), not-found")


def test_errors_as_python_asks(agent):
    code, why = Client(agent.port).nonsense()
    assert code == 1 and "nonsense" in why
    assert Client(agent.port).reload("nonsense")[0] == 1
    assert Client(agent.port).load()[0] == 1
    assert Client(agent.port).show("x")[0] == 1
    assert Client(agent.port).reload("demo", hard="maybe")[0] == 1


# --- many at a time, and badly


def test_a_slow_caller_holds_up_nobody(agent):
    slow, silent = Socket(agent.path).say(b'{"name": "sh'), Socket(agent.path)
    for _ in range(3):
        assert agent.get("status")["pid"] == agent.process.pid
        assert Client(agent.port).show()[0] == 0
    assert slow.say(b'ow"}').hear()[0] == 0
    silent.socket.close()


def test_a_hundred_at_a_time(agent):
    got = []

    def ask():
        got.append(agent.ask("status")[0])
    threads = [threading.Thread(target=ask) for _ in range(100)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(got) == 100 and got.count(0) >= 64


def test_one_byte_at_a_time(agent):
    s = Socket(agent.path)
    for byte in encode("show"):
        s.say(bytes([byte]))
    code, text = s.hear()
    assert code == 0 and "<plugin> demo" in text


@pytest.mark.parametrize("size, good", [(LIMIT, True), (LIMIT + 1, False), (16 * LIMIT, False)])
def test_the_limit(agent, size, good):
    head, tail = b'{"name": "show", "x": "', b'"}'
    body = head + b"x" * (size - len(head) - len(tail)) + tail
    code, text = Socket(agent.path).say(body).hear()
    assert (code, "<plugin> demo" in text) == (0, True) if good else (1, False)
    assert good or "65536 bytes" in text


@pytest.mark.parametrize("body", [
    b"GET / HTTP/1.1\r\n\r\n", b"[]", b'"show"', b"\x16\x03\x01\x02\x00", b"{}", b'{"name": 7}',
    b'{"name": "show", "args": {}}', b'{"name": "show", "kwargs": []}', b"{nonsense}",
    b'{"name": "\xff"}', b'{"name": "x", "args": ' + b"[" * 5000 + b"]" * 5000 + b"}"])
def test_garbage_is_answered(agent, body):
    code, why = Socket(agent.path).say(body).hear()
    assert code == 1 and why
    assert agent.get("status")["pid"] == agent.process.pid


def test_a_long_reply_comes_whole(agent, peer):
    sns = [send(peer, "sleep", 600, data={"text": "x" * 100}) for _ in range(100)]
    calls = agent.get("calls")
    assert {call["sn"] for call in calls} == set(sns)
    assert len(json.dumps(calls)) > 3 * 4096
    agent.get("cancel", criteria={"match": {"text": "x" * 100}})


# --- the sockets


def test_the_socket_is_private_and_goes(agent):
    assert os.lstat(agent.path).st_mode & 0o777 == 0o600
    assert agent.process.stop() == 0
    assert not os.path.exists(agent.path)


def test_a_dead_agents_socket_is_replaced(agent):
    agent.process.kill()
    assert os.path.exists(agent.path)
    agent.run()
    assert agent.get("status")["pid"] == agent.process.pid


def test_tcp_is_off_by_default(start, tmp_path):
    root, port = str(tmp_path / "root"), free_port()
    os.makedirs(os.path.join(root, "etc/gofer"))
    with open(os.path.join(root, "etc/gofer/agent.conf"), "w") as file:
        file.write(f"[management]\nport={port}\n")
    start.agent(root=root)
    path = os.path.join(root, "run/gofer/management.sock")
    assert Socket(path).say(encode("show")).hear()[0] == 0
    assert not listens(port)


# --- what is told


def test_status(agent, peer):
    peer.hello()
    status = agent.get("status")
    assert status["pid"] == agent.process.pid and status["uptime"] >= 0 and status["version"]
    demo = agent.plugin()
    assert demo["plugin"] == "demo" and demo["queue"] == "demo" and demo["threads"] == 2
    assert demo["state"] == "attached" and demo["why"] is None
    wait_for(lambda: agent.plugin()["done"] == 1 and agent.plugin()["pending"] == 0, "the count")
    peer.call("Demo", "fail", "x")
    wait_for(lambda: agent.plugin()["failed"] == 1, "the failure")
    assert [set(b) for b in status["brokers"]] == [{"label", "up", "reconnects"}]
    assert set(status["journal"]) == {"entries", "bytes", "segments", "file_bytes", "failing",
                                      "damaged"}


def test_calls(agent, peer):
    running = [send(peer, "count", 100, 1), send(peer, "sleep", 600)]
    waiting = send(peer, "sleep", 600, data={"id": 7})
    wait_for(lambda: sum(c["state"] == "running" for c in agent.get("calls")) == 2, "two to run")
    calls = {c["sn"]: c for c in agent.get("calls")}
    assert set(calls) == {*running, waiting}
    assert calls[waiting]["state"] == "queued" and calls[waiting]["method"] == "Demo.sleep"
    assert calls[running[0]]["method"] == "Demo.count"
    wait_for(lambda: {c["sn"]: c for c in agent.get("calls")}[running[0]]["total"] == 100,
             "progress")
    demo = agent.plugin()
    assert (demo["running"], demo["waiting"], demo["pending"]) == (2, 1, 3)
    assert agent.get("cancel", criteria={"match": {"id": 7}}) == [waiting]
    assert result_of(peer, waiting)["xclass"] == "Cancelled"
    assert sorted(sn for r in running for sn in agent.get("cancel", r)) == sorted(running)
    wait_for(lambda: not agent.get("calls"), "no call to be left")


def samples(agent):
    text = agent.get("metrics")
    return {(s.name, *sorted(s.labels.items())): s.value
            for family in text_string_to_metric_families(text) for s in family.samples}


def test_metrics(agent, peer):
    peer.hello()
    peer.call("Demo", "fail", "x")
    plugin = ("plugin", "demo")
    wait_for(lambda: samples(agent)["gofer_calls_total", ("outcome", "raised"), plugin] == 1,
             "the failure")
    got = samples(agent)
    assert got["gofer_calls_total", ("outcome", "returned"), plugin] == 1
    assert got["gofer_call_seconds_count", plugin] == 2
    assert got["gofer_call_seconds_bucket", ("le", "+Inf"), plugin] == 2
    assert got["gofer_calls_pending", plugin] == 0
    assert got["process_resident_memory_bytes",] > 1e6
    assert got["gofer_journal_failing",] == 0
    assert [v for k, v in got.items() if k[0] == "gofer_broker_up"] == [1]


# --- plugins that come and go


def test_a_reload_takes_what_the_descriptor_says(agent, peer):
    sn = send(peer, "sleep", 1.5)
    agent.describe("demo", threads=5)
    agent.get("reload", "demo")
    assert agent.plugin()["threads"] == 5
    assert result_of(peer, sn) == {"retval": 1.5}
    peer.hello()


def test_a_faulty_descriptor_changes_nothing(agent, peer):
    path = agent.describe("demo", threads="many")
    code, why = agent.ask("reload", "demo")
    assert code == 1 and f"{path}:4" in why
    assert agent.plugin()["threads"] == 2
    peer.hello()


def test_an_unload_lets_calls_end(agent, peer):
    sn = send(peer, "sleep", 1.5)
    wait_for(lambda: agent.plugin()["running"] == 1, "it to run")
    agent.get("unload", "demo")
    assert result_of(peer, sn) == {"retval": 1.5}
    wait_for(lambda: agent.plugin() is None, "the plugin to go")


def test_a_hard_unload_does_not(agent, peer):
    sn = send(peer, "sleep", 600)
    wait_for(lambda: agent.plugin()["running"] == 1, "it to run")
    agent.get("unload", "demo", hard=True)
    assert result_of(peer, sn)["xclass"] == "Cancelled"
    wait_for(lambda: agent.plugin() is None, "the plugin to go")


# --- gofer admin


def test_admin_status_and_show(agent, peer):
    peer.hello()
    done = agent.admin("status")
    assert done.returncode == 0 and not done.stderr
    assert f"process {agent.process.pid}" in done.stdout
    assert any(line.split()[:3] == ["demo", "demo", "attached"] for line in done.stdout.split("\n"))
    done = agent.admin("show")
    assert done.returncode == 0 and "<plugin> demo" in done.stdout
    over_tcp = gofer("mgt", "-s", "-p", str(agent.port))
    assert (over_tcp.returncode, over_tcp.stdout) == (0, done.stdout)
    assert json.loads(agent.admin("status", "--json").stdout)["pid"] == agent.process.pid


def test_admin_calls_and_cancel(agent, peer):
    sn = send(peer, "count", 1000, 1, data={"id": 1})
    done = agent.admin("calls")
    assert done.returncode == 0 and sn in done.stdout and "Demo.count" in done.stdout
    assert agent.admin("top").stdout.count(sn) == 1
    done = agent.admin("cancel", "--data", '{"match": {"id": 1}}')
    assert (done.returncode, done.stdout) == (0, sn + "\n")
    assert result_of(peer, sn)["xclass"] == "Cancelled"
    done = agent.admin("cancel", "nonsense")
    assert done.returncode == 1 and "not-found" in done.stderr


def test_admin_load_reload_unload(agent):
    agent.describe("demo", threads=3)
    assert agent.admin("reload", "demo").returncode == 0
    assert agent.plugin()["threads"] == 3
    assert agent.admin("unload", "demo").returncode == 0
    wait_for(lambda: agent.plugin() is None, "the plugin to go")
    assert agent.admin("load", os.path.join(agent.plugins, "demo.conf")).returncode == 0
    assert agent.plugin()["threads"] == 3
    done = agent.admin("reload", "nonsense")
    assert done.returncode == 1 and "nonsense" in done.stderr


def test_admin_of_an_agent_that_has_gone(agent):
    agent.process.stop()
    done = agent.admin("status")
    assert done.returncode == 69 and agent.path in done.stderr
