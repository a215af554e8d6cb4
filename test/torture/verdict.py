# SPDX-License-Identifier: Apache-2.0
"""From what was seen to a line of figures and a verdict."""
import json


class Verdict:
    """Figures in the order they were given; what is wrong, each in a line of its own."""

    def __init__(self, name):
        self.name, self.figures, self.faults = name, [], []

    def figure(self, text):
        self.figures.append(text)

    def expect(self, condition, otherwise):
        if not condition:
            self.faults.append(otherwise)

    def none(self, items, what):
        """A count that must be 0; what it is of is shown where it is not."""
        items = sorted(items)
        self.figure(f"{len(items)} {what}")
        self.expect(not items, f"{what}: {', '.join(str(i) for i in items[:5])}")

    def tell(self):
        """Prints; whether all was well."""
        for fault in self.faults:
            print(f"{self.name}: {fault}", flush=True)
        print(f"{self.name}: {'FAIL' if self.faults else 'PASS'}: {', '.join(self.figures)}",
              flush=True)
        return not self.faults


def value_of(result):
    """The run that a result of Tally's says it is of."""
    return json.loads(result).get("retval")


def judge_calls(verdict, load, world, had_result=(), killed=False, cancelled=()):
    """Every call that was accepted has one result value, that of its last run; where no agent was
    `killed` there is one run only. `had_result`: sets of sn whose result was in the journal, each
    with the length of the tally then. `cancelled`: sn that are to be answered so, and not run."""
    runs, calls = world.runs(), load.calls
    begun = {}
    for what, sn, run in runs:
        if what == "begin":
            begun.setdefault(sn, []).append(run)
    begun_later = [{sn for what, sn, _ in runs[length:] if what == "begin"}
                   for _, length in had_result]
    again = {sn for (sns, _), later in zip(had_result, begun_later) for sn in sns & later}
    for sn, call in calls.items():
        if call.kind.classname == "Tally" and call.results and sn not in cancelled and (
                value_of(call.results[0]) != begun.get(sn, [None])[-1]):
            again.add(sn)

    if had_result:
        verdict.figure(f"{sum(len(sns) for sns, _ in had_result)} results found in the journal")
    verdict.figure(f"{len(calls)} sent")
    verdict.figure(f"{sum(c.confirmed for c in calls.values())} confirmed by the broker")
    verdict.figure(f"{sum(c.accepted > 0 for c in calls.values())} accepted")
    verdict.figure(f"{sum(len(r) for r in begun.values())} executed by the tally "
                   f"({sum(len(r) - 1 for r in begun.values())} of them once more), "
                   f"{sum(c.started for c in calls.values())} started replies")
    verdict.figure(f"{sum(bool(c.results) for c in calls.values())} replied")
    verdict.figure(f"{sum(max(len(c.results) - 1, 0) for c in calls.values())} duplicated")
    verdict.none({sn for sn, c in calls.items()
                  if (c.confirmed or c.accepted) and not c.results}, "lost")
    verdict.none({sn for sn, c in calls.items() if len(set(c.results)) > 1},
                 "with two values")
    verdict.none(again, "rerun after result")
    verdict.none({sn for sn, c in calls.items() if c.rejected}, "rejected")
    verdict.none({sn for sn, c in calls.items() if sn not in cancelled and
                  any('"exval"' in r for r in c.results)}, "raised")
    if cancelled:
        verdict.figure(f"{len(cancelled)} cancelled")
        verdict.none({sn for sn in cancelled if begun.get(sn)}, "run though cancelled")
        verdict.none({sn for sn in cancelled
                      if not all('"Cancelled"' in r for r in calls[sn].results)},
                     "not answered with Cancelled")
    if not killed:
        verdict.none({sn for sn, there in begun.items() if len(there) > 1}, "run twice")
    verdict.expect(not load.strangers, f"{load.strangers} replies to nobody's call")
    verdict.expect(len(calls) > 0, "nothing was sent")
