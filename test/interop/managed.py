# SPDX-License-Identifier: Apache-2.0
"""An agent with descriptors in files, its management, and a caller with many calls at a time."""
import contextlib
import json
import os
import socket

from peers import SLOW, free_port, gofer, request, wait_for


class Socket:
    """A connection to the unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20 * SLOW)
        self.socket.connect(path)

    def say(self, data):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)
        return self

    def hear(self):
        """The reply, which must be all that comes before the end."""
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := self.socket.recv(65536):
                data += piece
        self.socket.close()
        reply = json.loads(data)
        assert set(reply) == {"code", "result"}
        return reply["code"], reply["result"]


def encode(name, *args, **kwargs):
    return json.dumps({"name": name, "args": args, "kwargs": kwargs}).encode()


class Managed:
    """An agent that is its own broker, with management over TCP as well."""

    def __init__(self, start, directory):
        self.root, self.port = os.path.join(directory, "root"), free_port()
        self.plugins = os.path.join(self.root, "etc/gofer/plugins")
        os.makedirs(self.plugins)
        with open(os.path.join(self.root, "etc/gofer/agent.conf"), "w") as file:
            file.write(f"[management]\nenabled=1\nport={self.port}\n")
        self.describe("demo", threads=2)
        self.start, self.broker_port = start, free_port()
        self.run()

    def run(self):
        url = f"amqp://127.0.0.1:{self.broker_port}"
        self.process = self.start.process("agentd", "-f", "--root", self.root, "--listen", url)
        wait_for(lambda: " ready: " in self.process.output() or not self.process.alive(),
                 "the agent")
        assert self.process.alive(), self.process.output()
        self.url = url

    def describe(self, name, threads=1, plugin="demo", more=""):
        path = os.path.join(self.plugins, name + ".conf")
        with open(path, "w") as file:
            file.write(f"[main]\nenabled=1\nplugin={plugin}\nthreads={threads}\n{more}")
        return path

    @property
    def path(self):
        return os.path.join(self.root, "run/gofer/management.sock")

    def ask(self, name, *args, **kwargs):
        return Socket(self.path).say(encode(name, *args, **kwargs)).hear()

    def get(self, name, *args, **kwargs):
        code, result = self.ask(name, *args, **kwargs)
        assert code == 0, result
        return result

    def plugin(self, name="demo"):
        """A plugin's part of the status; None: there is none."""
        return next((p for p in self.get("status")["plugins"] if p["name"] == name), None)

    def admin(self, *argv):
        return gofer("admin", "--root", self.root, *argv)


class Caller:
    """Calls of one peer, whose replies are sorted by serial number."""

    def __init__(self, peer):
        self.peer, self.seen = peer, []

    def ask(self, name, *args, address="demo", durable=False, **keys):
        classname, method = name.split(".")
        body = request(classname, method, *args, **{"replyto": self.peer.replyto, **keys})
        self.peer.send(json.dumps(body), address, durable=durable)
        return body["sn"]

    def until(self, sn, status=None):
        """The reply with that status, or the result; what comes before it is kept."""
        while True:
            for reply in self.seen:
                if reply["sn"] == sn and (reply.get("status") == status if status else
                                          "result" in reply):
                    return reply
            self.seen.append(json.loads(self.peer.receive().body))

    def result(self, sn):
        return self.until(sn)["result"]

    def statuses(self, sn):
        return [r.get("status") for r in self.seen if r["sn"] == sn]

    def admin(self, method, *args):
        return self.result(self.ask(f"Admin.{method}", *args))

    def expect_cancelled(self, sn):
        result = self.result(sn)
        assert (result["xmodule"], result["xclass"], result["xargs"]) == \
            ("gofer.rmi.dispatcher", "Cancelled", [sn])
