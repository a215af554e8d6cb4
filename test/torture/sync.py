# SPDX-License-Identifier: Apache-2.0
"""Durable calls, 64 in flight: how many share a sync; counted by strace."""
import os
import signal
import subprocess

from peers import SLOW, free_port, gofer, wait_for

from .verdict import Verdict
from .world import World

TIMES, TIMES_SHORT = 50_000, 4000
IN_FLIGHT = 64


class Strace:
    def __init__(self, pid, directory):
        self.path = os.path.join(directory, "strace")
        self.child = subprocess.Popen(["strace", "-f", "-c", "-e", "trace=fdatasync,fsync", "-o",
                                       self.path, "-p", str(pid)], stderr=subprocess.DEVNULL)
        wait_for(lambda: all(self.traced(pid, thread)
                             for thread in os.listdir(f"/proc/{pid}/task")), "strace")

    @staticmethod
    def traced(pid, thread):
        with open(f"/proc/{pid}/task/{thread}/status") as f:
            return not any(line == "TracerPid:\t0\n" for line in f)

    def counts(self):
        """Calls, by name."""
        self.child.send_signal(signal.SIGINT)
        self.child.wait()
        with open(self.path) as f:
            lines = [line.split() for line in f]
        return {words[-1]: int(words[3]) for words in lines
                if words and words[-1] in ("fdatasync", "fsync")}


def run(directory, options):
    times = options.times or (TIMES_SHORT if options.short else TIMES)
    verdict, world, port = Verdict("sync"), World(directory), free_port()
    url = f"amqp://127.0.0.1:{port}"
    try:
        world.configure(url)
        agent = world.start("--listen", url)
        strace = Strace(agent.pid, directory)
        done = gofer("call", "-u", url, "--durable", "-n", str(times), "-C", str(IN_FLIGHT), "demo",
                     "Demo.hello", timeout=1200)
        counts = strace.counts()
        syncs = sum(counts.values())
        verdict.expect(done.returncode == 0, done.stdout + done.stderr)
        verdict.figure(f"{times} durable calls, {IN_FLIGHT} in flight")
        verdict.figure(f"{counts.get('fdatasync', 0)} fdatasync, {counts.get('fsync', 0)} fsync")
        verdict.figure(f"{times / max(syncs, 1):.1f} calls a sync")
        verdict.expect(0 < syncs <= times / 10 * SLOW, "more than a tenth of the calls")
    finally:
        world.stop()
    return verdict
