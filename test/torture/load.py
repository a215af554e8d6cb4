# SPDX-License-Identifier: Apache-2.0
"""A caller that never tires, and knows of every call what has become of it.

Requests are durable; replies come to a queue that outlives every connection. What the broker has
not confirmed when a connection is lost is sent again, with the same serial number, over the next.
"""
import collections
import json
import random
import threading
import time
import uuid

from proton import Message
from proton.handlers import MessagingHandler
from proton.reactor import Container

TICK_S = 0.05
CREDIT = 500

Kind = collections.namedtuple("Kind", "queue classname method arguments weight")

# What a load is made of; Tally is the class that keeps books (tally.c).
KINDS = [
    Kind("tally", "Tally", "mark", lambda: [0], 8),
    Kind("tally", "Tally", "mark", lambda: [round(random.uniform(0.01, 0.3), 3)], 2),
    Kind("tally", "Tally", "count", lambda: [3, 0.02], 1),
    Kind("tally", "Tally", "apart", lambda: [round(random.uniform(0, 0.1), 3)], 1),
    Kind("demo", "Tally", "mark", lambda: [round(random.uniform(0, 0.1), 3)], 3),   # forwarded
    Kind("demo", "Demo", "echo", lambda: ["x" * random.randrange(3000)], 6),
    Kind("demo", "Demo", "sleep", lambda: [round(random.uniform(0.01, 0.2), 3)], 1),
    Kind("demo", "Demo", "count", lambda: [4, 0.01], 1),
]


def gate(path):
    """A call that lasts until there is something at the path."""
    return Kind("tally", "Tally", "gate", lambda: [path], 1)


class Call:
    __slots__ = ("kind", "body", "confirmed", "accepted", "started", "results", "rejected")

    def __init__(self, kind, body):
        self.kind, self.body = kind, body
        self.confirmed = False      # the broker has it
        self.accepted = self.started = self.rejected = 0
        self.results = []           # each as text, in the order of arrival


class Load:
    """start(), pause() or limit, wait_for_results(), stop(); then look at `calls`, by sn."""

    def __init__(self, url, kinds=None, window=128, replyto="replies", spell=str, data=None):
        """`window` calls at most are on their way; `spell`: how the broker spells a queue's
        address; `data`: called for each request's user data."""
        self.url, self.window, self.replyto, self.spell = url, window, replyto, spell
        self.kinds = kinds or KINDS
        self.data = data or (lambda: None)
        self.weights = [kind.weight for kind in self.kinds]
        self.calls, self.unanswered, self.again = {}, set(), collections.deque()
        self.limit = None           # so many calls at most
        self.sending, self.closing = True, False
        self.strangers, self.connects, self.released = 0, 0, 0
        self.thread = threading.Thread(target=self.run, daemon=True)

    # --- from any thread

    def start(self):
        self.thread.start()
        return self

    def pause(self):
        self.sending = False

    def resume(self):
        self.sending = True

    def ask(self, kind):
        """One call more, without data, before all that are not sent yet; its sn."""
        sn = self.make(kind, None)
        self.again.append(sn)
        return sn

    def stop(self):
        self.closing = True
        self.thread.join()

    def wait_for_results(self, patience):
        """Until all is answered, or nothing was for `patience` seconds; whether all is."""
        least, since = len(self.unanswered), time.monotonic()
        while self.unanswered and time.monotonic() < since + patience:
            time.sleep(0.02)
            if len(self.unanswered) < least:
                least, since = len(self.unanswered), time.monotonic()
        return not self.unanswered

    # --- in the thread

    def run(self):
        while not self.closing:
            Container(Session(self)).run()
            time.sleep(TICK_S)

    def make(self, kind, data):
        sn = uuid.uuid4().hex
        self.calls[sn] = Call(kind, json.dumps({
            "sn": sn, "version": "2.0", "routing": [None, kind.queue], "replyto": self.replyto,
            "request": {"classname": kind.classname, "method": kind.method,
                        "args": kind.arguments(), "kws": {}, "cntr": None},
            "data": data, "secret": None, "pam": None}))
        self.unanswered.add(sn)
        return sn

    def next(self):
        """The sn of a call to send now, or None."""
        if self.again:
            return self.again.popleft()
        if not self.sending or len(self.unanswered) >= self.window or (
                self.limit is not None and len(self.calls) >= self.limit):
            return None
        return self.make(random.choices(self.kinds, self.weights)[0], self.data())

    def take(self, text):
        reply = json.loads(text)
        call = self.calls.get(reply["sn"])
        if call is None:
            self.strangers += 1
        elif "result" in reply:
            call.results.append(json.dumps(reply["result"], sort_keys=True))
            self.unanswered.discard(reply["sn"])
        elif reply["status"] in ("accepted", "started", "rejected"):
            setattr(call, reply["status"], getattr(call, reply["status"]) + 1)


class Session(MessagingHandler):
    """The load over one connection."""

    def __init__(self, load):
        super().__init__(prefetch=CREDIT)
        self.load, self.senders, self.unconfirmed, self.connection = load, {}, set(), None
        self.over = False

    def on_start(self, event):
        self.connection = event.container.connect(self.load.url, reconnect=False)
        event.container.schedule(TICK_S, self)

    def on_connection_opened(self, event):
        load = self.load
        load.connects += 1
        event.container.create_receiver(self.connection, load.spell(load.replyto))
        for queue in {kind.queue for kind in load.kinds}:
            self.senders[queue] = event.container.create_sender(self.connection,
                                                                load.spell(queue))

    def on_timer_task(self, event):
        if self.over:
            return
        if self.load.closing:
            self.over = True
            self.connection.close()
            return
        self.send()
        event.container.schedule(TICK_S, self)

    def on_sendable(self, event):
        self.send()

    def send(self):
        """Stops at the first that finds no credit: the order is the calls' own."""
        while not self.over and self.senders and all(s.credit > 0 for s in self.senders.values()):
            sn = self.load.next()
            if sn is None:
                return
            call = self.load.calls[sn]
            self.unconfirmed.add(sn)
            self.senders[call.kind.queue].send(Message(body=call.body, durable=True), tag=sn)

    def on_accepted(self, event):
        sn = event.delivery.tag
        self.load.calls[sn].confirmed = True
        self.unconfirmed.discard(sn)

    def on_released(self, event):
        self.load.released += 1
        self.load.again.append(event.delivery.tag)
        self.unconfirmed.discard(event.delivery.tag)

    on_rejected = on_released

    def on_message(self, event):
        body = event.message.body
        self.load.take(body if isinstance(body, str) else bytes(body))
        self.send()

    def lost(self):
        if not self.over:
            self.over = True
            self.load.again.extend(self.unconfirmed)

    def on_disconnected(self, event):
        self.lost()

    def on_transport_error(self, event):
        self.lost()

    def on_link_error(self, event):
        self.lost()
        event.connection.close()

    def on_connection_error(self, event):
        self.lost()
        event.connection.close()
