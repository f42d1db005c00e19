#!/usr/bin/env python3
"""`linecrypt-bench scale --quick`: the tables and the JSON hold what the README says, every packet came back. No speed is judged."""
import json
import re
import subprocess
import sys

BENCH = sys.argv[1]
WAYS = ["engine", "engine and key claims"]


def run(*arguments: str) -> str:
    done = subprocess.run([BENCH, "scale", "--quick", *arguments], check=False, capture_output=True, text=True)
    # 3: everything is right, but a spread is too wide for a claim.
    assert done.returncode in (0, 3), f"{arguments}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def main() -> int:
    # DPDK's environment may print to stdout before the JSON begins.
    text = run("--json", "--sas", "4000")
    report = json.loads(text[text.index("{"):])
    assert report["sas"] == 4000 and report["lost"] == 0, report
    assert [row["way"] for row in report["control"]] == WAYS, report["control"]
    for row in report["control"]:
        assert row["lost"] == 0 and row["packets"] > 0, row
        for figure in ["installs_per_s", "install_s", "removals_per_s", "rekeys_per_s", "mpps"]:
            assert row[figure] > 0, (figure, row)
    assert [row["entries"] for row in report["lookup"]] == [1, 1000, 4000], report["lookup"]
    assert all(row["ours_ns"] > 0 and row["sad_ns"] > 0 and row["burst"] == 32 for row in report["lookup"])
    cases = [(1000, 1), (1000, 1000), (2000, 1000), (2000, 2000)]
    assert [(row["size"], row["installed"], row["sas"]) for row in report["packets"]] == \
        [(size, *case) for size in [64, 1420] for case in cases], report["packets"]
    assert all(row["egress_ns"] > 0 and row["ingress_ns"] > 0 and row["lost"] == 0 for row in report["packets"])

    for form in [[], ["--text-report"]]:
        people = run(*form, "--part", "control", "--sas", "64")
        assert "Control on core" in people and "rekeys/s" in people and "SPI lookups" not in people, people
        for way in WAYS:
            assert re.search(rf"^ *{way} +\d", people, re.MULTILINE), people

    spoilt = subprocess.run([BENCH, "scale", "--quick", "--part", "packets", "--sas", "64", "--plant-fault", "ours"],
                            check=False, capture_output=True, text=True)
    assert spoilt.returncode == 2 and "were lost" in spoilt.stderr, spoilt

    refused = subprocess.run([BENCH, "scale", "--sas", "2000000"], check=False, capture_output=True, text=True)
    assert refused.returncode != 0 and "64 to 1000000" in refused.stderr, refused.stderr
    return 0


if __name__ == "__main__":
    sys.exit(main())
