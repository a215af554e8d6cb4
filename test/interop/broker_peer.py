# SPDX-License-Identifier: Apache-2.0
"""What the tests of the broker share: senders and receivers of qpid-proton, and bare frames."""
import socket
import struct

from proton import Data, Described, Message, symbol, uint, ulong
from proton.utils import BlockingConnection, LinkDetached, SendException

from peers import SLOW

ACCEPTED, REJECTED, RELEASED, MODIFIED = 0x24, 0x25, 0x26, 0x27
NEVER = 0.3


def connect(place, limit=10, **options):
    return BlockingConnection(place.url, timeout=limit * SLOW, **options)


def send(connection, address, *bodies, **properties):
    """Sends through a link to the address, in order."""
    sender = connection.create_sender(address)
    for body in bodies:
        sender.send(Message(body=body, **properties))
    sender.close()


def outcome(send_it):
    """The name of the outcome of a send that was not accepted, or "accepted"."""
    try:
        send_it()
    except SendException as e:
        return {REJECTED: "rejected", RELEASED: "released", MODIFIED: "modified"}[int(e.state)]
    return "accepted"


def relay(connection):
    """A function that sends to an address through the anonymous relay, and tells the outcome."""
    sender = connection.create_sender(None)

    def to(address, body="x", **properties):
        return outcome(lambda: sender.send(Message(address=address, body=body, **properties)))

    return to


def flush(connection):
    """What a blocking connection has to say goes out with the next thing that it does."""
    for _ in range(5):
        connection.container.do_work(0.01)


def bodies(receiver, count):
    """So many messages, accepted."""
    got = []
    for _ in range(count):
        got.append(receiver.receive().body)
        receiver.accept()
    flush(receiver.connection)
    return got


def nothing_comes(receiver, seconds=NEVER):
    try:
        message = receiver.receive(timeout=seconds)
    except Exception as e:
        assert type(e).__name__ == "Timeout", e
        return True
    raise AssertionError(f"a message came: {message}")


def detached_with(action):
    """The condition with which the broker detached the link in `action`."""
    try:
        action()
    except LinkDetached as e:
        return e.condition
    raise AssertionError("the link was not detached")


def dynamic(connection, credit=10):
    receiver = connection.create_receiver(None, dynamic=True, credit=credit)
    return receiver, receiver.link.remote_source.address


class Frames:
    """Bare AMQP frames over a socket, for what no client library does."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10 * SLOW)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def frame(self, code, *fields, payload=b"", channel=0, sasl=False):
        data = Data()
        data.put_described()
        data.enter()
        data.put_ulong(code)
        data.put_list()
        data.enter()
        for field in fields:
            data.put_object(field)
        data.exit()
        data.exit()
        body = data.encode() + payload
        self.send(struct.pack(">IBBH", len(body) + 8, 2, 1 if sasl else 0, channel) + body)

    def open(self):
        """SASL ANONYMOUS, an open frame, a session."""
        self.send(b"AMQP\3\1\0\0")
        self.frame(0x41, symbol("ANONYMOUS"), b"x", sasl=True)
        self.send(b"AMQP\0\1\0\0")
        self.frame(0x10, "bare")
        self.frame(0x11, None, uint(0), uint(100), uint(100))

    def attach_sender(self, name, address, handle=0):
        source = described(0x28, name)
        target = described(0x29, address)
        self.frame(0x12, name, uint(handle), False, None, None, source, target, None, None,
                   uint(0))

    def attach_receiver(self, name, address, handle=0, largest=None):
        self.frame(0x12, name, uint(handle), True, None, None, described(0x28, address),
                   described(0x29, name), None, None, None, largest and ulong(largest))

    def credit(self, credit, count=0, handle=0, drain=False):
        self.frame(0x13, uint(0), uint(1000), uint(0), uint(1000), uint(handle), uint(count),
                   uint(credit), None, drain)

    def transfer(self, number, payload, handle=0, more=False):
        self.frame(0x14, uint(handle), uint(number), struct.pack(">I", number), uint(0),
                   False, more, payload=payload)

    def read(self, wanted=None):
        """Everything up to the end of the stream, or until `wanted` has come."""
        while wanted is None or wanted not in self.buffer:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                break
            self.buffer += data
        return self.buffer

    def close(self):
        self.socket.close()


def described(code, address):
    return Described(ulong(code), [address])


def encoded(body):
    return Message(body=body).encode()
