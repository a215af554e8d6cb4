# SPDX-License-Identifier: Apache-2.0
"""The agent's management socket: one request, one reply, one connection."""
import json
import os
import socket
import subprocess
import sys
import time

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


def timed(root, name, **kwargs):
    """The result, and the seconds that it took, in a process that has nothing else to do."""
    done = subprocess.run([sys.executable, "-B", "-m", "torture.manage", root, name,
                           json.dumps(kwargs)], stdout=subprocess.PIPE, check=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    return json.loads(done.stdout)


def main(root, name, kwargs):
    before = time.monotonic()
    result = manage(root, name, **json.loads(kwargs))
    print(json.dumps([result, time.monotonic() - before]))


if __name__ == "__main__":
    main(*sys.argv[1:])
