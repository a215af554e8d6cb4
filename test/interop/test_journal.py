# SPDX-License-Identifier: Apache-2.0
"""What an agent has accepted survives it: kill -9 at the worst moments, and a disk that is full."""
import json
import os
import shutil
import subprocess
import time

import pytest
from peers import SLOW, Peer, gofer, request, wait_for

UNSHARE = ["unshare", "--mount", "--map-root-user", "--user"] if os.getuid() else ["unshare", "-m"]


class Durable(Peer):
    """A caller whose requests are durable, and whose replies come to a queue that outlives it."""

    def __init__(self, url, queue="replies"):
        super().__init__(url)
        self.receiver.close()
        self.receiver = self.connection.create_receiver(queue, credit=200)
        self.replyto = queue

    def ask(self, method, *args, **keys):
        body = request("Demo", method, *args, **{"replyto": self.replyto, **keys})
        self.send(json.dumps(body), durable=True)
        return body["sn"]

    def next(self, sn, status=None):
        """The next reply to `sn` of that status, or its result; others are passed over."""
        while True:
            reply = json.loads(self.receive().body)
            if reply["sn"] == sn and (reply.get("status") == status if status else
                                      "result" in reply):
                return reply

    def nothing_more(self, seconds=1.0):
        try:
            reply = json.loads(self.receive(timeout=seconds * SLOW).body)
        except Exception:
            return
        raise AssertionError(f"one more reply: {reply}")


def journal(place):
    """What the journal holds, by sn."""
    listing = gofer("plugin", "journal", "--json", "--root", place.root)
    assert listing.returncode == 0, listing.stderr
    return {entry["sn"]: entry for entry in json.loads(listing.stdout)}


def until_journal(place, condition):
    wait_for(lambda: condition(journal(place)), "the journal")


@pytest.fixture
def caller(broker):
    c = Durable(broker.url)
    yield c
    c.close()


def test_a_call_that_ran_runs_again(start, broker, caller):
    agent = start.agent(broker=broker)
    sn = caller.ask("sleep", 1.5)
    caller.next(sn, "started")
    until_journal(agent, lambda j: j[sn]["state"] == "started")
    agent.process.kill()
    start.agent(broker=broker, root=agent.root)
    caller.next(sn, "started")
    assert caller.next(sn)["result"] == {"retval": 1.5}
    caller.nothing_more()
    until_journal(agent, lambda j: not j)


def test_calls_that_waited_run(start, broker, caller):
    agent = start.agent(broker=broker)
    sns = [caller.ask("sleep", 0.5 if i == 0 else 0) for i in range(20)]
    for sn in sns:
        caller.next(sn, "accepted")
    agent.process.kill()
    assert set(journal(agent)) == set(sns)
    start.agent(broker=broker, root=agent.root)
    got = []
    while len(got) < 20:
        reply = json.loads(caller.receive().body)
        if "result" in reply:
            got.append(reply["sn"])
    assert got == sns
    caller.nothing_more()


def test_a_result_is_sent_again_and_the_method_not_run(start, tmp_path):
    """The broker goes in mid-call, the result is journaled, the agent is killed; then both come back."""
    broker = start.broker()
    agent = start.agent(broker=broker)
    caller = Durable(broker.url)
    sn = caller.ask("count", 3, 0.5)
    caller.next(sn, "started")
    broker.process.kill()
    until_journal(agent, lambda j: j[sn]["state"] == "result")
    agent.process.kill()
    broker = start.broker(port=broker.port)
    caller = Durable(broker.url)
    again = start.agent(broker=broker, root=agent.root)
    reply = json.loads(caller.receive().body)
    assert reply["sn"] == sn and reply["result"] == {"retval": 3}
    caller.nothing_more()
    until_journal(again, lambda j: not j)
    caller.close()


def test_the_same_request_again_is_not_run_again(start, broker, caller):
    agent = start.agent(broker=broker)
    body = json.dumps(request("Demo", "count", 3, 0.5, replyto=caller.replyto))
    sn = json.loads(body)["sn"]
    caller.send(body, durable=True)
    caller.next(sn, "started")
    until_journal(agent, lambda j: j[sn]["state"] == "started")
    agent.process.kill()
    caller.send(body, durable=True)
    start.agent(broker=broker, root=agent.root)
    caller.next(sn, "started")
    assert caller.next(sn)["result"] == {"retval": 3}
    caller.nothing_more(2.5)


def test_requests_of_a_plugin_that_has_gone_are_discarded(start, broker, caller):
    agent = start.agent(broker=broker)
    sn = caller.ask("sleep", 30)
    caller.next(sn, "accepted")
    agent.process.kill()
    again = start.agent(broker=broker, root=agent.root, plugin="demo=elsewhere")
    assert sn in journal(again)         # the same plugin, on another queue
    again.process.kill()
    config = os.path.join(agent.root, "etc/gofer/plugins")
    os.makedirs(config)
    p = start.process("agentd", "-f", "--root", agent.root)
    wait_for(lambda: " ready: " in p.output(), "the agent")
    assert sn in p.output() and "discarded" in p.output()
    until_journal(agent, lambda j: not j)


def test_modes_are_private(start):
    agent = start.agent()
    peer = Durable(agent.url, "elsewhere")
    peer.ask("sleep", 0.1)
    directory = os.path.join(agent.root, "var/lib/gofer/journal")
    wait_for(lambda: any(n.startswith("journal.") for n in os.listdir(directory)), "a segment")
    assert os.stat(directory).st_mode & 0o777 == 0o700
    for name in os.listdir(directory):
        assert os.stat(os.path.join(directory, name)).st_mode & 0o777 == 0o600
    peer.close()


def test_damage_is_told_and_the_rest_runs(start, broker, caller):
    agent = start.agent(broker=broker)
    first = caller.ask("sleep", 5)
    sns = [caller.ask("echo", f"number {i}") for i in range(10)]
    for sn in [first] + sns:
        caller.next(sn, "accepted")
    agent.process.kill()
    directory = os.path.join(agent.root, "var/lib/gofer/journal")
    path = os.path.join(directory, "journal.0000000001")
    with open(path, "r+b") as f:
        data = f.read()
        f.seek(data.index(b"number 4"))
        f.write(b"N")
    again = start.agent(broker=broker, root=agent.root)
    got = set()
    while len(got) < 10:
        reply = json.loads(caller.receive().body)
        if "result" in reply:
            got.add(reply["sn"])
    assert got == {first, *sns} - {sns[4]}
    assert f"{path}: damaged at offset " in again.process.output()
    with open(os.path.join(directory, "journal.damaged-0000000001"), "rb") as f:
        assert b"Number 4" in f.read()


def test_four_thousand_calls_share_few_syncs(start, tmp_path):
    """Counted by strace."""
    if not shutil.which("strace"):
        pytest.skip("no strace")
    agent = start.agent()
    trace = str(tmp_path / "trace")
    strace = subprocess.Popen(["strace", "-f", "-e", "trace=fdatasync", "-o", trace, "-p",
                               str(agent.process.pid)], stderr=subprocess.DEVNULL)
    wait_for(lambda: os.path.exists(trace), "strace")
    time.sleep(0.3 * SLOW)
    calls = gofer("call", "-u", agent.url, "--durable", "-n", "4000", "-C", "64", "demo",
                  "Demo.hello")
    assert calls.returncode == 0, calls.stderr
    strace.terminate()      # before the agent ends: who is traced can't look for leaks
    strace.wait()
    with open(trace) as f:
        syncs = sum("fdatasync(" in line for line in f)
    assert 0 < syncs <= 400 * SLOW      # a slow agent has less to write at a time


FULL = r"""
set -e
mount -t tmpfs -o size=1m none "$1"
shift
exec "$@"
"""


def test_a_full_disk_accepts_nothing_and_goes_on_when_there_is_room(start, tmp_path):
    root = tmp_path / "small"
    (root / "var/lib/gofer/journal").mkdir(parents=True)
    state = str(root / "var/lib/gofer")
    if subprocess.run([*UNSHARE, "sh", "-c", FULL, "sh", state, "true"],
                      capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    broker = start.broker()
    p = start.process("agentd", "-f", "--root", str(root), "--url", broker.url, "--plugin", "demo",
                      prefix=[*UNSHARE, "sh", "-c", FULL, "sh", state])
    wait_for(lambda: " ready: " in p.output() or not p.alive(), "the agent to be ready")
    assert p.alive(), p.output()
    inside = f"/proc/{p.pid}/root{state}"
    caller = Durable(broker.url)
    with open(f"{inside}/ballast", "wb", buffering=0) as f:
        try:
            for _ in range(64):
                f.write(b"x" * 16384)
        except OSError:
            pass
    sns = [caller.ask("echo", "y" * 2000) for _ in range(50)]
    wait_for(lambda: "can't be written" in p.output(), "the agent to notice")
    time.sleep(0.5 * SLOW)
    os.unlink(f"{inside}/ballast")
    results = []
    while len(results) < 50:
        reply = json.loads(caller.receive().body)
        assert reply.get("status") != "rejected"
        if "result" in reply:
            results.append(reply["sn"])
    assert sorted(results) == sorted(sns)
    assert "can be written again" in p.output()
    caller.close()
