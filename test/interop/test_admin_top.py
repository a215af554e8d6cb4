# SPDX-License-Identifier: Apache-2.0
"""gofer admin top on a terminal: drawn, ended by key and by signal, and the terminal as it was."""
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest
from peers import GOFER, ROOT, SLOW, wait_for

ENTER, LEAVE = b"\033[?1049h", b"\033[?1049l"


class Terminal:
    """gofer admin top in a terminal of its own, and what it has shown."""

    def __init__(self, directory, *argv, rows=24, columns=120, env=None):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.shown = b""
        self.child = subprocess.Popen([GOFER, "admin", "top", "--root", directory, *argv],
                                      stdin=slave, stdout=slave, stderr=slave,
                                      start_new_session=True, preexec_fn=self.take_terminal,
                                      env={**os.environ, "TERM": "xterm", **(env or {})})
        os.set_blocking(self.master, False)

    def take_terminal(self):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        try:
            while True:
                self.shown += os.read(self.master, 65536)
        except BlockingIOError:
            pass
        return self.shown

    def until(self, text, times=1):
        wait_for(lambda: self.read().count(text) >= times, f"{text} in {self.shown}")

    def type(self, text):
        os.write(self.master, text)

    def end(self):
        """The exit status, once it has ended with the terminal as it was."""
        wait_for(lambda: self.child.poll() is not None or not self.read(), "its end")
        status = self.child.wait(15 * SLOW)
        assert self.read().endswith(b"\033[?25h" + LEAVE)
        assert self.shown.count(ENTER) == self.shown.count(LEAVE)
        assert termios.tcgetattr(self.slave) == self.before
        return status

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.master)
        os.close(self.slave)


class Fake:
    """The management of an agent that is none (test/cli/fake_agent)."""

    def __init__(self, directory, mode="answer"):
        self.directory = directory
        self.child = subprocess.Popen([sys.executable, os.path.join(ROOT, "test/cli/fake_agent"),
                                       "run/gofer/management.sock", mode], cwd=directory)
        wait_for(lambda: os.path.exists(os.path.join(directory, "listening")), "the fake agent")

    def asked(self):
        path = os.path.join(self.directory, "asked")
        if not os.path.exists(path):
            return []
        with open(path) as file:
            return [json.loads(line)["name"] for line in file]

    def close(self):
        self.child.kill()
        self.child.wait()


@pytest.fixture
def make(tmp_path):
    """make(Terminal or Fake, ...): closed with the test."""
    made = []

    def one(kind, *argv, **kw):
        made.append(kind(str(tmp_path), *argv, **kw))
        return made[-1]
    yield one
    for thing in reversed(made):
        thing.close()


def test_it_draws_and_draws_again(make):
    fake = make(Fake)
    top = make(Terminal, "--interval", "0.2")
    top.until(b"\033[H", 3)
    assert top.shown.startswith(ENTER)
    assert b"gofer 3.0.0, process 4711" in top.shown
    assert b"\033[32mattached\033[0m" in top.shown
    assert b"Demo.count" in top.shown
    top.until(b" 0.0  ")        # calls a second, from the second time on
    assert fake.asked()[:2] == ["status", "calls"]
    top.type(b"q")
    assert top.end() == 0


def test_nothing_that_a_caller_chose_steers_it(make):
    make(Fake)
    top = make(Terminal, env={"NO_COLOR": "1"})
    top.until(b"three")
    top.type(b"q")
    assert top.end() == 0
    for own in (ENTER, LEAVE, b"\033[?25l", b"\033[?25h", b"\033[H", b"\033[K", b"\033[J"):
        top.shown = top.shown.replace(own, b"")
    assert b"\033" not in top.shown and b"\xc2\x9b" not in top.shown and b"\a" not in top.shown


@pytest.mark.parametrize("how", ["key", signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_and_leaves_the_terminal_as_it_was(make, how):
    make(Fake)
    top = make(Terminal)
    top.until(b"three")
    if how == "key":
        top.type(b"\x03")
    else:
        top.child.send_signal(how)
    assert top.end() == 130


def test_it_does_not_wait_for_an_agent_that_is_silent(make):
    fake = make(Fake, "silent")
    top = make(Terminal, "-w", "3600")
    wait_for(fake.asked, "a request")
    top.type(b"q")
    assert top.end() == 0


def test_an_agent_that_has_gone_is_told_and_looked_for(make):
    top = make(Terminal, "--interval", "0.2")
    top.until(b"no agent at ")
    make(Fake)
    top.until(b"process 4711")
    top.type(b"q")
    assert top.end() == 0


def test_it_keeps_within_the_screen(make):
    make(Fake)
    top = make(Terminal, rows=5, columns=30, env={"NO_COLOR": "1"})
    top.until(b"\033[J")
    top.resize(4, 20)
    top.until(b"\033[J", 2)
    top.type(b"q")
    assert top.end() == 0
    lines = top.shown.split(b"\033[H")[-1].split(b"\033[J")[0].replace(b"\r", b"").split(b"\n")
    assert len(lines) == 4
    assert max(len(line.replace(b"\033[K", b"")) for line in lines) <= 20


def test_it_can_be_stopped_and_comes_back(make):
    make(Fake)
    top = make(Terminal, "--interval", "0.2")
    top.until(b"three")
    top.child.send_signal(signal.SIGTSTP)
    wait_for(lambda: stopped(top.child.pid), "it to stop")
    assert top.read().endswith(LEAVE)
    assert termios.tcgetattr(top.slave) == top.before
    time.sleep(0.3)
    top.child.send_signal(signal.SIGCONT)
    top.until(ENTER, 2)
    top.until(b"three", 2)
    top.type(b"q")
    assert top.end() == 0


def stopped(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "T"
