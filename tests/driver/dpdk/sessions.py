#!/usr/bin/python3
"""Runs Debian's dpdk-test-security-perf, as it is, over the alias build: sessions made and destroyed, all of them, for every kind of
AES-GCM and GMAC that an IPsec session may have. Its rates are printed, not judged: a busy machine has none.

    sessions.py --plugin FILE --libraries FOLDER... --devargs ARGS [--sessions N]
"""
import argparse
import re
import sys

import dpdk_program

EXPECTED = ["aes-gcm [128]", "aes-gcm [192]", "aes-gcm [256]", "null aes-gmac [16B ICV]"]
BLOCK = re.compile(r"Algorithm combination:\t(.*)\n.*\n.*lcore id.*\n\n *\d+ +(\d+) +\d+ +\d+ +([\d.]+) +([\d.]+)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--plugin", required=True)
    parser.add_argument("--libraries", nargs="+", required=True)
    parser.add_argument("--devargs", required=True)
    parser.add_argument("--sessions", type=int, default=20000)
    asked = parser.parse_args()
    vdev = f"crypto_cn10k,{asked.devargs},max_sas={asked.sessions}"
    good = True
    for direction in ([], ["--inbound"]):
        command = [dpdk_program.program("dpdk-test-security-perf"),
                   *dpdk_program.eal_arguments([asked.plugin], [vdev], lcores="0,1"), "--", f"--nb-sess={asked.sessions}", *direction]
        code, out, err = dpdk_program.run(command, asked.libraries)
        found = {name.strip(): (int(count), made, gone) for name, count, made, gone in BLOCK.findall(out)}
        for name, (count, made, gone) in found.items():
            print(f"{'in' if direction else 'out'} {name}: {count} sessions, {float(made):.0f} made and {float(gone):.0f} destroyed a second")
        if code != 0 or sorted(found) != sorted(EXPECTED) or any(count != asked.sessions for count, _, _ in found.values()):
            print(f"FAILED: code {code}, found {found}, expected {asked.sessions} sessions of each of {EXPECTED}")
            print("\n".join(line for line in err.splitlines() if "linecrypt" in line)[-3000:])
            good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
