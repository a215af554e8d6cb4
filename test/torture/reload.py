# SPDX-License-Identifier: Apache-2.0
"""Reloads of a plugin, one after the other, under load: nothing is lost, run twice or left open."""
import os
import random
import time

from peers import SLOW

from .load import Load
from .manage import manage
from .verdict import Verdict, judge_calls
from .world import World, proc

TIMES, TIMES_SHORT = 1000, 30
FIRST = 100             # reloads before memory is looked at
PAUSE_S = 0.02          # the longest between two of them
GROWTH_KIB = 2048       # that is no growth
DESCRIPTORS = 3         # that come and go with what happens just then


def run(directory, options):
    times = options.times or (TIMES_SHORT if options.short else TIMES)
    verdict, world, seen = Verdict("reload"), World(directory), []
    try:
        broker = world.broker()
        world.configure(broker.url)
        agent = world.start()
        load = Load(broker.url).start()
        for count in range(times):
            time.sleep(random.uniform(0, PAUSE_S) * SLOW)
            manage(world.root, "reload", random.choice(["demo", "tally"]))
            if count in (min(FIRST, times // 2), times - 1):
                seen.append((proc(agent.pid, "rss"), proc(agent.pid, "descriptors")))
        load.pause()
        load.wait_for_results(60 * SLOW)
        verdict.figure(f"{times} reloads")
        verdict.figure("RSS {} KiB, then {} KiB".format(*[rss for rss, _ in seen]))
        verdict.figure("{} descriptors, then {}".format(*[count for _, count in seen]))
        judge_calls(verdict, load, world)
        verdict.expect(seen[1][1] <= seen[0][1] + DESCRIPTORS, "descriptors are left open")
        if not os.environ.get("SANITIZE"):      # sanitizers keep what was freed
            verdict.expect(seen[1][0] <= seen[0][0] + GROWTH_KIB, "memory grows")
        verdict.expect(agent.alive(), "the agent has ended")
        verdict.expect(world.until_empty(), f"left in the journal: {list(world.journal())[:5]}")
        load.stop()
    finally:
        world.stop()
    return verdict
