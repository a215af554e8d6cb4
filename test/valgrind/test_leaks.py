# SPDX-License-Identifier: Apache-2.0
"""valgrind's word on the agent after a thousand calls, and on a call.

For a build with shared libraries: of a static one valgrind sees neither malloc nor which of the C library's
fast string functions read too far on purpose.
"""
import re
import subprocess

from peers import GOFER, SLOW, free_port, gofer, listens, wait_for

VALGRIND = ["valgrind", "--leak-check=full", "--errors-for-leak-kinds=definite,possible",
            "--error-exitcode=99"]


def clean(log):
    """No error, and valgrind has really seen the program's memory."""
    text = log.read_text()
    used = re.search(r"total heap usage: ([\d,]+) allocs", text)
    assert used and int(used.group(1).replace(",", "")) > 100, text
    assert "ERROR SUMMARY: 0 errors" in text, text


def test_no_leak_in_agent_and_call(tmp_path):
    port = free_port()
    url = f"amqp://127.0.0.1:{port}"
    agent = subprocess.Popen([*VALGRIND, f"--log-file={tmp_path}/agent", GOFER, "agentd", "-f",
                              "--root", str(tmp_path / "root"), "--listen", url, "--plugin",
                              "demo"], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: listens(port), "the agent under valgrind", 60)
        done = gofer("call", "-u", url, "-n", "1000", "-C", "8", "demo", "Demo.echo", "hello")
        assert done.returncode == 0, done.stderr
        done = subprocess.run([*VALGRIND, f"--log-file={tmp_path}/call", GOFER, "call", "-u", url,
                               "demo", "Demo.count", "3"], capture_output=True, timeout=60 * SLOW)
        assert (done.returncode, done.stdout) == (0, b"3\n"), done.stderr
    finally:
        agent.terminate()
        status = agent.wait(60 * SLOW)
    clean(tmp_path / "agent")
    clean(tmp_path / "call")
    assert status == 0
