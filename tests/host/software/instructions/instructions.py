#!/usr/bin/python3
"""Instructions per packet of the software engine's packet path, counted by callgrind and held to baseline.json.

    instructions.py --program PACKET_PATH --compiler NAME check      # exit 1 where a count is more than 3 % above the baseline
    instructions.py --program PACKET_PATH --compiler NAME planted    # exit 1 unless check sees a loop planted in each packet
    instructions.py --program PACKET_PATH --compiler NAME renew      # writes baseline.json anew; commit it with the reason
    instructions.py --program PACKET_PATH --compiler NAME show       # only counts

Counts do not depend on the machine's speed or load, so the test may run anywhere; they depend on the compiler, so with another
than the baseline's it is skipped (77). A count that fell by more than 3 % passes with a note: renew the baseline, so that the
gain is held.
"""
import argparse
import json
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

BASELINE = pathlib.Path(__file__).with_name("baseline.json")
TOLERANCE = 0.03
WORKS = ["esp_encapsulate", "esp_decapsulate", "macsec_protect", "macsec_validate"]
SAS = [1, 32]
PACKETS = 3200


def count(program, work, sas, *more):
    """Instructions per packet of one work."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "callgrind.out")
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--toggle-collect=linecrypt_counted",
                        program, work, str(sas), str(PACKETS), *more], check=True, stderr=subprocess.PIPE, text=True)
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
    return round(int(found.group(1)) / PACKETS, 1)


def counts(program, *more):
    return {f"{work}, {sas} SA{'s' if sas > 1 else ''}": count(program, work, sas, *more) for work in WORKS for sas in SAS}


def too_many(found, baseline):
    """Names whose count is beyond the tolerance. One that the baseline does not know is an error too: renew it."""
    return [name for name, value in found.items() if value > baseline.get(name, 0) * (1 + TOLERANCE)]


def skip(reason):
    print(f"SKIPPED: {reason}")
    sys.exit(77)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("action", choices=["check", "planted", "renew", "show"])
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        skip("valgrind is not installed (tools/setup does)")
    compiler = f"{options.compiler}, {platform.machine()}"
    if options.action in ("renew", "show"):
        found = counts(options.program)
        for name, value in found.items():
            print(f"{name:28} {value:8.1f}")
        if options.action == "renew":
            text = json.dumps({"compiler": compiler, "instructions_a_packet": found}, indent=1)
            BASELINE.write_text(text + "\n")
        return 0

    held = json.loads(BASELINE.read_text())
    if held["compiler"] != compiler:
        skip(f"the baseline was counted with {held['compiler']}, this is {compiler}")
    baseline = held["instructions_a_packet"]
    found = counts(options.program, *(["planted"] if options.action == "planted" else []))
    over = too_many(found, baseline)
    for name, value in found.items():
        before = baseline.get(name, 0)
        note = "TOO MANY" if name in over else "fewer: renew the baseline" if value < before * (1 - TOLERANCE) else ""
        print(f"{name:28} {value:8.1f}, baseline {before:8.1f} {note}")
    if options.action == "planted":
        unseen = set(found) - set(over)
        print(f"planted loop not seen: {sorted(unseen)}" if unseen else "the planted loop is seen in each")
        return 1 if unseen else 0
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
