# SPDX-License-Identifier: Apache-2.0
"""The short form of a part, as a test of pytest's."""
import os
import subprocess
import sys

import pytest
from peers import ROOT, SLOW

RUN = os.path.join(ROOT, "test/torture/run")
NO_NAMESPACES = 75


def short(part):
    done = subprocess.run([sys.executable, "-B", RUN, "--short", part], capture_output=True,
                          text=True, timeout=110 * SLOW)
    if done.returncode == NO_NAMESPACES:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
