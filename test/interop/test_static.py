# SPDX-License-Identifier: Apache-2.0
"""The one file: it needs nothing but itself."""
import os
import shutil
import subprocess

import pytest
from peers import GOFER, SLOW, free_port, gofer, listens, wait_for


def interpreter(path):
    """Whether the program asks for a dynamic loader (an ELF PT_INTERP header)."""
    out = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True, check=True)
    return "INTERP" in out.stdout


pytestmark = pytest.mark.skipif(interpreter(GOFER), reason="built with LINK=shared or SANITIZE")


def test_no_shared_library_is_needed():
    out = subprocess.run(["readelf", "-dW", GOFER], capture_output=True, text=True).stdout
    assert "(NEEDED)" not in out


def stripped(path):
    return ".symtab" not in subprocess.run(["readelf", "-SW", path], capture_output=True,
                                           text=True, check=True).stdout


@pytest.mark.skipif(not stripped(GOFER), reason="a build for measuring, not for use")
def test_size():
    assert os.path.getsize(GOFER) <= 6.5e6


def test_agent_in_an_empty_root(tmp_path):
    """chroot to a directory that holds the binary alone; called from outside."""
    shutil.copy(GOFER, tmp_path / "gofer")
    port = free_port()
    chroot = ["chroot"] if os.getuid() == 0 else ["unshare", "-r", "chroot"]
    with open(tmp_path / "log", "wb") as log:
        agent = subprocess.Popen([*chroot, str(tmp_path), "/gofer", "agentd", "-f", "--root", "/x",
                                  "--listen", f"amqp://127.0.0.1:{port}", "--plugin", "demo"],
                                 stdout=log, stderr=log)
    try:
        wait_for(lambda: listens(port) or agent.poll() is not None, "the agent to listen")
        done = gofer("call", "-u", f"amqp://127.0.0.1:{port}", "demo", "Demo.echo", "from outside")
        assert (done.returncode, done.stdout) == (0, "from outside\n"), \
            done.stderr + (tmp_path / "log").read_text()
    finally:
        agent.terminate()
        assert agent.wait(15 * SLOW) == 0
