# SPDX-License-Identifier: Apache-2.0
"""Requests that were answered come again, to the agent that answered and to the next one.

A broker may do so when it did not learn, or not yet store, that they were settled.
"""
from peers import SLOW

from .load import Load
from .verdict import Verdict, judge_calls
from .world import World

TIMES, TIMES_SHORT = 5000, 300
PATIENCE_S = 60


def deliver_again(world, load):
    """All once more, and then some new ones; whether those are answered, and all is done."""
    load.again.extend(list(load.calls))
    load.limit += 50
    while len(load.calls) < load.limit and load.wait_for_results(PATIENCE_S * SLOW):
        pass
    return load.wait_for_results(PATIENCE_S * SLOW) and world.until_empty()


def run(directory, options):
    times = options.times or (TIMES_SHORT if options.short else TIMES)
    verdict, world = Verdict("again"), World(directory)
    try:
        broker = world.broker()
        world.configure(broker.url)
        world.start()
        load = Load(broker.url)
        load.limit = times
        load.start()
        while len(load.calls) < times and load.wait_for_results(PATIENCE_S * SLOW):
            pass
        for killed in (False, True):
            load.wait_for_results(PATIENCE_S * SLOW)
            if killed:
                world.until_empty()
                world.agent.kill()
                world.start()
            verdict.expect(deliver_again(world, load), "not all was answered")
        verdict.figure("all delivered again, then to another agent")
        judge_calls(verdict, load, world)
        load.stop()
    finally:
        world.stop()
    return verdict
