# SPDX-License-Identifier: Apache-2.0
"""Plugins that come, change and go while the agent runs; queues that vanish; signals."""
import json
import os
import signal

import pytest
from managed import Caller, Managed
from peers import SLOW, Peer, free_port, wait_for


@pytest.fixture
def agent(start, tmp_path):
    return Managed(start, str(tmp_path))


@pytest.fixture
def peer(agent):
    p = Peer(agent.url)
    yield p
    p.close()


@pytest.fixture
def caller(peer):
    return Caller(peer)


def until(agent, name, state):
    wait_for(lambda: (agent.plugin(name) or {"state": None})["state"] == state,
             f"{name} to be {state}")


def hangup(agent):
    agent.process.child.send_signal(signal.SIGHUP)


def test_hangup_loads_changes_and_unloads(agent, peer, caller):
    agent.describe("more")
    hangup(agent)
    until(agent, "more", "attached")
    assert caller.result(caller.ask("Demo.echo", 1, address="more")) == {"retval": 1}
    agent.describe("demo", threads=5)
    os.remove(os.path.join(agent.plugins, "more.conf"))
    hangup(agent)
    until(agent, "more", None)
    wait_for(lambda: agent.plugin()["threads"] == 5, "the change")
    peer.hello()


def test_hangup_with_a_faulty_file_changes_nothing(agent, peer):
    conf = os.path.join(agent.root, "etc/gofer/agent.conf")
    agent.describe("demo", threads="many")
    hangup(agent)
    wait_for(lambda: "demo.conf:4" in agent.process.output(), "the fault to be told")
    peer.hello()
    assert agent.plugin()["threads"] == 2
    agent.describe("demo", threads=3)
    with open(conf, "a") as f:
        f.write("nonsense\n")
    hangup(agent)
    wait_for(lambda: "agent.conf:4" in agent.process.output(), "the fault to be told")
    peer.hello()
    assert agent.plugin()["threads"] == 2


def test_hangup_leaves_alone_what_was_loaded_by_hand(agent, tmp_path):
    path = tmp_path / "elsewhere.conf"
    path.write_text("[main]\nenabled=1\nplugin=demo\n")
    assert agent.get("load", str(path)) == "elsewhere loaded"
    agent.describe("more")
    hangup(agent)
    until(agent, "more", "attached")
    until(agent, "elsewhere", "attached")
    assert agent.get("unload", "elsewhere") == "elsewhere unloaded"
    until(agent, "elsewhere", None)


def test_hangup_does_not_make_a_broker_of_it(tmp_path, start):
    """Nor does it take one away: where it listens counts from its next start on."""
    broker, root = start.broker(), tmp_path / "root"
    (root / "etc/gofer/plugins").mkdir(parents=True)
    conf = root / "etc/gofer/agent.conf"
    more = root / "etc/gofer/plugins/more.conf"
    conf.write_text("")
    more.write_text("[main]\nenabled=1\nplugin=demo\n")
    agent = start.agent(broker=broker, root=str(root))
    conf.write_text(f"[broker]\nlisten=amqp://127.0.0.1:{free_port()}\n")
    more.write_text("[main]\nenabled=1\nplugin=demo\nthreads=3\n")
    agent.process.child.send_signal(signal.SIGHUP)
    wait_for(lambda: "plugin more loaded" in agent.process.output() or not agent.process.alive(),
             "the change")
    there = Peer(broker.url)
    there.hello()
    there.close()
    assert "plugin more: no url" in agent.process.output()


def test_log_levels_come_and_go(agent, peer):
    conf = os.path.join(agent.root, "etc/gofer/agent.conf")
    with open(conf) as f:
        before = f.read()
    with open(conf, "a") as f:
        f.write("[logging]\nagent=debug\n")
    hangup(agent)
    wait_for(lambda: agent.get("status") and "debug" in agent.process.output(), "debug messages")
    with open(conf, "w") as f:
        f.write(before)
    hangup(agent)
    wait_for(lambda: agent.process.output().count("SIGHUP") == 2, "the second reading")
    lines = agent.process.output().count("debug agent")
    agent.get("status")
    peer.hello()
    assert agent.process.output().count("debug agent") == lines


def test_what_cannot_be_loaded(agent, caller):
    agent.describe("front", more="forward=demo\n", plugin="empty")
    code, why = agent.ask("load", os.path.join(agent.plugins, "front.conf"))
    assert code == 1 and "empty" in why and "front.conf" in why
    agent.describe("other", more="accept=front\n")
    assert agent.get("load", os.path.join(agent.plugins, "other.conf")) == "other loaded"
    assert caller.result(caller.ask("Demo.echo", 1, address="other")) == {"retval": 1}
    # what no plugin has is told by the one that was asked
    result = caller.result(caller.ask("Nobody.echo", 1, address="other"))
    assert (result["xclass"], result["xargs"]) == ("NamespaceNotFound",
                                                   ['"Nobody" not provided by plugin.'])


def test_what_waits_is_run_by_the_reloaded_one(agent, caller):
    agent.describe("demo", threads=1)
    agent.get("reload", "demo")
    first = caller.ask("Demo.sleep", 1.5)
    waiting = [caller.ask("Demo.echo", n) for n in range(20)]
    wait_for(lambda: len(agent.get("calls")) == 21, "the calls")
    assert agent.get("reload", "demo") == "demo reloaded"
    assert caller.result(first) == {"retval": 1.5}
    for n, sn in enumerate(waiting):
        assert caller.result(sn) == {"retval": n}


def test_hard_reload_ends_what_runs(agent, caller):
    agent.describe("demo", threads=1)
    agent.get("reload", "demo")
    running = caller.ask("Demo.sleep", 600)
    waiting = caller.ask("Demo.echo", 1)
    wait_for(lambda: [c["state"] for c in agent.get("calls")] == ["running", "queued"], "two calls")
    assert agent.get("reload", "demo", True) == "demo reloaded"
    assert caller.result(running)["xclass"] == "Cancelled"
    assert caller.result(waiting) == {"retval": 1}


def test_unloading_soft_and_hard(agent, caller):
    agent.describe("demo", threads=1)
    agent.get("reload", "demo")
    running = caller.ask("Demo.sleep", 600)
    waiting = caller.ask("Demo.echo", 1)
    wait_for(lambda: [c["state"] for c in agent.get("calls")] == ["running", "queued"], "two calls")
    assert agent.get("unload", "demo") == "demo takes no more requests; 2 calls to finish"
    assert agent.plugin()["state"] == "unloading"
    code, why = agent.ask("reload", "demo")
    assert code == 1 and "unloaded" in why
    later = caller.ask("Demo.echo", 2)      # waits at the broker
    agent.get("unload", "demo", hard=True)
    assert caller.result(running)["xclass"] == "Cancelled"
    assert caller.result(waiting)["xclass"] == "Cancelled"
    until(agent, "demo", None)
    agent.get("load", os.path.join(agent.plugins, "demo.conf"))
    assert caller.result(later) == {"retval": 2}


def test_a_plugin_moves_to_another_broker(agent, caller, start):
    """The replies of what it had come from where it was."""
    other = start.broker()
    running = caller.ask("Demo.sleep", 1)
    wait_for(lambda: agent.get("calls"), "the call")
    agent.describe("demo", more=f"[messaging]\nurl={other.url}\n")
    hangup(agent)
    there = Peer(other.url)
    wait_for(lambda: (agent.plugin()["broker"], agent.plugin()["state"]) ==
             (other.url, "attached"), "the move")
    there.hello()
    assert caller.result(running) == {"retval": 1}
    wait_for(lambda: [b["label"] for b in agent.get("status")["brokers"]] == [other.url],
             "the connection of no use to go")
    there.close()


def test_a_queue_that_vanishes(agent, peer, start):
    """The plugin makes it again and goes on, and its neighbour has seen nothing of it."""
    from proton import Message
    from proton.utils import BlockingConnection
    other = start.broker()
    agent.describe("demo", more=f"[messaging]\nurl={other.url}\n")
    agent.describe("beside", more=f"[messaging]\nurl={other.url}\nuuid=beside\n")
    hangup(agent)
    until(agent, "beside", "attached")
    until(agent, "demo", "attached")
    there = Peer(other.url)
    there.hello()
    running = Caller(there).ask("Demo.sleep", 2, address="beside")
    c = BlockingConnection(other.url, timeout=20)
    manager = c.create_sender("qmf.default.direct")
    manager.send(Message(
        subject="broker", reply_to=there.replyto, correlation_id="1",
        properties={"qmf.opcode": "_method_request", "x-amqp-0-10.app-id": "qmf2",
                    "method": "request"},
        body={"_object_id": {"_object_name": "org.apache.qpid.broker:broker:amqp-broker"},
              "_method_name": "delete",
              "_arguments": {"strict": True, "name": "demo", "type": "queue", "properties": {}}}))
    while "demo is back" not in agent.process.output():
        wait_for(lambda: "demo is back" in agent.process.output(), "the queue to be back", 30)
    again = Peer(other.url)
    again.hello()
    assert "beside is back" not in agent.process.output()
    while True:
        message = there.receive()
        if isinstance(message.body, str) and json.loads(message.body).get("result"):
            reply = json.loads(message.body)
            assert (reply["sn"], reply["result"]) == (running, {"retval": 2})
            break
    for p in (c, again, there):
        p.close()


def test_what_was_left_is_taken_up_when_its_plugin_is_back(agent, start):
    """A faulty descriptor at a restart: the requests that were accepted wait until it is mended."""
    broker = start.broker()
    more = f"[messaging]\nurl={broker.url}\n"
    agent.process.stop()
    agent.describe("demo", threads=1, more=more)
    agent.run()
    caller = Caller(Peer(broker.url))
    running = caller.ask("Demo.sleep", 600, durable=True)
    caller.until(running, "started")
    waiting = [caller.ask("Demo.echo", n, durable=True) for n in range(5)]
    for sn in waiting:
        caller.until(sn, "accepted")
    agent.process.kill()
    agent.describe("demo", threads="several", more=more)
    agent.run()
    assert agent.process.output().count("left in the journal") == 6
    agent.describe("demo", threads=2, more=more)
    hangup(agent)
    for n, sn in enumerate(waiting):
        assert caller.result(sn) == {"retval": n}
    assert agent.get("cancel", running) == [running]
    caller.expect_cancelled(running)
    wait_for(lambda: agent.get("status")["journal"]["entries"] == 0, "the journal to be empty")
    caller.peer.close()


def test_grace(agent, start):
    """What runs may end, and its reply is sent; then what is left is ended."""
    broker = start.broker()
    agent.describe("demo", threads=2, more=f"[messaging]\nurl={broker.url}\n")
    with open(os.path.join(agent.root, "etc/gofer/agent.conf"), "a") as f:
        f.write("[main]\ngrace=60\n")
    hangup(agent)
    wait_for(lambda: (agent.plugin()["broker"], agent.plugin()["state"]) ==
             (broker.url, "attached"), "the configuration")
    caller = Caller(Peer(broker.url))
    quick, slow = caller.ask("Demo.sleep", 1), caller.ask("Demo.sleep", 600)
    for sn in (quick, slow):
        caller.until(sn, "started")
    agent.process.child.send_signal(signal.SIGTERM)
    assert caller.result(quick) == {"retval": 1}
    assert agent.process.alive()
    agent.process.child.send_signal(signal.SIGTERM)
    caller.expect_cancelled(slow)
    assert agent.process.child.wait(30 * SLOW) == 0
    assert not os.path.exists(agent.path)
    caller.peer.close()


def test_signals_at_the_end(agent):
    """Whatever still comes while the last things are put away, it is an end in order."""
    agent.process.child.send_signal(signal.SIGTERM)
    while agent.process.alive():
        agent.process.child.send_signal(signal.SIGHUP)
    assert agent.process.child.wait() == 0
    assert not os.path.exists(os.path.join(agent.root, "run/gofer/agentd.pid"))
