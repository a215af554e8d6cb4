# SPDX-License-Identifier: Apache-2.0
"""A million calls, a half of them durable: memory and descriptors stay what they soon are."""
import os

from peers import SLOW, free_port, gofer

from .verdict import Verdict
from .world import World, proc

TIMES, TIMES_SHORT = 1_000_000, 20_000
FIRST = 1000
IN_FLIGHT = 64
GROWTH_KIB = 4096       # that is no growth: what the tracker keeps, the allocator's moods


def steps(times):
    """1 000, 10 000, ..., and the last."""
    count = FIRST
    while count < times:
        yield count
        count *= 10
    yield times


def call(url, count, durable):
    done = gofer("call", "-u", url, "--durable" if durable else "--no-durable", "-n", str(count),
                 "-C", str(IN_FLIGHT), "demo", "Demo.echo", "hello", timeout=3600)
    assert done.returncode == 0, done.stdout + done.stderr


def run(directory, options):
    times = options.times or (TIMES_SHORT if options.short else TIMES)
    verdict, world, port = Verdict("million"), World(directory), free_port()
    url, done, seen = f"amqp://127.0.0.1:{port}", 0, []
    try:
        world.configure(url)
        agent = world.start("--listen", url)
        for count in steps(times):
            more = count - done
            call(url, more - more // 2, True)
            call(url, more // 2, False)
            done = count
            verdict.expect(world.until_empty(), "left in the journal")
            seen.append((proc(agent.pid, "rss"), proc(agent.pid, "descriptors")))
            verdict.figure(f"after {count}: RSS {seen[-1][0]} KiB, {seen[-1][1]} descriptors")
        verdict.expect(seen[-1][1] <= seen[0][1], "descriptors are left open")
        if not os.environ.get("SANITIZE"):      # sanitizers keep what was freed
            verdict.expect(seen[-1][0] <= seen[0][0] + GROWTH_KIB * SLOW, "memory grows")
        verdict.expect(agent.alive(), "the agent has ended")
    finally:
        world.stop()
    return verdict
