# SPDX-License-Identifier: Apache-2.0
"""What people, networks and programs get wrong. Every time: a clear answer, and the agent lives on."""
import json
import os
import socket
import threading
import time

import pytest
from peers import SLOW, Peer, free_port, gofer, listens, request, wait_for


def rejected(replies, code):
    assert len(replies) == 1
    assert replies[0]["status"] == "rejected" and replies[0]["code"] == code
    assert replies[0]["description"] and replies[0]["details"]
    return replies[0]


@pytest.mark.parametrize("body", [
    "{not json", "[1,2]", "", "x" * 10_000_000, "[" * 10_000 + "]" * 10_000,
    '{"a": ' * 10_000 + "1" + "}" * 10_000, b'{"sn": "\xff\xfe"}', "null", '"text"'],
    ids=["not-json", "array", "empty", "10MB", "deep-arrays", "deep-objects", "not-utf8", "null",
         "string"])
def test_unreadable_bodies(peer, body):
    """Nothing is said unless the message itself has a reply-to; the delivery is refused."""
    from proton import Message
    for reply_to in (None, peer.replyto):
        sender = peer.connection.create_sender("demo")
        sender.send(Message(body=body, reply_to=reply_to))
        sender.close()
        if reply_to:
            rejected(peer.replies(), "model.document")
    peer.hello()


def test_large_but_allowed(peer):
    assert peer.call("Demo", "echo", "x" * 3_000_000)[-1]["result"] == {"retval": "x" * 3_000_000}


@pytest.mark.parametrize("version, found", [("1.0", "1.0"), (2.0, "2.0"), (None, "None"),
                                            ("", "")])
def test_version(peer, version, found):
    got = rejected(peer.call("Demo", "hello", version=version), "model.version")
    assert got["description"] == "MODEL: document version not matched"
    assert got["details"] == f"expected:2.0, found:{found}"
    peer.hello()


def test_version_missing(peer):
    body = request("Demo", "hello", replyto=peer.replyto)
    del body["version"]
    peer.send(json.dumps(body))
    got = rejected(peer.replies(), "model.version")
    assert got["details"] == "expected:2.0, found:None" and got["sn"] == body["sn"]


@pytest.mark.parametrize("sn", [None, "", 7, "x" * 1_000_000, ["a"]],
                         ids=["null", "empty", "number", "1MB", "list"])
def test_serial_number(peer, sn):
    rejected(peer.call("Demo", "hello", sn=sn), "model.request")
    peer.hello()


def test_serial_number_missing(peer):
    body = request("Demo", "hello", replyto=peer.replyto)
    del body["sn"]
    peer.send(json.dumps(body))
    assert rejected(peer.replies(), "model.request")["sn"] is None


def test_serial_number_that_looks_like_a_path(agent, peer):
    sn = "../../etc/passwd"
    assert peer.call("Demo", "hello", sn=sn)[-1]["sn"] == sn
    names = [os.path.join(d, f) for d, _, files in os.walk(agent.root) for f in files]
    assert not [n for n in names if "passwd" in n]


@pytest.mark.parametrize("change, what", [
    ({"args": "no list"}, "args"), ({"args": {"a": 1}}, "args"), ({"kws": [1]}, "kws"),
    ({"cntr": [1]}, "cntr"), ({"cntr": "x"}, "cntr"), ({"classname": 7}, "classname"),
    ({"method": None}, "method"), ({"method": ""}, "method")])
def test_malformed_request(peer, change, what):
    body = request("Demo", "hello", replyto=peer.replyto)
    body["request"].update(change)
    peer.send(json.dumps(body))
    assert what in rejected(peer.replies(), "model.request")["details"]
    peer.hello()


@pytest.mark.parametrize("value", [None, [], "text", 1])
def test_request_missing(peer, value):
    rejected(peer.call("Demo", "hello", request=value), "model.request")


@pytest.mark.parametrize("classname, method, args, kws, module, xclass, message", [
    ("Nobody", "x", [], {}, "gofer.rmi.dispatcher", "NamespaceNotFound",
     '"Nobody" not provided by plugin.'),
    ("Demo", "nosuch", [], {}, "gofer.rmi.dispatcher", "MemberNotFound",
     '"Demo.nosuch()" not provided by plugin.'),
    ("Demo", "echo", [], {}, "builtins", "TypeError",
     "Demo.echo() missing 1 required positional argument: 'something'"),
    ("Demo", "echo", [1, 2], {}, "builtins", "TypeError",
     "Demo.echo() takes 2 positional arguments but 3 were given"),
    ("Demo", "echo", [1], {"x": 2}, "builtins", "TypeError",
     "Demo.echo() got an unexpected keyword argument 'x'"),
    ("Demo", "echo", [1], {"something": 2}, "builtins", "TypeError",
     "Demo.echo() got multiple values for argument 'something'"),
    ("Greeter", "greet", [], {}, "builtins", "TypeError",
     "Greeter.__init__() missing 1 required positional argument: 'name'"),
])
def test_wrong_calls(peer, classname, method, args, kws, module, xclass, message):
    body = request(classname, method, *args, replyto=peer.replyto)
    body["request"]["kws"] = kws
    peer.send(json.dumps(body))
    result = peer.replies()[-1]["result"]
    assert (result["xmodule"], result["xclass"], result["xargs"]) == (module, xclass, [message])
    assert message in result["exval"]


def test_replyto_that_does_not_exist(agent, peer):
    for _ in range(3):
        peer.send(json.dumps(request("Demo", "hello", replyto="nobody-listens")))
    peer.hello()
    told = [t for t in agent.process.output().splitlines() if "nobody-listens" in t]
    assert len(told) == 1, told


@pytest.mark.parametrize("own", [True, False])
def test_reply_queue_that_is_full(start, tmp_path, own):
    """What only tells how far a call is gets lost, its result waits until there is room."""
    if own:
        conf = tmp_path / "root/etc/gofer/agent.conf"
        conf.parent.mkdir(parents=True)
        conf.write_text("[broker]\nqueue_messages=1\n")
        agent = start.agent(root=str(tmp_path / "root"))
    else:
        agent = start.agent(broker=start.broker("--queue-messages", "1"))
    peer = Peer(agent.url)
    keeper = peer.connection.create_receiver("crowded", credit=0)
    peer.send("in the way", "crowded")
    body = request("Demo", "hello", replyto="crowded")
    peer.send(json.dumps(body))
    peer.hello()                # others are not held up
    keeper.link.flow(10)
    assert keeper.receive(timeout=20 * SLOW).body == "in the way"
    keeper.accept()
    reply = json.loads(keeper.receive(timeout=20 * SLOW).body)
    keeper.accept()
    assert reply["sn"] == body["sn"] and reply["result"]["retval"]
    peer.close()


def test_caller_that_vanishes(agent):
    for _ in range(5):
        p = Peer(agent.url)
        p.send(json.dumps(request("Demo", "sleep", 0.2, replyto=p.replyto)))
        p.close()
    p = Peer(agent.url)
    p.hello()
    p.close()


def test_caller_that_is_killed(start, agent):
    calls = [start.process("call", "-u", agent.url, "demo", "Demo.sleep", "1") for _ in range(3)]
    time.sleep(0.3)
    for c in calls:
        c.kill()
    p = Peer(agent.url)
    p.hello()
    p.close()


def test_broker_that_vanishes_in_mid_call_and_comes_back(start):
    broker = start.broker()
    agent = start.agent(broker=broker)
    p = Peer(broker.url)
    p.connection.create_receiver("kept", credit=0)  # makes the queue
    p.send(json.dumps(request("Demo", "sleep", 4, replyto="kept")))
    time.sleep(1)  # it runs by now
    broker.process.kill()
    time.sleep(0.3)
    again = start.broker(port=broker.port)
    p = Peer(again.url)
    receiver = p.connection.create_receiver("kept", credit=10)
    last = {}
    while "result" not in last:
        last = json.loads(receiver.receive(timeout=30).body)
        receiver.accept()
    assert last["result"] == {"retval": 4}
    p.hello()  # on its queue again
    assert agent.process.alive()


@pytest.mark.parametrize("data", [
    b"AMQP\x00\x01\x00\x00" + b"\x00\x00\x00\x40\x02", b"AMQP\x03\x01\x00\x00" + b"\x00\x00\x00",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 100, os.urandom(4096),
    b"AMQP\x00\x01\x00\x00\xff\xff\xff\xff\x02\x00\x00\x00", b"\x16\x03\x01\x02\x00\x01"],
    ids=["half-a-frame", "half-a-sasl-frame", "http", "zeros", "noise", "huge-frame", "tls"])
def test_garbage_into_the_broker(agent, data):
    with socket.create_connection(("127.0.0.1", agent.port)) as s:
        s.sendall(data)
        s.settimeout(1)
        try:
            while s.recv(4096):
                pass
        except (TimeoutError, ConnectionError):
            pass
    p = Peer(agent.url)
    p.hello()
    p.close()


@pytest.fixture
def http_port():
    """A port that answers anything at all as an HTTP server answers nonsense."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            with peer:
                peer.recv(1024)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


def test_port_that_speaks_http(http_port):
    done = gofer("call", "-u", f"amqp://127.0.0.1:{http_port}", "-w", "20", "demo", "Demo.hello")
    assert done.returncode == 76, done.stderr
    assert f"127.0.0.1:{http_port}" in done.stderr and len(done.stderr.splitlines()) == 1


def test_peer_that_says_nothing():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        done = gofer("call", "-u", f"amqp://127.0.0.1:{s.getsockname()[1]}", "-w", "1", "demo",
                     "Demo.hello")
    assert done.returncode in (69, 124) and len(done.stderr.splitlines()) == 1


def test_nothing_listens():
    port = free_port()
    done = gofer("call", "-u", f"amqp://127.0.0.1:{port}", "demo", "Demo.hello")
    assert done.returncode == 69 and str(port) in done.stderr


def test_name_that_does_not_resolve():
    done = gofer("call", "-u", "amqp://no-such-host.invalid", "-w", "30", "demo", "Demo.hello")
    assert done.returncode == 69 and "no-such-host.invalid" in done.stderr


def test_wrong_password(start, tmp_path):
    users = tmp_path / "users"
    users.write_text("ann:right\n")
    users.chmod(0o600)
    broker = start.broker("--users", str(users))
    agent = start.process("agentd", "-f", "--root", str(tmp_path / "r"), "--url",
                          f"amqp://ann:right@127.0.0.1:{broker.port}", "--plugin", "demo")
    wait_for(lambda: " ready: " in agent.output(), "the agent")

    def call(user):
        return gofer("call", "-u", f"amqp://{user}127.0.0.1:{broker.port}", "-w", "20", "demo",
                     "Demo.hello")
    assert call("ann:right@").returncode == 0
    for user in ("ann:wrong@", "bob:right@", ""):
        done = call(user)
        assert done.returncode == 77, (user, done.stderr)
        assert "wrong" not in done.stderr and "right" not in done.stderr


def test_agent_with_a_wrong_password_says_so_once_and_lives(start, tmp_path):
    users = tmp_path / "users"
    users.write_text("ann:right\n")
    users.chmod(0o600)
    broker = start.broker("--users", str(users))
    agent = start.process("agentd", "-f", "--root", str(tmp_path / "r"), "--url",
                          f"amqp://ann:secretword@127.0.0.1:{broker.port}", "--plugin", "demo")
    wait_for(lambda: str(broker.port) in agent.output(), "a word about it")
    time.sleep(2)
    assert agent.alive() and "secretword" not in agent.output()
    assert len(agent.output().splitlines()) < 8


def test_two_agents_on_one_root(agent):
    done = gofer("agentd", "-f", "--root", agent.root, "--plugin", "demo", "--listen",
                 f"amqp://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert agent.root in done.stderr and str(agent.process.pid) in done.stderr


def test_port_taken(start, agent, tmp_path):
    done = gofer("agentd", "-f", "--root", str(tmp_path / "other"), "--plugin", "demo", "--listen",
                 agent.url)
    assert done.returncode != 0 and str(agent.port) in done.stderr


def test_open_to_the_world_is_refused(tmp_path):
    done = gofer("broker", "-l", f"amqp://0.0.0.0:{free_port()}")
    assert done.returncode != 0 and "users" in done.stderr
    done = gofer("agentd", "-f", "--root", str(tmp_path / "r"), "--plugin", "demo", "--listen",
                 f"amqp://0.0.0.0:{free_port()}")
    assert done.returncode != 0 and "users" in done.stderr


FAULTY = """\
stray=1
[main]
enabled=maybe
plugin=nosuch
threads=many
threds=3
[messaging]
url=amqp://host:99999
[messaging
"""


def test_descriptor_with_every_kind_of_fault(start, tmp_path):
    plugins = tmp_path / "root/etc/gofer/plugins"
    plugins.mkdir(parents=True)
    (plugins / "bad.conf").write_text(FAULTY)
    port = free_port()
    (plugins / "demo.conf").write_text(
        f"[main]\nenabled=1\n[messaging]\nuuid=good\nurl=amqp://127.0.0.1:{port}\n")
    check = gofer("agentd", "--check", "--root", str(tmp_path / "root"))
    assert check.returncode != 0
    for line, word in ((1, "stray"), (3, "enabled"), (4, "nosuch"), (5, "threads"), (6, "threds"),
                       (8, "99999"), (9, "")):
        found = [t for t in check.stderr.splitlines() if f"bad.conf:{line}:" in t]
        assert found and word in found[0], (line, check.stderr)
    assert "demo.conf" not in check.stderr
    # that plugin is disabled and no other
    agent = start.process("agentd", "-f", "--root", str(tmp_path / "root"), "--listen",
                          f"amqp://127.0.0.1:{port}")
    wait_for(lambda: listens(port), "the agent")
    done = gofer("call", "-u", f"amqp://127.0.0.1:{port}", "-w", "20", "good", "Demo.hello")
    assert done.returncode == 0, agent.output()


def test_silence_when_all_is_well(agent, peer):
    for _ in range(20):
        peer.hello()
    assert len(agent.process.output().splitlines()) <= 5, agent.process.output()


def test_sigterm_finishes_what_runs(start):
    broker = start.broker()
    agent = start.agent(broker=broker)
    p = Peer(broker.url)
    p.send(json.dumps(request("Demo", "sleep", 1, replyto=p.replyto)))
    time.sleep(0.4)
    assert agent.process.stop() == 0
    assert p.replies()[-1]["result"] == {"retval": 1}
