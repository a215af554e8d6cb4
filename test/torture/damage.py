# SPDX-License-Identifier: Apache-2.0
"""A journal's file of 100 requests, hit and cut at every offset: only the one that is hit is lost.

test/unit/test_journal_damage.c asks the same of the modules; this asks the program, as it looks
inside (`gofer plugin journal`) and as it starts, with a file that an agent has written.
"""
import json
import os
import random
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor

from peers import GOFER, SLOW, wait_for

from .disk import mount
from .load import Load
from .start import QUICK, pile_up
from .verdict import Verdict
from .world import World

REQUESTS = 100
STRIDE_SHORT = 97       # the short form looks at one offset of so many
STARTS, STARTS_SHORT = 200, 4
SEGMENT = "var/lib/gofer/journal/journal.0000000001"
HEAD, RECORD_HEAD, ACCEPTED = 64, 40, 1     # as core/journal_file.h has it


class Record:
    def __init__(self, data, at):
        size, kind = struct.unpack_from("<IB", data, at + 8)
        self.begin, self.end, self.sn = at, at + RECORD_HEAD + size, None
        if kind == ACCEPTED:
            at += RECORD_HEAD
            plugin, sn = struct.unpack_from("<II", data, at)
            self.sn = data[at + 12 + plugin:at + 12 + plugin + sn - 1].decode()


class Original:
    """The file as an agent that was killed has left it, with what it holds."""

    def __init__(self, world, broker):
        load = Load(broker.url, [QUICK])
        load.pause()
        world.start()
        load.start()
        pile_up(world, load, REQUESTS - 1)
        world.agent.kill()
        load.stop()
        self.sns = set(world.journal())
        with open(os.path.join(world.root, SEGMENT), "rb") as f:
            self.data = f.read()
        self.records = []
        while len(self.data) > (at := self.records[-1].end if self.records else HEAD) and \
                any(self.data[at:at + RECORD_HEAD]):
            self.records.append(Record(self.data, at))
        self.data = self.data[:at]
        assert {r.sn for r in self.records if r.sn} == self.sns and len(self.sns) == REQUESTS

    def hit(self, offset):
        """The file with one bit changed, and who may be missing."""
        data = bytearray(self.data)
        data[offset] ^= 1 << random.randrange(8)
        return bytes(data), {r.sn for r in self.records if r.begin <= offset < r.end and r.sn}

    def cut(self, offset):
        return self.data[:offset], {r.sn for r in self.records if r.end > offset and r.sn}


def put(root, data):
    path = os.path.join(root, SEGMENT)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def look(root, data):
    """The sn that `gofer plugin journal` finds, or what it said instead."""
    put(root, data)
    done = subprocess.run([GOFER, "plugin", "journal", "--json", "--root", root],
                          capture_output=True, text=True, timeout=30 * SLOW)
    return {e["sn"] for e in json.loads(done.stdout)} if done.returncode == 0 else done.stderr


def look_all(verdict, original, directory, stride):
    """All offsets, a share of them in each of some threads."""
    threads = os.cpu_count()

    def share(first):
        root, faults, lost = os.path.join(directory, f"look-{first}"), [], 0
        for offset in range(first * stride, len(original.data), threads * stride):
            for how in (original.hit, original.cut):
                data, missing = how(offset)
                found = look(root, data)
                if not (isinstance(found, set) and
                        original.sns - missing <= found <= original.sns):
                    faults.append(f"{how.__name__} at {offset}: {found}")
                lost += isinstance(found, set) and how == original.hit and len(found) < REQUESTS
        return faults, lost

    with ThreadPoolExecutor(threads) as pool:
        shares = list(pool.map(share, range(threads)))
    verdict.figure(f"{REQUESTS} requests, {len(original.data)} bytes")
    verdict.figure(f"{len(range(0, len(original.data), stride))} offsets hit, "
                   f"{sum(lost for _, lost in shares)} of them cost one request")
    verdict.figure("as many cut")
    for fault in sum((faults for faults, _ in shares), [])[:10]:
        verdict.expect(False, fault)


def start_one(verdict, world, how, offset):
    """An agent starts on what is left, and runs all that can be read."""
    data, missing = how(offset)
    directory = os.path.dirname(os.path.join(world.root, SEGMENT))
    for name in os.listdir(directory):
        os.unlink(os.path.join(directory, name))
    if os.path.exists(world.tally):
        os.unlink(world.tally)
    put(world.root, data)
    expected = world.original.sns - missing
    agent = world.start()
    where = f"{how.__name__} at {offset}"
    try:
        wait_for(lambda: {sn for what, sn, _ in world.runs() if what == "end"} >= expected,
                 f"the rest to run, {where}", 30)
        verdict.expect(world.until_empty(), f"{where}: left in the journal")
    except AssertionError as e:
        verdict.expect(False, str(e))
    verdict.expect(agent.alive(), f"{where}: {agent.output()[-500:]}")
    told = "put aside" in agent.output()
    verdict.expect(told == (how == world.original.hit), f"{where}: told {told}")
    agent.kill()


def run(directory, options):
    verdict, world = Verdict("damage"), World(directory)
    mount(directory, "256m")    # a hundred thousand files
    try:
        broker = world.broker()
        world.configure(broker.url, {"tally": {"threads": 1}})
        world.original = original = Original(world, broker)
        look_all(verdict, original, directory, STRIDE_SHORT if options.short else 1)
        world.open_gate()
        starts = options.times or (STARTS_SHORT if options.short else STARTS)
        for i in range(starts):
            start_one(verdict, world, original.cut if i % 2 else original.hit,
                      random.randrange(len(original.data)))
        verdict.figure(f"{starts} agents started on such files")
    finally:
        world.stop()
    return verdict
