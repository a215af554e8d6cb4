# SPDX-License-Identifier: Apache-2.0
"""Of 10 000 requests that wait, a half is cancelled by criteria, and the agent killed on that."""
import json

from peers import SLOW

from .load import Load
from .manage import timed
from .start import QUICK, pile_up
from .verdict import Verdict, judge_calls
from .world import World

PENDING, PENDING_SHORT = 10_000, 1000
LIMIT_S = 0.05
CRITERIA = {"match": {"group": "red"}}


def data():
    number = 0
    while True:
        yield {"group": ["red", "blue"][number % 2], "number": number, "more": ["x" * 50, None]}
        number += 1


def run(directory, options):
    count = options.times or (PENDING_SHORT if options.short else PENDING)
    verdict, world = Verdict("cancel"), World(directory)
    try:
        broker = world.broker()
        world.configure(broker.url, {"tally": {"threads": 1}}, depth=count + 100)
        world.start()
        load = Load(broker.url, [QUICK], data=data().__next__)
        load.pause()
        load.start()
        pile_up(world, load, count)
        red = {sn for sn, call in load.calls.items() if call.kind is QUICK and
               json.loads(call.body)["data"]["group"] == "red"}
        cancelled, seconds = timed(world.root, "cancel", criteria=CRITERIA)
        verdict.figure(f"{count} pending, answered in {seconds * 1000:.1f} ms")
        verdict.expect(set(cancelled) == red and len(cancelled) == len(red),
                       f"{len(cancelled)} told to be cancelled, not {len(red)}")
        verdict.expect(options.short or seconds < LIMIT_S, f"longer than {LIMIT_S} s")
        if not options.short:
            world.agent.kill()
            world.start()
        world.open_gate()
        load.wait_for_results(60 * SLOW)
        judge_calls(verdict, load, world, killed=True, cancelled=red)
        verdict.expect(world.until_empty(), f"left in the journal: {list(world.journal())[:5]}")
        load.stop()
    finally:
        world.stop()
    return verdict
