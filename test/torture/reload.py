# SPDX-License-Identifier: Apache-2.0
"""Reloads of a plugin, one after the other, under load: nothing is lost, run twice or left open."""
import random
import time

from peers import SLOW, gofer

from .load import Load
from .manage import manage
from .verdict import Verdict, judge_calls
from .world import World, proc

TIMES, TIMES_SHORT = 1000, 50
FIRST = 100             # reloads before memory is looked at
KNOWN = 11_000          # calls that a tracker is full with
PAUSE_S = 0.1           # the longest between two of them
GROWTH_KIB = 2048       # that is no growth


def fill_trackers(url):
    """What is remembered of finished calls has its full size."""
    for call in (["demo", "Demo.echo", "x" * 3000], ["tally", "Tally.mark"]):
        done = gofer("call", "-u", url, "-n", str(KNOWN), "-C", "64", *call, timeout=600)
        assert done.returncode == 0, done.stderr


def reload(world, count):
    for _ in range(count):
        time.sleep(random.uniform(0, PAUSE_S) * SLOW)
        manage(world.root, "reload", random.choice(["demo", "tally"]))


def look(load, agent):
    """RSS and descriptors while nothing is asked of the agent."""
    load.pause()
    load.wait_for_results(60 * SLOW)
    seen = proc(agent.pid, "rss"), proc(agent.pid, "descriptors")
    load.resume()
    return seen


def run(directory, options):
    times = options.times or (TIMES_SHORT if options.short else TIMES)
    verdict, world, seen = Verdict("reload"), World(directory), []
    try:
        broker = world.broker()
        world.configure(broker.url)
        agent = world.start()
        fill_trackers(broker.url)
        load = Load(broker.url).start()
        first = min(FIRST, times // 2)
        reload(world, first)
        seen.append(look(load, agent))
        reload(world, times - first)
        seen.append(look(load, agent))
        load.pause()
        load.wait_for_results(60 * SLOW)
        verdict.figure(f"{times} reloads")
        verdict.figure("RSS {} KiB, then {} KiB".format(*[rss for rss, _ in seen]))
        verdict.figure("{} descriptors, then {}".format(*[count for _, count in seen]))
        judge_calls(verdict, load, world)
        verdict.expect(seen[1][1] <= seen[0][1], "descriptors are left open")
        if not options.short:
            verdict.expect(seen[1][0] <= seen[0][0] + GROWTH_KIB, "memory grows")
        verdict.expect(agent.alive(), "the agent has ended")
        verdict.expect(world.until_empty(), f"left in the journal: {list(world.journal())[:5]}")
        load.stop()
    finally:
        world.stop()
    return verdict
