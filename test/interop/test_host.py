# SPDX-License-Identifier: Apache-2.0
"""Methods that run in child processes of the agent."""
import json
import os
import signal

import pytest
from peers import SLOW, Place, gofer, request, wait_for


def state(pid):
    """As ps has it; None: there is no such process."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def lives(pid):
    return state(pid) not in (None, "Z", "X")


def children(pid):
    """The processes whose parent it is."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat") as f:
                if int(f.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(name))
        except (OSError, ValueError):
            pass
    return found


def one_child(agent):
    wait_for(lambda: children(agent.process.pid), "a child")
    return children(agent.process.pid)[0]


def send(peer, method, *args):
    """A call to Forked, up to its start; its sn."""
    body = request("Forked", method, *args, replyto=peer.replyto)
    peer.send(json.dumps(body))
    while json.loads(peer.receive().body).get("status") != "started":
        pass
    return body["sn"]


@pytest.fixture
def agent(start, broker, tmp_path):
    """One that can be ended while its callers stay connected."""
    plugins = tmp_path / "root/etc/gofer/plugins"
    plugins.mkdir(parents=True)
    (plugins / "demo.conf").write_text("[main]\nenabled = 1\nthreads = 4\n"
                                       f"[messaging]\nurl = {broker.url}\n")
    process = start.process("agentd", "-f", "--root", str(tmp_path / "root"))
    wait_for(lambda: " ready: " in process.output() or not process.alive(),
             "the agent to be ready")
    assert process.alive(), process.output()
    return Place(process, broker.port)


@pytest.mark.parametrize("value", [
    None, "\0\ud800", 9007199254740993, [1.5, {"a": [True, {}]}], "x" * 300000],
    ids=["null", "text", "number", "tree", "long"])
def test_result_is_that_of_a_direct_call(peer, value):
    forked, direct = (peer.call(name, "echo", value)[-1]["result"] for name in ("Forked", "Demo"))
    assert forked == direct == {"retval": value}


def test_replies_are_those_of_a_direct_call(peer):
    forked, direct = (peer.call(name, "count", 5) for name in ("Forked", "Demo"))
    for replies in (forked, direct):
        for reply in replies:
            del reply["sn"], reply["timestamp"]
    assert forked == direct
    forked, direct = (peer.call(name, "fail", "no")[-1]["result"] for name in ("Forked", "Demo"))
    assert forked == direct


def test_each_call_has_a_process_of_its_own(agent, peer):
    pids = [peer.call("Forked", "pid")[-1]["result"]["retval"] for _ in range(3)]
    assert len({*pids, agent.process.pid}) == 4
    assert not any(lives(pid) for pid in pids)
    assert not children(agent.process.pid)


def test_cancelled_while_running(agent, peer):
    sn = send(peer, "sleep", 3600)
    child = one_child(agent)
    agent.process.child.send_signal(signal.SIGTERM)
    wait_for(lambda: "ending" in agent.process.output(), "the agent to begin its end")
    assert lives(child)
    agent.process.child.send_signal(signal.SIGTERM)
    result = peer.replies()[-1]["result"]
    assert (result["xmodule"], result["xclass"]) == ("gofer.rmi.dispatcher", "Cancelled")
    assert result["xargs"] == [sn]
    assert state(child) is None
    assert agent.process.child.wait(30 * SLOW) == 0


@pytest.mark.parametrize("method, args, said", [
    ("die", [9], "died: signal 9 (Killed)"),
    ("die", [11], "died: signal 11 (Segmentation fault)"),
    ("exit", [3], "ended with exit status 3 and without a result")],
    ids=["killed", "crashed", "left"])
def test_death_is_told(peer, method, args, said):
    result = peer.call("Forked", method, *args)[-1]["result"]
    assert (result["xmodule"], result["xclass"]) == ("builtins", "Exception")
    assert result["xargs"] == [f"the child of Forked.{method} {said}"]
    peer.hello()


def test_killed_by_somebody_else(agent, peer):
    send(peer, "sleep", 3600)
    os.kill(one_child(agent), signal.SIGKILL)
    said = peer.replies()[-1]["result"]["xargs"][0]
    assert said.startswith("the child of Forked.sleep died: signal 9 (Killed)")


def test_output_goes_to_the_log(agent, peer):
    assert peer.call("Forked", "say", "a word", 2)[-1]["result"] == {"retval": 2}
    assert agent.process.output().count("info plugin.demo: a word\n") == 2
    assert peer.call("Forked", "say", "flood", 100000)[-1]["result"] == {"retval": 100000}
    assert agent.process.output().count("plugin.demo: flood\n") == 1000
    assert "more than 1000 lines of output, the rest is left out" in agent.process.output()


def test_killed_agent_leaves_no_child(agent, peer):
    for _ in range(3):
        send(peer, "sleep", 3600)
    wait_for(lambda: len(children(agent.process.pid)) == 3, "three children")
    pids = children(agent.process.pid)
    agent.process.kill()
    wait_for(lambda: not any(lives(pid) for pid in pids), "the children to go")


def test_descriptors_stay_as_many(agent, peer):
    def descriptors():
        links = [os.readlink(entry) for entry in os.scandir(f"/proc/{agent.process.pid}/fd")]
        return len([link for link in links if link.startswith(("socket:", "pipe:"))])

    assert peer.call("Forked", "echo", 0)[-1]["result"] == {"retval": 0}
    before = descriptors()
    done = gofer("call", "-q", "-u", agent.url, "-n", "200", "-C", "4", "demo", "Forked.echo", "x")
    assert done.returncode == 0, done.stderr
    assert descriptors() == before
    assert not children(agent.process.pid)
