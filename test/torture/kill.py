# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the agent at random moments, its start and its end too, under load of calls."""
import random
import signal
import time

from peers import SLOW

from .load import Load
from .verdict import Verdict, judge_calls
from .world import World

TIMES, TIMES_SHORT = 300, 8
LIFE_S = 0.7        # the longest that an agent lives
ENDING = 0.2        # so many are asked to end, and killed over that


def kill(agent):
    time.sleep(random.uniform(0, LIFE_S) * SLOW)
    if random.random() < ENDING:
        agent.child.send_signal(signal.SIGTERM)
        time.sleep(random.uniform(0, LIFE_S) * SLOW)
    agent.kill()


def look(world):
    """Whose result is in the journal, and how long the tally is, for judge_calls()."""
    journal = world.journal()
    return ({sn for sn, entry in journal.items() if entry["state"] == "result"},
            len(world.runs()))


def run(directory, options):
    times = options.times or (TIMES_SHORT if options.short else TIMES)
    verdict, world, had_result = Verdict("kill"), World(directory), []
    try:
        broker = world.broker()
        world.configure(broker.url)
        world.start()
        load = Load(broker.url).start()
        for _ in range(times):
            kill(world.agent)
            had_result.append(look(world))
            world.spawn()
        load.pause()
        load.wait_for_results(30 * SLOW)
        verdict.figure(f"{times} kills")
        judge_calls(verdict, load, world, had_result, killed=True)
        verdict.expect(world.until_empty(), f"left in the journal: {list(world.journal())[:5]}")
        verdict.expect("put aside" not in world.outputs(), "damage in the journal")
        load.stop()
    finally:
        world.stop()
    return verdict
