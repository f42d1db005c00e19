#!/usr/bin/python3
"""Asks two devices inside Debian's dpdk-test by DPDK's telemetry socket.

    telemetry.py --libraries FOLDER... --devargs ARGS --engine NAME [--card-state STATE]
"""
import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

import dpdk_program


def socket_path(prefix):
    folder = "/var/run" if os.getuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")
    return os.path.join(folder, "dpdk", prefix, "dpdk_telemetry.v2")


def ask(connection, command):
    connection.send(command.encode())
    return json.loads(connection.recv(1 << 16))[command.split(",")[0]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--libraries", nargs="+", required=True)
    parser.add_argument("--devargs", required=True)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--card-state", default="")
    options = parser.parse_args()
    prefix = f"linecrypt-telemetry-{os.getpid()}"
    eal = ["--no-huge", "-m", "256", "--no-pci"]
    command = [dpdk_program.program("dpdk-test"), "-l", "0", *eal, "--file-prefix", prefix, "-d", "librte_crypto_linecrypt.so",
               "--vdev", f"crypto_linecrypt0,{options.devargs}", "--vdev", "crypto_linecrypt1,engine=software,max_sas=77"]
    problems = []

    def check(what, found, expected):
        if found != expected:
            problems.append(f"{what}: {found}, expected {expected}")

    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, cwd=folder, env=dpdk_program.environment(options.libraries), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            connection.settimeout(30)
            until = time.monotonic() + 60
            while connection.connect_ex(socket_path(prefix)) != 0:
                if process.poll() is not None or time.monotonic() > until:
                    print(process.stdout.read() if process.poll() is not None else "no telemetry socket")
                    print("FAILED: dpdk-test gives no telemetry")
                    return 1
                time.sleep(0.05)
            connection.recv(1 << 16)  # its greeting
            # The socket is there before the devices are.
            while len(engine := ask(connection, "/linecrypt/engine")) < 2 and time.monotonic() < until:
                time.sleep(0.05)
            check("devices", sorted(engine), ["crypto_linecrypt0", "crypto_linecrypt1"])
            check("engine of 0", engine["crypto_linecrypt0"]["engine"], options.engine)
            check("card's state of 0", engine["crypto_linecrypt0"]["card_state"], options.card_state)
            check("mode of 1", engine["crypto_linecrypt1"]["mode"], "software")
            sas = ask(connection, "/linecrypt/sas,crypto_linecrypt1")
            check("SAs of 1", sas, {"crypto_linecrypt1": {"sas": 0, "max_sas": 77, "created": 0, "removed": 0, "leases": 0}})
            check("a device that is not there", ask(connection, "/linecrypt/sas,nobody"), {})
            failovers = ask(connection, "/linecrypt/failovers")
            check("failover of 0", failovers["crypto_linecrypt0"]["use"], "used" if options.card_state else "none")
            check("failovers of 0", failovers["crypto_linecrypt0"]["failovers"], 0)
            print(json.dumps(engine))
        finally:
            process.stdin.close()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
    for problem in problems:
        print(f"FAILED: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
