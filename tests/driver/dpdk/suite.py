#!/usr/bin/python3
"""Runs one suite of Debian's dpdk-test, as it is, over one of our drivers, and counts.

    suite.py SUITE --plugin FILE --libraries FOLDER... --vdev NAME,ARGS --passes N [--fails CASE...]

The suite's own code is not enough: it says 0 when some cases pass and all others are skipped. So at least N cases must pass and
exactly the named ones may fail; each of those is a defect of the suite that README.md explains.
"""
import argparse
import re
import sys

import dpdk_program

# The inline suite leaves words of its own before some of them.
CASE = re.compile(r"^(?:Tests passed: \d+, failed: \d+)? \+ TestCase \[ *\d+\] : (.*) (succeeded|failed|skipped|unsupported)$", re.MULTILINE)
TOTAL = re.compile(r"^ \+ Tests (Total|Passed|Failed|Skipped) +: +(\d+)", re.MULTILINE)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("suite")
    parser.add_argument("--plugin", required=True)
    parser.add_argument("--libraries", nargs="+", required=True)
    parser.add_argument("--vdev", required=True)
    parser.add_argument("--passes", type=int, required=True)
    parser.add_argument("--fails", nargs="*", default=[])
    asked = parser.parse_args()

    command = [dpdk_program.program("dpdk-test"), *dpdk_program.eal_arguments([asked.plugin], [asked.vdev])]
    code, out, err = dpdk_program.run(command, asked.libraries, {"DPDK_TEST": asked.suite})
    cases = CASE.findall(out)
    by = {word: [name for name, what in cases if what == word] for word in ("succeeded", "failed", "skipped")}
    # The last block is the whole suite's.
    totals = dict(TOTAL.findall(out)[-6:])
    problems = []
    if not cases or "Total" not in totals:
        problems.append(f"the suite did not run: code {code}")
    elif int(totals["Passed"]) != len(by["succeeded"]) or int(totals["Failed"]) != len(by["failed"]):
        problems.append(f"the suite counts {totals}, its lines say {len(by['succeeded'])} passed, {len(by['failed'])} failed")
    if len(by["succeeded"]) < asked.passes:
        problems.append(f"{len(by['succeeded'])} cases passed, at least {asked.passes} must")
    if sorted(by["failed"]) != sorted(asked.fails):
        problems.append(f"failed: {by['failed']}, expected: {asked.fails}")
    print(f"{asked.suite}: {len(by['succeeded'])} passed, {len(by['failed'])} failed, {len(by['skipped'])} skipped")
    if problems:
        print(out[-6000:])
        print("\n".join(line for line in err.splitlines() if "linecrypt" in line)[-6000:] or err[-3000:])
        for problem in problems:
            print(f"FAILED: {problem}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
