"""What the daemon's tests share: the demonstration's network (tools/demo/gateways.py), and checks that say what failed."""
import argparse
import json
import os
import re
import socket
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
import gateways  # noqa: E402
from lab import Lab, LabError, wait_until  # noqa: E402,F401

DROPS = None  # names of verdicts that are drops, read from the header


def drops():
    global DROPS
    if DROPS is None:
        with open(os.path.join(ROOT, "include/linecrypt/abi/verdicts.hpp")) as file:
            DROPS = set(re.findall(r"X\((\w+), true,", file.read()))
    return DROPS


def check(condition, what):
    if not condition:
        raise LabError(f"not so: {what}")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True, help="folder of linecryptd and linecryptctl")
    return parser.parse_args()


class UnixConnection:
    """The API without linecryptctl: what it says, byte for byte."""

    def __init__(self, path):
        self.path = path

    def request(self, method, resource):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.path)
            connection.sendall(f"{method} /v1/{resource} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)

    def get(self, resource):
        status, body = self.request("GET", resource)
        check(status == 200, f"GET {resource} answers 200, not {status}: {body}")
        return body


class Rig:
    """Two sites and two gateways, keys enrolled, nothing started yet."""

    def __init__(self, lab, programs, extra="", configure=gateways.configuration):
        self.lab = lab
        self.programs = programs
        gateways.build_network(lab)
        self.keys = gateways.Keys(lab)
        self.gateways = {}
        for side in gateways.SITES:
            gateway = gateways.Gateway(lab, programs, side, configure(lab, side, extra))
            gateway.enroll()
            self.gateways[side] = gateway

    def __getitem__(self, side):
        return self.gateways[side]

    def start(self, *sides):
        for side in sides or gateways.SITES:
            self[side].start()
        for side in sides or gateways.SITES:
            self[side].wait_ready()
        return self

    def api(self, side):
        return UnixConnection(self[side].socket)

    def port(self, side, name):
        return next(port for port in self.api(side).get("counters")["ports"] if port["name"] == name)

    def verdict(self, side, name, verdict):
        return self.port(side, name)["verdicts"][verdict]

    def ping(self, host, address, count=5, *options):
        code, output = self.lab.run(host, "ping", "-c", str(count), "-i", "0.01", "-W", "1", *options, address, check=False)
        return code == 0 and f" {count} received" in output

    def wait_ping(self, host, address, seconds=10):
        wait_until(lambda: self.ping(host, address, 1), seconds, f"{host} pings {address}")

    def refused(self, side, *texts):
        """Starts the daemon of `side`, which must refuse with all of `texts` in its log and exit code 3."""
        program = self[side].start(f"refused-{time.monotonic_ns()}").program
        code = program.process.wait(15)
        check(code == 3, f"exit code 3 for {texts}, not {code}: {program.log()}")
        for text in texts:
            check(text in program.log(), f"the log names '{text}': {program.log()}")


def main(*cases):
    """Each case gets a lab of its own; prints what passed."""
    options = arguments()
    for case in cases:
        start = time.monotonic()
        with Lab("/run/lab/" + case.__name__) as lab:
            try:
                case(lab, options.programs)
            except LabError as error:
                print(f"FAILED {case.__name__}: {case.__doc__}\n{error}", file=sys.stderr)
                for program in lab.programs:
                    print(f"---- {program.name} ----\n{program.log()[-3000:]}", file=sys.stderr)
                sys.exit(1)
        print(f"ok {case.__name__} ({time.monotonic() - start:.1f} s): {case.__doc__}")
