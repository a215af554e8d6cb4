# SPDX-License-Identifier: Apache-2.0
"""The short form of the part of `make torture` that needs a broker with a store."""
import os
import subprocess
import sys

import pytest
from peers import ROOT, SLOW

RUN = os.path.join(ROOT, "test/torture/run")
NO_NAMESPACES = 75


def test_the_broker_is_killed():
    done = subprocess.run([sys.executable, "-B", RUN, "--short", "broker"], capture_output=True,
                          text=True, timeout=240 * SLOW)
    if done.returncode == NO_NAMESPACES:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
