#!/usr/bin/env python3
"""Kills gateways under traffic, at random moments, and shows from captures that no (key, nonce) pair was used twice.

    tools/lab-shell /usr/bin/python3 tests/tools/crash/crash_test.py --programs build/dev/tools [--rounds N] [--power-loss SHIM]
    build/dev/emulated_card/run tools/lab-shell ... --programs build/dev/tools --offload auto --bitstream build/dev/bitstreams/...xclbin

Each round ends one of the two gateways by kill -9 after a random time and starts it again. With --power-loss its state directory
first goes back to what had been synced, plus a random part of what had not (whole, none, or torn). Traffic runs both ways all the
time. At the end traffic must flow, and both captures are opened: MACsec by the OpenSSL script, which refuses a repeated (key, IV);
ESP by its explicit IV, which is the 64-bit number that the nonce is made of.

With --bitstream both gateways work with the emulated card. It lives in the gateway's process: memory, tables and registers die with
it, so this shows what the host must do after such an end (numbers, journal, a card opened anew under another epoch), not what a card
that keeps its tables does with them. That is tests/driver/card/engine/second_session_test.cpp's.
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
import gateways  # noqa: E402
import proof  # noqa: E402
from lab import Lab, LabError, wait_until  # noqa: E402

MARKER = b"LINECRYPT-CLEAR-MARK"
SENDER = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
n = 0
while True:
    for _ in range(4):
        try:
            s.sendto(b"LINECRYPT-CLEAR-MARK%016d" % n, (sys.argv[1], 9))
        except OSError:
            pass
        n += 1
    time.sleep(0.004)
"""


class Disk:
    """What one gateway's disk keeps: fed by the shim, read after a power loss."""

    def __init__(self, lab, side, shim):
        self.state = lab.path(f"gw-{side}/state")
        self.durable = lab.path(f"gw-{side}/durable")
        self.environment = None
        if shim:
            os.makedirs(self.durable, mode=0o700, exist_ok=True)
            self.environment = {"LD_PRELOAD": os.path.abspath(shim), "SHIM_STATE": self.state, "SHIM_DURABLE": self.durable}

    @staticmethod
    def read(path):
        with open(path, "rb") as file:
            return file.read()

    def lie(self):
        """From now on the disk says "synced" and keeps nothing: the fault that the test must see."""
        self.environment["SHIM_LIES"] = "1"

    def lose_power(self, rng):
        """The state directory becomes what the disk has: synced contents under synced names, and some of the rest by chance."""
        current = {entry.name: entry.inode() for entry in os.scandir(self.state) if entry.is_file()}
        with open(os.path.join(self.durable, "names")) as file:
            names = {name: int(inode) for inode, name in (line.rstrip("\n").split(" ", 1) for line in file)}
        if "SHIM_LIES" not in self.environment and rng.random() < 0.3:  # creations and renames may have reached the disk without a sync
            names = dict(current)
        for name, inode in current.items():
            link = os.path.join(self.durable, f"inode.{inode}")
            if not os.path.exists(link):
                os.link(os.path.join(self.state, name), link)
            os.remove(os.path.join(self.state, name))
        for name, inode in names.items():
            link = os.path.join(self.durable, f"inode.{inode}")
            data = os.path.join(self.durable, f"data.{inode}")
            synced = self.read(data) if os.path.exists(data) else b""
            kept = synced if "SHIM_LIES" in self.environment else self.what_stays(rng, synced, self.read(link))
            with open(link, "wb") as file:
                file.write(kept)
            with open(data, "wb") as file:
                file.write(kept)
            os.link(link, os.path.join(self.state, name))
        with open(os.path.join(self.durable, "names"), "w") as file:
            file.writelines(f"{inode} {name}\n" for name, inode in names.items())
        for leftover in os.listdir(self.durable):
            if leftover != "names" and int(leftover.split(".")[1]) not in names.values():
                os.remove(os.path.join(self.durable, leftover))

    @staticmethod
    def what_stays(rng, synced, now):
        """What the disk has of a file: what was synced, all of it, or (of what was appended) a torn part."""
        choice = rng.random()
        if choice < 0.4:
            return synced
        if choice < 0.7 or not now.startswith(synced):
            return now
        return now[:rng.randint(len(synced), len(now))]


def esp_nonces(path):
    """Counts ESP packets below MACsec; LabError when an (SPI, IV) stands twice."""
    seen = set()
    for frame in proof.frames(path):
        if frame[12:14] == b"\x08\x00" and frame[23] == 50:
            header = 14 + (frame[14] & 15) * 4
            nonce = (frame[header:header + 4], frame[header + 8:header + 16])
            if nonce in seen:
                raise LabError(f"{path}: ESP SPI 0x{nonce[0].hex()} IV {nonce[1].hex()} was sent twice: a repeated nonce")
            seen.add(nonce)
    return len(seen)


def nonce_repeats(lab, side, key_file):
    """True if the OpenSSL script refuses frames for a (key, IV) it has seen."""
    tool = os.path.join(ROOT, "tools", "interop", "macsec_peer.py")
    code, output = lab.run(None, "/usr/bin/python3", tool, "unprotect", "--keys", key_file, lab.path(f"gw-{side}/circuit.pcap"),
                           lab.path(f"gw-{side}/clear.pcap"), check=False)
    return code != 0 and "nonce_reused" in output


class CardSessions:
    """What the gateways' cards say of themselves after each start: in use from the first frame on, under an epoch of their own."""

    def __init__(self):
        self.epochs = []
        self.most_jobs = 0

    def look(self, gateway):
        failover = gateway.query("status")["offload"]["failover"]
        proof.require(failover is not None, f"gateway {gateway.side} came back without its card")
        document = gateway.query("card", "dump")
        proof.require(document["where"] == "daemon", "the running gateway's card was read")
        epoch = next(one["value"] for one in document["registers"] if one["name"] == "epoch")
        proof.require(epoch not in (0, 0xFFFFFFFF), f"gateway {gateway.side}'s card has no epoch: {epoch:#x}")
        self.epochs.append(epoch)

    def all_on_card(self, gateway):
        """Every SA is on the card, and the card has worked."""
        status = gateway.query("status")
        failover = status["offload"]["failover"]
        card = gateway.query("card", "status")["card"]
        self.most_jobs = max(self.most_jobs, card["egress"]["jobs"] + card["ingress"]["jobs"])
        return failover["sas"]["primary"] == status["sas"] and card["egress"]["jobs"] > 0 and card["ingress"]["jobs"] > 0

    def require_all_new(self):
        proof.require(len(self.epochs) == len(set(self.epochs)), f"an epoch came twice: {self.epochs}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--power-loss", metavar="SHIM")
    parser.add_argument("--planted-fault", action="store_true", help="with --power-loss: the disk lies; the test passes if it sees the nonce repeat")
    parser.add_argument("--offload", choices=("software", "auto", "card"), default="software")
    parser.add_argument("--bitstream", help="with --offload auto or card: the xclbin")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--folder", default="/run/lab")
    options = parser.parse_args()
    if os.environ.get("LINECRYPT_LONG") and not options.planted_fault:
        options.rounds = 100 if options.bitstream else 1000
    seed = options.seed if options.seed is not None else random.randrange(2**32)
    rng = random.Random(seed)
    sessions = CardSessions() if options.bitstream else None
    print(f"seed {seed}, {options.rounds} rounds of {'power loss' if options.power_loss else 'kill -9'}, offload {options.offload}", flush=True)
    with Lab(options.folder) as lab:
        gateways.build_network(lab)
        keys = gateways.Keys(lab)
        disks = {side: Disk(lab, side, options.power_loss) for side in gateways.SITES}
        pair = {side: gateways.Gateway(lab, os.path.abspath(options.programs), side, gateways.configuration(lab, side, offload=options.offload, bitstream=options.bitstream))
                for side in gateways.SITES}
        for side, gateway in pair.items():
            enrolled = subprocess.run(lab.command(gateway.host, [gateway.ctl, "key", "enroll", gateway.config]),
                                      env={**os.environ, **(disks[side].environment or {})}, capture_output=True, text=True, timeout=60)
            if enrolled.returncode != 0:
                raise LabError(f"key enroll: {enrolled.stdout}{enrolled.stderr}")

        if options.planted_fault:
            for disk in disks.values():
                disk.lie()

        def start(side, number):
            gateway = pair[side]
            gateway.program = lab.start(gateway.host, f"gw-{side}/daemon-{number % 4}", gateway.daemon, "--config", gateway.config, env=disks[side].environment)

        captures = []
        for side in pair:
            program = lab.start(f"gw-{side}", f"gw-{side}/capture", "tcpdump", "-i", "wan0", "-Q", "in", "-s", "0", "-B", "65536", "-U", "-Z", "root",
                                "-w", lab.path(f"gw-{side}/circuit.pcap"))
            program.wait_for("listening on")
            captures.append(program)
        for side in pair:
            start(side, 0)
        for side in pair:
            pair[side].wait_ready(60)
            if sessions:
                sessions.look(pair[side])
        lab.start("site-a", "site-a-sender", "/usr/bin/python3", "-c", SENDER, "10.2.0.2")
        lab.start("site-b", "site-b-sender", "/usr/bin/python3", "-c", SENDER, "10.1.0.2")

        for number in range(1, options.rounds + 1):
            victim = rng.choice("ab")
            # A card takes longer to open: kills must also meet it at work.
            time.sleep(rng.uniform(0.0, 1.5 if sessions else 0.35))
            pair[victim].program.stop(signal.SIGKILL, seconds=60)
            if options.power_loss:
                disks[victim].lose_power(rng)
            start(victim, number)
            if rng.random() < 0.8:  # the others are killed while they start
                pair[victim].wait_ready(60)
                if sessions:
                    sessions.look(pair[victim])
            if number % (10 if sessions else 100) == 0:
                print(f"round {number}", flush=True)
        for side in pair:
            if not pair[side].program.running():
                raise LabError(f"gateway {side} did not come back:\n{pair[side].program.log()[-1500:]}")
            pair[side].wait_ready(60)
        if not options.planted_fault:  # the peers rightly refuse numbers that come again
            wait_until(lambda: lab.run("site-a", "ping", "-c", "1", "-W", "1", "10.2.0.2", check=False)[0] == 0, 30, "traffic after the last restart")
        if sessions:
            for side in pair:
                wait_until(lambda one=pair[side]: sessions.all_on_card(one), 60, f"gateway {side}'s SAs on its card, with traffic")
            sessions.require_all_new()
            print(f"{len(sessions.epochs)} starts seen, each with its card, no epoch twice", flush=True)
        for side in pair:
            if pair[side].program.stop() != 0:
                raise LabError(f"gateway {side} did not stop cleanly:\n{pair[side].program.log()[-1500:]}")
        for program in captures:
            program.stop(signal.SIGINT)

        key_file = gateways.macsec_key_file(lab, keys)
        if options.planted_fault:
            repeats = [side for side in pair if nonce_repeats(lab, side, key_file)]
            proof.require(repeats, "the disk lied and no nonce was seen to repeat: this test sees nothing")
            print(f"planted fault seen: nonces repeat on the circuit received by gateway {' and '.join(repeats)}")
            return
        for side in pair:
            circuit, clear = lab.path(f"gw-{side}/circuit.pcap"), lab.path(f"gw-{side}/clear.pcap")
            count = proof.only_macsec(circuit, [MARKER])
            taken = proof.take_macsec_off(circuit, clear, key_file, lab)
            proof.require(taken["frames"] == count and taken["good"] == count, f"{circuit}: the OpenSSL script opened {taken} of {count} frames")
            proof.only_esp(clear, [MARKER], gateways.outer_addresses())
            packets = esp_nonces(clear)
            proof.require(packets > options.rounds, f"{clear}: only {packets} ESP packets: the test saw too little")
            print(f"received by gateway {side}: {count} MACsec frames, {packets} ESP packets, no nonce twice", flush=True)


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
