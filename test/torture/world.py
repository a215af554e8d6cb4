# SPDX-License-Identifier: Apache-2.0
"""What the parts share: an agent with a tally, and what is to be known of it."""
import json
import os
import subprocess
import time

from peers import GOFER, ROOT, SLOW, Starter, wait_for

from .load import gate

TALLY = os.path.abspath(os.environ.get("TALLY", os.path.join(ROOT,
                                                             "build/static/test/torture/gofer")))
PLUGINS = {"tally": {"threads": 16, "accept": "demo"}, "demo": {"threads": 16, "forward": "tally"}}


class World(Starter):
    """One root, and the agents that lived there, one after the other."""

    def __init__(self, directory):
        super().__init__(directory)
        os.makedirs(directory, exist_ok=True)
        self.root = os.path.join(directory, "root")
        self.tally = os.path.join(directory, "tally")
        self.gate = os.path.join(directory, "gate")
        self.agent = None

    # --- agents

    def configure(self, url, plugins=None, depth=1000, more=""):
        """Writes agent.conf and a descriptor a plugin; `plugins`: what [main] says of each."""
        etc = os.path.join(self.root, "etc/gofer")
        os.makedirs(os.path.join(etc, "plugins"), exist_ok=True)
        with open(os.path.join(etc, "agent.conf"), "w") as f:
            f.write(f"[messaging]\nurl={url}\n{more}")
        for name, options in (plugins or PLUGINS).items():
            with open(os.path.join(etc, f"plugins/{name}.conf"), "w") as f:
                f.write("[main]\nenabled=1\n")
                f.writelines(f"{key}={value}\n" for key, value in options.items())
                f.write(f"[messaging]\nuuid={name}\n[pending]\ndepth={depth}\n")

    def spawn(self, *more, prefix=()):
        """Starts an agent and does not wait for it."""
        self.agent = self.process("agentd", "-f", "--root", self.root, *more, prefix=prefix,
                                  program=TALLY, env={"TALLY_FILE": self.tally})
        return self.agent

    def start(self, *more, prefix=()):
        agent = self.spawn(*more, prefix=prefix)
        wait_for(lambda: " ready: " in agent.output() or not agent.alive(), "the agent to be ready",
                 60)
        assert agent.alive(), agent.output()
        return agent

    # --- a plugin that is busy for as long as is wanted

    def close_gate(self, load):
        """Until open_gate() one thread of the plugin "tally" is held up."""
        sn = load.ask(gate(self.gate))
        wait_for(lambda: ("begin", sn) in {line[:2] for line in self.runs()}, "the gate to close")
        return sn

    def open_gate(self):
        with open(self.gate, "w"):
            pass

    # --- what is known

    def journal(self, root=None):
        """What the journal holds, by sn."""
        done = subprocess.run([GOFER, "plugin", "journal", "--json", "--root", root or self.root],
                              capture_output=True, text=True, timeout=60 * SLOW)
        assert done.returncode == 0, done.stderr
        return {entry["sn"]: entry for entry in json.loads(done.stdout)}

    def runs(self):
        """The tally: [("begin" or "end", sn, run)], in order; a last line may be a torn one."""
        try:
            with open(self.tally) as f:
                lines = f.read().split("\n")[:-1]
        except FileNotFoundError:
            return []
        return [tuple(line.split(" ")) for line in lines]

    def until_empty(self, limit=30):
        """Until nothing is left to be answered for; whether that came to be."""
        end = time.monotonic() + limit * SLOW
        while self.journal():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def outputs(self):
        return "".join(p.output() for p in self.made)


def proc(pid, what):
    """RSS in KiB, or the number of open descriptors."""
    if what == "descriptors":
        return len(os.listdir(f"/proc/{pid}/fd"))
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
