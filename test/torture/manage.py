# SPDX-License-Identifier: Apache-2.0
"""The agent's management socket: one request, one reply, one connection."""
import json
import os
import socket

from peers import SLOW


def manage(root, name, *args, **kwargs):
    """The result; an AssertionError where the agent says that it went wrong."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60 * SLOW)
        s.connect(os.path.join(root, "run/gofer/management.sock"))
        s.sendall(json.dumps({"name": name, "args": args, "kwargs": kwargs}).encode())
        reply = b"".join(iter(lambda: s.recv(65536), b""))
    reply = json.loads(reply)
    assert reply["code"] == 0, f"{name}: {reply}"
    return reply["result"]
