#!/usr/bin/env python3
"""Ports that are not af_packet: pcap files, memory rings, DPDK taps.

    in.pcap │ gw-a: linecryptd │ black.pcap        black.pcap │ gw-b: linecryptd │ out.pcap
"""
import os
import secrets
import struct

from rig import Lab, UnixConnection, check, main, wait_until  # noqa: F401

PACKETS = 50
MAC = {"lan": "02:00:00:00:00:11", "wan": "02:00:00:00:00:12", "site": "02:00:00:00:00:21"}


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(number, source, destination):
    """An IPv4 UDP packet without UDP checksum, its number in the payload."""
    payload = struct.pack("!HHHH", 1000, 2000, 8 + 40, 0) + f"packet {number:04d}".encode().ljust(40, b".")
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), number, 0, 64, 17, 0, bytes(source), bytes(destination))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def write_pcap(lab, name, frames):
    data = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for frame in frames:
        data += struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame
    with open(lab.path(name), "wb") as file:
        file.write(data)


def read_pcap(lab, name):
    with open(lab.path(name), "rb") as file:
        data = file.read()
    frames, at = [], 24
    while at < len(data):
        length = struct.unpack_from("<IIII", data, at)[2]
        frames.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return frames


class Daemon:
    """One daemon between two ports; keys of the tunnel by direction."""

    def __init__(self, lab, programs, host, side, keys, clear, black):
        self.lab, self.host, self.name = lab, host, f"gateway-{side}"
        self.programs = programs
        self.socket = lab.path(self.name, "control.sock")
        mine, theirs = (1, 2) if side == "a" else (2, 1)
        out, back = ("ab", "ba") if side == "a" else ("ba", "ab")
        os.makedirs(lab.path(self.name, "state"), mode=0o700)
        for direction in ("ab", "ba"):
            lab.write(f"{self.name}/{direction}.key", keys[direction])
        folder = lab.path(self.name)
        self.config = lab.write(f"{self.name}/linecrypt.toml", f"""\
[gateway]
static_keys = "accept-risk"
state_directory = "{folder}/state"
control_socket = "{self.socket}"
[[port]]
name = "lan"
side = "clear"
device = "{clear}"
mac = "{MAC['lan']}"
addresses = ["10.{mine}.0.1/24"]
[[port]]
name = "wan"
side = "black"
device = "{black}"
mac = "{MAC['wan']}"
addresses = ["192.0.2.{mine}/24"]
[[neighbour]]
port = "lan"
address = "10.{mine}.0.2"
mac = "{MAC['site']}"
[[neighbour]]
port = "wan"
address = "192.0.2.{theirs}"
mac = "{MAC['wan']}"
[[tunnel]]
name = "peer"
local = "192.0.2.{mine}"
remote = "192.0.2.{theirs}"
local_networks = ["10.{mine}.0.0/24"]
remote_networks = ["10.{theirs}.0.0/24"]
[tunnel.outbound]
spi = 0x{mine}001
key = "file:{folder}/{out}.key"
[[tunnel.inbound]]
spi = 0x{theirs}001
key = "file:{folder}/{back}.key"
""")

    def start(self):
        self.lab.run(self.host, os.path.join(self.programs, "linecryptctl"), "key", "enroll", self.config)
        self.program = self.lab.start(self.host, f"{self.name}/linecryptd", os.path.join(self.programs, "linecryptd"), "--config", self.config)
        self.program.wait_for("ready")
        return self

    def port(self, name):
        return next(port for port in UnixConnection(self.socket).get("counters")["ports"] if port["name"] == name)

    def wait_counter(self, name, counter, value):
        wait_until(lambda: self.port(name)["counters"][counter] >= value, 10, f"{name} {counter} reaches {value}: {self.port(name)}")


def make_keys():
    return {direction: secrets.token_hex(36) + "\n" for direction in ("ab", "ba")}


def pcap_files(lab, programs):
    """What one daemon protects from file to file, another one takes off again, byte for byte."""
    for host in ("one", "two"):
        lab.host(host)
    keys = make_keys()
    packets = [packet(number, (10, 1, 0, 2), (10, 2, 0, 2)) for number in range(PACKETS)]
    ethernet = mac(MAC["lan"]) + mac(MAC["site"]) + b"\x08\x00"
    write_pcap(lab, "in.pcap", [ethernet + data for data in packets])
    write_pcap(lab, "nothing.pcap", [])
    first = Daemon(lab, programs, "one", "a", keys, f"pcap:rx={lab.path('in.pcap')},tx={lab.path('back.pcap')}",
                   f"pcap:rx={lab.path('nothing.pcap')},tx={lab.path('black.pcap')}").start()
    first.wait_counter("wan", "transmitted_frames", PACKETS)
    check(first.program.stop() == 0, "clean stop")
    black = [frame for frame in read_pcap(lab, "black.pcap") if frame[12:14] == b"\x08\x00"]
    check(len(black) == PACKETS and all(frame[14 + 9] == 50 for frame in black), f"{PACKETS} ESP packets: {len(black)}")
    check(not any(b"packet" in frame for frame in black), "none of it in clear")
    second = Daemon(lab, programs, "two", "b", keys, f"pcap:rx={lab.path('nothing.pcap')},tx={lab.path('out.pcap')}",
                    f"pcap:rx={lab.path('black.pcap')},tx={lab.path('back2.pcap')}").start()
    second.wait_counter("lan", "transmitted_frames", PACKETS)
    check(second.program.stop() == 0, "clean stop")
    clear = [frame[14:] for frame in read_pcap(lab, "out.pcap") if frame[:6] == mac(MAC["site"])]
    # Two forwarders: the TTL is two lower.
    check([data[20:] for data in clear] == [data[20:] for data in packets], "every payload in order")
    check(all(data[8] == 62 and checksum(data[:20]) == 0 for data in clear), "TTL 62, header checksum right")


def ring(lab, programs):
    """A ring gives the port its own frames back; each is refused and counted."""
    lab.host("one")
    ethernet = mac(MAC["lan"]) + mac(MAC["site"]) + b"\x08\x00"
    write_pcap(lab, "in.pcap", [ethernet + packet(number, (10, 1, 0, 2), (10, 2, 0, 2)) for number in range(PACKETS)])
    daemon = Daemon(lab, programs, "one", "a", make_keys(), f"pcap:rx={lab.path('in.pcap')},tx={lab.path('back.pcap')}", "ring:loop").start()
    daemon.wait_counter("wan", "received_frames", PACKETS)
    port = daemon.port("wan")
    check(port["counters"]["received_frames"] == port["counters"]["transmitted_frames"], f"all come back: {port}")
    check(port["verdicts"]["ok"] <= port["counters"]["companion_frames"], f"none is taken: {port}")
    check(daemon.port("lan")["counters"]["transmitted_frames"] <= daemon.port("lan")["counters"]["companion_frames"], "nothing reaches the clear side")
    check(daemon.program.stop() == 0, "clean stop")


def tap(lab, programs):
    """A DPDK tap: a kernel netdev whose other end is our port."""
    for host in ("one", "site"):
        lab.host(host)
    write_pcap(lab, "nothing.pcap", [])
    daemon = Daemon(lab, programs, "one", "a", make_keys(), "tap:dtap0", f"pcap:rx={lab.path('nothing.pcap')},tx={lab.path('black.pcap')}").start()
    lab.run("one", "ip", "link", "set", "dtap0", "netns", "site")
    lab.run("site", "ip", "link", "set", "dtap0", "address", MAC["site"])
    lab.run("site", "ip", "addr", "add", "10.1.0.2/24", "dev", "dtap0")
    lab.run("site", "ip", "link", "set", "dtap0", "up")
    lab.run("site", "ip", "route", "add", "default", "via", "10.1.0.1")
    wait_until(lambda: lab.run("site", "ping", "-c", "1", "-W", "1", "10.1.0.1", check=False)[0] == 0, 10, "the gateway answers by the tap")
    lab.run("site", "ping", "-c", "5", "-i", "0.05", "-W", "0.1", "10.2.0.2", check=False)
    daemon.wait_counter("wan", "transmitted_frames", 5)
    check(daemon.program.stop() == 0, "clean stop")
    black = [frame for frame in read_pcap(lab, "black.pcap") if frame[12:14] == b"\x08\x00" and frame[14 + 9] == 50]
    check(len(black) == 5, f"what it sends to the peer's site leaves as ESP: {len(black)}")


if __name__ == "__main__":
    main(pcap_files, ring, tap)
