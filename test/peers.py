# SPDX-License-Identifier: Apache-2.0
"""What the tests with other programs share: processes under test, and peers that are not ours.

GOFER names the binary; DEPS the directory that tools/deps filled (rhea is in its node/).
"""
import json
import os
import signal
import socket
import subprocess
import time
import uuid

from proton import Message
from proton.utils import BlockingConnection

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
GOFER = os.path.abspath(os.environ.get("GOFER", os.path.join(ROOT, "build/gofer")))
DEPS = os.path.join(ROOT, os.environ.get("DEPS", "build/deps"))
SLOW = float(os.environ.get("TEST_SLOW", "1"))  # sanitized and emulated runs wait longer


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, what, limit=15.0):
    end = time.monotonic() + limit * SLOW
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
        return True
    except OSError:
        return False


class Process:
    """A gofer process; its standard error goes to a file that a test may read."""

    def __init__(self, directory, *argv, env=None, prefix=(), program=GOFER):
        self.log = os.path.join(directory, f"log-{uuid.uuid4().hex[:8]}")
        self.argv = [*prefix, program, *argv]
        with open(self.log, "wb") as out:
            self.child = subprocess.Popen(self.argv, stdout=out, stderr=out,
                                          stdin=subprocess.DEVNULL,
                                          env={**os.environ, **(env or {})})

    @property
    def pid(self):
        return self.child.pid

    def output(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def alive(self):
        return self.child.poll() is None

    def kill(self):
        if self.alive():
            self.child.kill()
        self.child.wait()

    def stop(self, limit=15):
        """SIGTERM, and the exit status."""
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(limit * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv} did not end on SIGTERM:\n{self.output()}")


class Place:
    """An address to connect to, and the process behind it."""

    def __init__(self, process, port, root=None):
        self.process, self.port, self.root = process, port, root
        self.url = f"amqp://127.0.0.1:{port}"


def request(classname, method, *args, **keys):
    """The body of a request, as a dict; keys override its parts."""
    body = {"sn": str(uuid.uuid4()), "version": "2.0", "routing": [None, "demo"], "replyto": None,
            "request": {"classname": classname, "method": method, "args": list(args), "kws": {},
                        "cntr": [[], {}]},
            "data": None, "secret": None, "pam": None}
    body.update(keys)
    return body


class Starter:
    """Starts processes in a directory; stop() ends them all and reads what they said."""

    def __init__(self, directory):
        self.directory, self.made = directory, []

    def process(self, *argv, **kw):
        self.made.append(Process(self.directory, *argv, **kw))
        return self.made[-1]

    def broker(self, *more, port=None):
        port = port or free_port()
        p = self.process("broker", "-l", f"amqp://127.0.0.1:{port}", *more)
        wait_for(lambda: listens(port) or not p.alive(), "the broker to listen")
        assert p.alive(), p.output()
        return Place(p, port)

    def agent(self, *more, broker=None, plugin="demo", root=None):
        """With `broker`: an agent on it; otherwise one that is its own broker."""
        root = root or os.path.join(self.directory, f"root-{uuid.uuid4().hex[:8]}")
        port = broker.port if broker else free_port()
        where = ["--url", broker.url] if broker else ["--listen", f"amqp://127.0.0.1:{port}"]
        p = self.process("agentd", "-f", "--root", root, *where, "--plugin", plugin, *more)
        wait_for(lambda: " ready: " in p.output() or not p.alive(), "the agent to be ready")
        assert p.alive(), p.output()
        return Place(p, port, root)

    def stop(self):
        for p in reversed(self.made):
            if p.alive():
                p.stop()
        for p in self.made:
            text = p.output()
            for sign in ("ERROR: AddressSanitizer", "runtime error:", "WARNING: ThreadSanitizer",
                         "ERROR: LeakSanitizer", "Assertion"):
                assert sign not in text, text


class Peer:
    """A caller made of qpid-proton's Python binding."""

    def __init__(self, url, timeout=20):
        self.timeout = timeout * SLOW
        self.connection = BlockingConnection(url, timeout=self.timeout)
        self.receiver = self.connection.create_receiver(None, dynamic=True, credit=100)
        self.replyto = self.receiver.link.remote_source.address

    def send(self, body, address="demo", **properties):
        sender = self.connection.create_sender(address)
        sender.send(Message(body=body, **properties))
        sender.close()

    def receive(self, timeout=None):
        message = self.receiver.receive(timeout=timeout or self.timeout)
        self.receiver.accept()
        return message

    def replies(self):
        """Every reply up to the last, decoded."""
        got = []
        while True:
            got.append(json.loads(self.receive().body))
            if "result" in got[-1] or got[-1].get("status") == "rejected":
                return got

    def call(self, classname, method, *args, **keys):
        body = request(classname, method, *args, **{"replyto": self.replyto, **keys})
        self.send(json.dumps(body))
        return self.replies()

    def hello(self):
        """Whether the agent still answers."""
        assert self.call("Demo", "hello")[-1]["result"]["retval"]

    def close(self):
        self.connection.close()


def gofer(*argv, timeout=60, env=None, stdin=None):
    """Runs the command line; the finished process, with text output."""
    return subprocess.run([GOFER, *argv], capture_output=True, text=True, timeout=timeout * SLOW,
                          env={**os.environ, **(env or {})}, input=stdin)


def node(script, *argv):
    """Starts a script of test/interop under node, with rhea to be had."""
    env = {**os.environ, "NODE_PATH": os.path.join(DEPS, "node/node_modules")}
    return subprocess.Popen(["node", os.path.join(ROOT, "test/interop", script), *argv],
                            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
