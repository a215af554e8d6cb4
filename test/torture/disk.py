# SPDX-License-Identifier: Apache-2.0
"""A journal on a disk of 1 MB that is full: by others' files, and by what the journal itself holds.

Nothing may be accepted then that is not stored; with room again, all must go on by itself.
"""
import os
import subprocess
import time

from peers import SLOW, wait_for

from .load import Kind, Load
from .verdict import Verdict, judge_calls
from .world import World

PADDED = Kind("tally", "Tally", "mark", lambda: [0, "x" * 3000], 1)
WINDOW = 600            # more than the disk holds
FULL, ROOM = "can't be written", "can be written again"


def mount(directory, size, how=""):
    os.makedirs(directory, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"{how}size={size}", "none", directory],
                   check=True)


def fill(path):
    """A file that takes all the room there is."""
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            pass


class Disk:
    """An agent on a small disk, a load of long requests, and a look at what was stored."""

    def __init__(self, verdict, world):
        self.verdict, self.world, self.checks = verdict, world, 0
        self.state = os.path.join(world.root, "var/lib/gofer")
        mount(self.state, "1m")
        self.broker = world.broker()
        world.configure(self.broker.url, {"tally": {"threads": 1}}, depth=5000)
        world.start()
        self.load = Load(self.broker.url, [PADDED], window=WINDOW)
        self.load.pause()
        self.load.start()

    def wait_for_log(self, text, count):
        wait_for(lambda: self.world.agent.output().count(text) >= count, f'"{text}"', 60)

    def settle(self):
        """Until no more is accepted."""
        before = -1
        while before != (before := sum(c.accepted for c in self.load.calls.values())):
            time.sleep(1.5 * SLOW)

    def check(self, when):
        """All that was accepted and is not answered is in the journal."""
        accepted = {sn for sn in list(self.load.unanswered) if self.load.calls[sn].accepted}
        lacks = accepted - set(self.world.journal())
        self.verdict.expect(not lacks, f"{when}: {len(lacks)} of {len(accepted)} accepted are not "
                                       f"stored: {sorted(lacks)[:5]}")
        self.checks += 1
        return len(accepted)

    def others(self):
        """Somebody else's file takes the room, and goes."""
        ballast = os.path.join(self.state, "ballast")
        held = self.world.close_gate(self.load)
        fill(ballast)
        self.load.resume()
        self.wait_for_log(FULL, 1)
        self.settle()
        self.check("no room")
        before = self.load.calls[held].accepted
        self.verdict.expect(before, "the gate was not accepted")
        os.unlink(ballast)
        self.wait_for_log(ROOM, 1)
        self.settle()
        return self.check("room again")

    def own(self):
        """What waits fills the disk; the agent is killed and starts on a full disk."""
        self.wait_for_log(FULL, 2)
        self.settle()
        count = self.check("full of requests")
        self.world.agent.kill()
        self.check("full and killed")
        self.world.start()
        self.settle()
        self.check("full and started")
        return count


def one_round(verdict, world, more_room):
    disk = Disk(verdict, world)
    disk.others()
    most = disk.own()
    if more_room:
        mount(disk.state, "16m", "remount,")
    world.open_gate()
    disk.load.pause()
    disk.load.wait_for_results(60 * SLOW)
    verdict.figure(f"{most} accepted on 1 MB, {disk.checks} looks at what is stored, then "
                   + ("room is made" if more_room else "what was there is answered"))
    judge_calls(verdict, disk.load, world, killed=True)
    verdict.expect(world.until_empty(), f"left in the journal: {list(world.journal())[:5]}")
    disk.load.stop()


def run(directory, options):
    verdict = Verdict("disk")
    for more_room in (True,) if options.short else (True, False):
        world = World(os.path.join(directory, "more" if more_room else "same"))
        try:
            one_round(verdict, world, more_room)
        finally:
            world.stop()
    return verdict
