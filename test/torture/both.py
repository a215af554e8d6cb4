# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the agent and, a moment later, of its broker: see broker.py."""
from . import broker


def run(directory, options):
    return broker.run(directory, options, "both", agent_too=True)
