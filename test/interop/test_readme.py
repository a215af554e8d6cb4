# SPDX-License-Identifier: Apache-2.0
"""What the documents show works as it is written."""
import os
import re
import subprocess

from peers import DEPS, GOFER, ROOT, SLOW, free_port, gofer, wait_for


def blocks(path, language):
    """The blocks of code of a document, in order."""
    with open(os.path.join(ROOT, path)) as f:
        return re.findall(rf"^```{language}\n(.*?)^```", f.read(), re.M | re.S)


def test_first_real_use(tmp_path):
    port = free_port()
    script = next(b for b in blocks("README.md", "sh") if "Demo.echo" in b)
    for old, new in (("build/gofer", GOFER), ("/tmp/try", str(tmp_path / "try")),
                     ("5672", str(port)), ("-n 20000", "-n 200")):
        assert old in script
        script = script.replace(old, new)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True,
                          timeout=60 * SLOW, cwd=tmp_path,
                          env={**os.environ, "GOFER_URL": f"amqp://127.0.0.1:{port}"})
    lines = done.stdout.splitlines()
    assert lines[:4] == ["hello there", "5", "1", "69"], done.stdout + done.stderr
    assert lines[4].startswith("200 calls in ") and lines[4].endswith(" 0 failed")
    assert done.stderr.splitlines() == ["Exception: no luck",
                                        "gofer call: no such address: nobody"]
    pid_file = tmp_path / "try/run/gofer/agentd.pid"
    wait_for(lambda: not pid_file.exists(), "the agent to end")


def test_descriptor(tmp_path):
    descriptor, = blocks("README.md", "ini")
    (tmp_path / "demo.conf").write_text(descriptor)
    done = gofer("plugin", "check", str(tmp_path / "demo.conf"))
    assert done.returncode == 0 and "queue web-17, 4 threads" in done.stdout, done.stderr


def test_a_plugin_of_ones_own(tmp_path):
    source = blocks("docs/plugins.md", "c")[0]
    (tmp_path / "dog.c").write_text(source)
    done = subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}",
                           "-isystem", f"{DEPS}/include", "-fsyntax-only",
                           str(tmp_path / "dog.c")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
