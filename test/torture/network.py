# SPDX-License-Identifier: Apache-2.0
"""The network cut for a while, again and again, under load of durable calls.

The agent is in a network namespace of its own, and a pair of veth is all that leads there.
"""
import os
import random
import subprocess
import time

from peers import SLOW, free_port, listens, wait_for

from .load import Load
from .verdict import Verdict, judge_calls
from .world import World

CUTS, CUTS_SHORT = [1, 2, 3, 5, 8, 12, 20, 30], [1, 6]  # seconds
UP_S = 5                        # the longest between two of them
HERE, THERE = "10.11.12.1", "10.11.12.2"
USER = "torture:torture"


class Wire:
    """A network namespace, and the way there. Gone when the process that holds it is."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.prefix = ["nsenter", "-t", str(self.holder.pid), "-n"]
        wait_for(self.is_apart, "a network namespace")
        self.ip("link", "add", "here", "type", "veth", "peer", "name", "there", "netns",
                str(self.holder.pid))
        self.ip("addr", "add", f"{HERE}/24", "dev", "here")
        self.ip("addr", "add", f"{THERE}/24", "dev", "there", inside=True)
        self.ip("link", "set", "here", "up")
        self.ip("link", "set", "there", "up", inside=True)

    def is_apart(self):
        return os.readlink(f"/proc/{self.holder.pid}/ns/net") != os.readlink("/proc/self/ns/net")

    def ip(self, *words, inside=False):
        subprocess.run([*(self.prefix if inside else []), "ip", *words], check=True)

    def cut(self, seconds):
        """At one end or at the other."""
        inside = random.random() < 0.5
        name = "there" if inside else "here"
        self.ip("link", "set", name, "down", inside=inside)
        time.sleep(seconds)
        self.ip("link", "set", name, "up", inside=inside)

    def stop(self):
        self.holder.kill()
        self.holder.wait()


def start_broker(world):
    """On loopback for the caller, and on the wire for the agent."""
    users = os.path.join(world.directory, "users")
    with open(users, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
        f.write(USER + "\n")
    port = free_port()
    p = world.process("broker", "-l", f"amqp://127.0.0.1:{port}", "-l", f"amqp://{HERE}:{port}",
                      "--users", users)
    wait_for(lambda: listens(port) or not p.alive(), "the broker to listen")
    assert p.alive(), p.output()
    return port


def run(directory, options):
    cuts = CUTS_SHORT if options.short else CUTS * (options.times or 2)
    verdict, world, wire = Verdict("network"), World(directory), Wire()
    try:
        port = start_broker(world)
        world.configure(f"amqp://{USER}@{HERE}:{port}",
                        more="heartbeat=3\n" if options.short else "")
        agent = world.start(prefix=wire.prefix)
        load = Load(f"amqp://{USER}@127.0.0.1:{port}").start()
        for seconds in random.sample(cuts, len(cuts)):
            time.sleep(random.uniform(0.5, UP_S) * SLOW)
            wire.cut(seconds * SLOW)
        load.pause()
        load.wait_for_results(120 * SLOW)
        verdict.figure(f"{len(cuts)} cuts of {min(cuts)} to {max(cuts)} s")
        verdict.figure(f"{agent.output().count(': connected') - 1} connections lost")
        judge_calls(verdict, load, world)
        verdict.expect(agent.alive(), "the agent has ended")
        verdict.expect(world.until_empty(), f"left in the journal: {list(world.journal())[:5]}")
        load.stop()
    finally:
        world.stop()
        wire.stop()
    return verdict
