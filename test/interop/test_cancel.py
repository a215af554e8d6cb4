# SPDX-License-Identifier: Apache-2.0
"""Cancellation: of what waits, of what is held up by the latency, of what runs in the agent or in a
child; by serial number and by criteria, as a Python caller asks for it; over a restart."""
import os
import signal
import subprocess

import pytest
from managed import Caller, Managed
from peers import GOFER, SLOW, Peer, wait_for


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


def test_by_serial_number(caller):
    sn = caller.ask("Demo.sleep", 600)
    caller.until(sn, "started")
    assert caller.admin("cancel", sn) == {"retval": [sn]}
    caller.expect_cancelled(sn)


@pytest.mark.parametrize("durable", [False, True])
def test_what_waits_is_answered_though_all_threads_are_busy(caller, durable):
    busy = [caller.ask("Demo.sleep", 600, durable=durable) for _ in range(2)]
    for sn in busy:
        caller.until(sn, "started")
    waiting = caller.ask("Demo.echo", "x", durable=durable)
    caller.until(waiting, "accepted")
    assert caller.admin("cancel", waiting) == {"retval": [waiting]}
    caller.expect_cancelled(waiting)
    assert "started" not in caller.statuses(waiting)
    for sn in busy:
        assert caller.admin("cancel", sn) == {"retval": [sn]}
        caller.expect_cancelled(sn)


def test_in_the_latency(agent, caller):
    agent.describe("slow", more="latency=600\n")
    agent.get("load", os.path.join(agent.plugins, "slow.conf"))
    sn = caller.ask("Demo.echo", "x", address="slow")
    caller.until(sn, "accepted")
    assert caller.admin("cancel", sn) == {"retval": [sn]}
    caller.expect_cancelled(sn)
    assert "started" not in caller.statuses(sn)


def test_in_a_child(caller):
    sn = caller.ask("Forked.sleep", 600)
    caller.until(sn, "started")
    assert caller.admin("cancel", sn) == {"retval": [sn]}
    caller.expect_cancelled(sn)


def test_by_criteria(caller):
    red = [caller.ask("Demo.sleep", 600, data={"color": "red", "n": n}) for n in range(3)]
    blue = caller.ask("Demo.sleep", 600, data={"color": "blue", "n": 3})
    plain = caller.ask("Demo.sleep", 600)
    for sn in [*red, blue, plain]:
        caller.until(sn, "accepted")
    assert caller.admin("cancel", None, {"match": {"color": "red"}}) == {"retval": red}
    for sn in red:
        caller.expect_cancelled(sn)
    nested = {"and": [{"match": {"color": "blue"}},
                      {"or": [{"eq": 1}, {"neq": {"color": "red"}}]}]}
    found = caller.admin("cancel", None, nested)["retval"]
    assert blue in found and not set(red) & set(found)
    caller.expect_cancelled(blue)
    caller.admin("cancel", plain)


def test_the_call_that_cancels_is_not_meant(caller):
    data = {"id": 7}
    sn = caller.ask("Demo.sleep", 600, data=data)
    caller.until(sn, "started")
    own = caller.ask("Admin.cancel", None, {"match": data}, data=data)
    assert caller.until(own)["result"] == {"retval": [sn]}
    caller.expect_cancelled(sn)


def test_what_cannot_be_cancelled(caller):
    result = caller.admin("cancel", "nosuch")
    assert (result["xclass"], result["xargs"]) == ("Exception",
                                                   ["serial number (nosuch), not-found"])
    over = caller.ask("Demo.echo", "x")
    caller.until(over)
    assert caller.admin("cancel", over)["xargs"] == [f"serial number ({over}), not-found"]
    assert caller.admin("cancel") == {"retval": []}
    assert caller.admin("cancel", None, {"match": {"id": 1}}) == {"retval": []}
    result = caller.admin("cancel", None, {"like": {"id": 1}})
    assert result["xclass"] == "ValueError" and "criteria" in result["xargs"][0]
    assert caller.admin("cancel", 7)["xclass"] == "TypeError"


def test_over_a_restart(agent, start):
    """What was told to be cancelled stays so, though the agent is killed on it."""
    broker = start.broker()
    agent.process.stop()
    with open(os.path.join(agent.root, "etc/gofer/agent.conf"), "a") as f:
        f.write(f"[messaging]\nurl={broker.url}\n")
    agent.describe("demo", threads=1)
    agent.run()
    caller = Caller(Peer(broker.url))
    busy = caller.ask("Demo.sleep", 600, durable=True)
    caller.until(busy, "started")
    waiting = [caller.ask("Demo.echo", n, durable=True) for n in range(20)]
    for sn in waiting:
        caller.until(sn, "accepted")
    for sn in waiting:
        assert agent.get("cancel", sn) == [sn]
    agent.process.kill()
    agent.run()
    for sn in waiting:
        caller.expect_cancelled(sn)
        assert "started" not in caller.statuses(sn)
    # the one that nobody cancelled runs again
    wait_for(lambda: [c["state"] for c in agent.get("calls") if c["sn"] == busy] == ["running"],
             "it to run again")
    assert agent.get("cancel", busy) == [busy]
    caller.expect_cancelled(busy)
    caller.peer.close()


def test_ctrl_c(agent, peer):
    """gofer call asks the agent to cancel, and tells that it was interrupted."""
    call = subprocess.Popen([GOFER, "call", "-u", agent.url, "demo", "Demo.sleep", "600"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: [c["state"] for c in agent.get("calls")] == ["running"], "the call to run")
    call.send_signal(signal.SIGINT)
    assert call.wait(20 * SLOW) == 130
    wait_for(lambda: agent.get("calls") == [], "the call to end")
    assert agent.plugin()["cancelled"] == 1
    call = subprocess.Popen([GOFER, "call", "-u", agent.url, "--no-cancel", "demo", "Demo.sleep",
                             "600"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: [c["state"] for c in agent.get("calls")] == ["running"], "the call to run")
    call.send_signal(signal.SIGINT)
    assert call.wait(20 * SLOW) == 130
    assert [c["cancelled"] for c in agent.get("calls")] == [False]
    agent.get("cancel", agent.get("calls")[0]["sn"])
