# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the broker, one with a store of its own (RabbitMQ), under load of durable calls."""
import random
import time

import amqp
from peers import SLOW, wait_for
from rabbitmq import RabbitMQ

from .kill import look
from .load import Load
from .verdict import Verdict, judge_calls
from .world import World

TIMES, TIMES_SHORT = 30, 1
LIFE_S = 4          # the longest that a broker lives after the agent has found it
CONNECTED = ": connected"
QUEUES_S = 3        # what RabbitMQ 3.10 knows of a new queue is on its disk only after a while


def declare(port, *queues):
    connection = amqp.Connection(f"127.0.0.1:{port}", userid="guest", password="guest")
    connection.connect()
    channel = connection.channel()
    for queue in queues:
        channel.queue_declare(queue, durable=True, auto_delete=False)
    connection.close()


def kill_agent(world, had_result):
    world.agent.kill()
    had_result.append(look(world))
    world.spawn()


def run(directory, options, name="broker", agent_too=False):
    times = options.times or (TIMES_SHORT if options.short else TIMES)
    verdict, world, had_result = Verdict(name), World(directory), []
    rabbit = RabbitMQ(directory)
    try:
        url = f"amqp://guest:guest@127.0.0.1:{rabbit.port}"
        declare(rabbit.port, "tally", "demo", "replies")
        world.configure(url)
        world.start()
        time.sleep(QUEUES_S)
        load = Load(url, spell="/amq/queue/{}".format).start()
        for _ in range(times):
            time.sleep(random.uniform(0.2, LIFE_S) * SLOW)
            if agent_too:
                kill_agent(world, had_result)
                time.sleep(random.uniform(0, LIFE_S) * SLOW)
            connects = world.agent.output().count(CONNECTED)
            rabbit.kill()
            rabbit.start()
            wait_for(lambda: world.agent.output().count(CONNECTED) > connects,
                     "the agent to be back", 120)
        load.pause()
        load.wait_for_results(60 * SLOW)
        verdict.figure(f"{times} kills")
        judge_calls(verdict, load, world, had_result, killed=agent_too)
        verdict.expect(world.agent.alive(), "the agent has ended")
        verdict.expect(world.until_empty(), f"left in the journal: {list(world.journal())[:5]}")
        load.stop()
    finally:
        world.stop()
        rabbit.stop()
    return verdict
