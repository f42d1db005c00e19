#!/usr/bin/python3
"""A gateway with 1000 SAs on an idle link: how much memory and processor it takes.

    tools/lab-shell /usr/bin/python3 tests/tools/idle/idle_test.py --programs build/release/tools

Prints both figures; fails above 200 MB resident or 2 % of one core (user and system time of all threads over 20 s).
"""
import argparse
import os
import secrets
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
import gateways  # noqa: E402
from lab import Lab, LabError  # noqa: E402

TUNNELS, MEMORY_MB, CORE_PERCENT, SECONDS = 499, 200, 2.0, 20  # and the base configuration's: 1000 ESP SAs, 2 of MACsec


def more_tunnels(lab):
    """Tunnels beside the base configuration's one, each with an SA out and one in."""
    parts = []
    for number in range(TUNNELS):
        parts.append(f"""
[[tunnel]]
name = "t{number}"
local = "192.0.2.1"
remote = "198.51.{number // 200}.{number % 200 + 1}"
local_networks = ["10.1.0.0/24"]
remote_networks = ["10.{100 + number // 200}.{number % 200}.0/24"]
[tunnel.outbound]
spi = {0x10000 + number}
key = "inline:{secrets.token_hex(36)}"
[[tunnel.inbound]]
spi = {0x20000 + number}
key = "inline:{secrets.token_hex(36)}"
""")
    return "".join(parts)


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:")) / 1024


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    options = parser.parse_args()
    with Lab("/run/lab") as lab:
        gateways.build_network(lab)
        gateways.Keys(lab)
        config = gateways.configuration(lab, "a", more_tunnels(lab))
        with open(config) as file:
            text = file.read().replace("[gateway]\n", "[gateway]\nallow_inline_keys = true\n", 1)
        with open(config, "w") as file:
            file.write(text)
        gateway = gateways.Gateway(lab, os.path.abspath(options.programs), "a", config)
        gateway.enroll()
        gateway.start()
        gateway.wait_ready(60)
        sas = len(gateway.query("sa", "list")["sas"])
        if sas < 1000:
            raise LabError(f"only {sas} SAs are installed")
        time.sleep(2)
        pid = gateway.program.process.pid
        before = cpu_seconds(pid)
        time.sleep(SECONDS)
        percent = 100 * (cpu_seconds(pid) - before) / SECONDS
        memory = resident_mb(pid)
        print(f"{sas} SAs, idle link: {memory:.0f} MB resident (at most {MEMORY_MB}), {percent:.2f} % of one core (at most {CORE_PERCENT})")
        if memory > MEMORY_MB or percent > CORE_PERCENT:
            raise LabError("above the limit")
        if gateway.program.stop() != 0:
            raise LabError(f"did not stop cleanly:\n{gateway.program.log()[-1500:]}")


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
