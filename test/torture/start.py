# SPDX-License-Identifier: Apache-2.0
"""A start with 10 000 requests left from before: how long it takes, and that all are answered."""
import time

from peers import SLOW, wait_for

from .load import Kind, Load
from .verdict import Verdict, judge_calls
from .world import World

PENDING, PENDING_SHORT = 10_000, 1000
STARTS = 5
LIMIT_S = 1.0
QUICK = Kind("tally", "Tally", "mark", lambda: [0], 1)


def measure(world):
    """From the start of the program until it says that it is ready, in seconds."""
    before = time.monotonic()
    agent = world.spawn()
    while "ready" not in agent.output():
        assert agent.alive() and time.monotonic() < before + 60 * SLOW, agent.output()
        time.sleep(0.0005)
    return time.monotonic() - before


def pile_up(world, load, count):
    """`count` requests accepted, none of which runs."""
    world.close_gate(load)
    load.limit, load.window = count + 1, count + 1
    load.resume()
    wait_for(lambda: len(load.calls) == count + 1 and
             all(call.accepted for call in list(load.calls.values())), f"{count} requests", 120)


def run(directory, options):
    count = options.times or (PENDING_SHORT if options.short else PENDING)
    verdict, world = Verdict("start"), World(directory)
    try:
        broker = world.broker()
        world.configure(broker.url, {"tally": {"threads": 1}}, depth=count + 100)
        world.start()
        load = Load(broker.url, [QUICK])
        load.pause()
        load.start()
        pile_up(world, load, count)
        seconds = []
        for _ in range(1 if options.short else STARTS):
            world.agent.kill()
            left = len(world.journal())
            verdict.expect(left == count + 1, f"{left} in the journal")
            seconds.append(measure(world))
        verdict.figure(f"{count} pending")
        verdict.figure(f"ready after {' '.join(f'{s * 1000:.0f}' for s in seconds)} ms")
        verdict.expect(options.short or max(seconds) < LIMIT_S, f"longer than {LIMIT_S} s")
        world.open_gate()
        load.wait_for_results(60 * SLOW)
        judge_calls(verdict, load, world, killed=True)
        verdict.expect(world.until_empty(), f"left in the journal: {list(world.journal())[:5]}")
        load.stop()
    finally:
        world.stop()
    return verdict
