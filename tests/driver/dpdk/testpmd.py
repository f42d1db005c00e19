#!/usr/bin/python3
"""Runs Debian's dpdk-testpmd, as it is, over net_linecrypt and counts: what it sends and gets back is what our port says.

    testpmd.py --libraries FOLDER... --devargs ARGS

Over a loop, with clear frames passed: testpmd sends bursts round and round. Then the same with frames dropped: nothing comes back.
Then the port is stopped, started, closed and detached, and one is attached over a lower device of its own.
"""
import argparse
import re
import sys
import time

import dpdk_program

PORT = re.compile(r"Forward statistics for port 0 .*?\n *RX-packets: (\d+) .*?\n *TX-packets: (\d+) +TX-dropped: (\d+)", re.DOTALL)


def run(asked, vdevs, commands, seconds=0):
    command = [dpdk_program.program("dpdk-testpmd"), *dpdk_program.eal_arguments(["librte_net_linecrypt.so"], vdevs, lcores="0,1"),
               "--", "--interactive", "--total-num-mbufs=4096", "--nb-cores=1", "--forward-mode=io"]
    text = "".join(f"{line}\n" for line in commands)
    return dpdk_program.run(command, asked.libraries, input=text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--libraries", nargs="+", required=True)
    parser.add_argument("--devargs", required=True)
    asked = parser.parse_args()
    problems = []

    def check(good, what, out=""):
        print(f"{'ok' if good else 'FAILED'}: {what}")
        if not good:
            problems.append(what)
            print(out[-3000:])

    # testpmd sleeps by asking for statistics.
    wait = ["show port stats all"] * 400
    for unprotected in ("pass", "drop"):
        code, out, err = run(asked, [f"net_linecrypt0,lower=loopback,unprotected={unprotected},{asked.devargs}"],
                             ["start tx_first 4", *wait, "stop", "show port xstats 0", "quit"])
        found = PORT.search(out)
        check(code == 0 and found is not None, f"unprotected={unprotected}: testpmd runs, code {code}", out + err)
        if found is None:
            continue
        received, sent, dropped = map(int, found.groups())
        stats = dict(re.findall(r"^([a-z]+_[a-z_]+): (\d+)$", out, re.MULTILINE))
        print(f"   {sent} sent, {received} received, {dropped} not taken; tx_bypassed {stats.get('tx_bypassed')}, "
              f"tx_policy_default {stats.get('tx_policy_default')}")
        if unprotected == "pass":
            # What was sent came back, but for what was on the loop at the end.
            check(received > 1000 and 0 <= sent - received <= 4096, "frames go round", out)
            check(int(stats.get("tx_bypassed", 0)) >= received, "and are counted as passed", out)
        else:
            check(received == 0 and int(stats.get("tx_policy_default", 0)) == 4 * 32, "nothing comes back, all is counted", out)

    code, out, err = run(asked, [f"net_linecrypt0,lower=loopback,unprotected=pass,{asked.devargs}"],
                         ["port stop 0", "port start 0", "port stop 0", "port close 0", "port detach 0", "show port summary all",
                          "port attach net_linecrypt1,lower=dev(net_null0,size=64),unprotected=pass", "port start all", "show port info all",
                          "quit"])
    check(code == 0 and "Done" in out, "a port is stopped, closed and detached", out + err)
    check("Port 0 is attached" in out or "is attached" in out, "another is attached over a device of its own", out + err)
    check("net_linecrypt1" in out and "Infos for port 1 " not in out, "and that device is not seen", out)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
