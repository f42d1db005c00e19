#!/usr/bin/python3
"""Runs our own tests of a driver over an engine with a fault: the test that is there for it must fail.

    mutants.py {ipsec,macsec} TEST-PROGRAM --libraries FOLDER... (the faulty engine's first)

Without a fault everything passes, so what fails does so for the fault.
"""
import argparse
import subprocess
import sys

import dpdk_program

# fault -> the test that must see it; the cryptodev's tests and the ethdev's have the same names
IPSEC = {
    "accept_bad_icv": "A packet with a bit flipped anywhere is refused, shows nothing, and the good one behind it passes",
    "accept_replay": "A packet is accepted once, whatever the window, and late ones are not",
    "skip_address_check": "A packet between other tunnel ends is refused where the session compares them",
    "reuse_iv": "No IV comes twice under a key: not in a session, not in the next one, not in two",
    "wrong_esn": "Extended numbers go on over 2^32 in the ICV, out and in",
    "leave_clear_text": "A packet with a bit flipped anywhere is refused, shows nothing, and the good one behind it passes",
}
# Inline MACsec. With wrong_esn the high half of an extended PN is left out.
MACSEC = {
    "accept_bad_icv": "A frame with a bit flipped anywhere is dropped, and the good one behind it passes",
    "accept_replay": "A frame is accepted once, whatever the window, and late ones come flagged without their text",
    "reuse_iv": "No PN comes twice under a key: not in an SA, not in the next one, not on two queues",
    "wrong_esn": "Each frame of Annex C leaves the port byte for byte, and is counted",
    # leave_clear_text shows nothing: the driver itself zeroes what it delivers flagged.
}
# The same with a fault of the driver's own, which a devarg is: each session counts for itself.
DEVARG = ("engine=software,key_reuse=allow", "reuse_iv")


def run(program, libraries, mutant, name, devargs=None):
    """The names of the test cases that failed; None: the program did not come to an end."""
    environment = {"LINECRYPT_MUTANT": mutant}
    if devargs:
        environment["LINECRYPT_DPDK_DEVARGS"] = devargs
    # A comma would separate two names.
    # The faulty engine is for one thread.
    command = [program, "--reporter", "compact", name.replace(",", "\\,") if name else "~[threads]"]
    code, out, err = dpdk_program.run(command, libraries, environment)
    if "test case" not in out:
        print(out[-3000:], err[-3000:])
        return None
    if name and "1 test case" not in out:
        print(out[-3000:])
        return None
    return code != 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tests", choices=["ipsec", "macsec"])
    parser.add_argument("program")
    parser.add_argument("--libraries", nargs="+", required=True)
    asked = parser.parse_args()
    bad = 0

    def check(what, failed, must_fail):
        nonlocal bad
        good = failed is must_fail
        bad += not good
        print(f"{'ok' if good else 'FAILED'}: {what}: {'fails' if failed else 'passes' if failed is False else 'did not run'}")

    check("no fault, every test", run(asked.program, asked.libraries, "none", None), False)
    mutants = {"ipsec": IPSEC, "macsec": MACSEC}[asked.tests]
    for mutant, name in mutants.items():
        check(f"{mutant}: {name}", run(asked.program, asked.libraries, mutant, name), True)
    name = mutants[DEVARG[1]]
    check(f"{DEVARG[0]}: {name}", run(asked.program, asked.libraries, "none", name, DEVARG[0]), True)
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.TimeoutExpired as late:
        print(f"FAILED: {late}")
        sys.exit(1)
