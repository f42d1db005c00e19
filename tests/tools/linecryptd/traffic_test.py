#!/usr/bin/env python3
"""Traffic through two daemons.

    site-a            gw-a                                      gw-b            site-b
    eth0 ──────────── lan0 │ linecryptd │ wan0 ═══circuit═══ wan0 │ linecryptd │ lan0 ──────────── eth0
    10.1.0.2/24       companion 10.1.0.1     192.0.2.1 192.0.2.2      10.2.0.1            10.2.0.2/24
    fd01::2/64        fd01::1                                         fd02::1             fd02::2/64
"""
import os
import re
import time

from rig import Rig, check, drops, gateways, main


SEND_FILE = """
import socket, sys
server = socket.create_server((sys.argv[1], 8000))
print("listening")
connection, _ = server.accept()
connection.sendall(open(sys.argv[2], "rb").read())
"""
TAKE_FILE = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 8000))
with open(sys.argv[2], "wb") as file:
    while chunk := connection.recv(65536):
        file.write(chunk)
"""


def configure_jumbo(lab, side, extra):
    path = gateways.configuration(lab, side, extra)
    with open(path) as file:
        text = file.read()
    text = text.replace('offload = "software"', 'offload = "software"\nmemory_mb = 160')
    text = re.sub(r'(side = "(clear|black)")', r"\1\nmtu = 9216", text)
    with open(path, "w") as file:
        file.write(text)
    return path


def accounted(rig, side):
    """Every frame is in exactly one place; nothing was lost before the pipeline."""
    for port in rig.api(side).get("counters")["ports"]:
        counters, device = port["counters"], port["device_counters"]
        taken = counters["received_frames"] + counters["companion_frames"] + counters["made_frames"]
        ended = sum(port["verdicts"].values())
        check(ended == taken, f"{side} {port['name']}: {ended} verdicts for {taken} frames: {port}")
        check(device["received_frames"] == counters["received_frames"] + port["before_pipeline"]["oversize"],
              f"{side} {port['name']}: the driver's frames reach the pipeline: {port}")
        check(device["transmitted_frames"] == counters["transmitted_frames"], f"{side} {port['name']}: the wire takes what is sent: {port}")


def both_layers(lab, programs):
    """IPv4 and IPv6 pass an ESP tunnel over MACsec; nothing on the circuit is anything but MACsec; every frame is accounted for."""
    rig = Rig(lab, programs).start()
    for address in ("10.2.0.2", "fd02::2"):
        rig.wait_ping("site-a", address)
    capture = lab.start("gw-b", "circuit", "tcpdump", "-i", "wan0", "-U", "-w", lab.path("circuit.pcap"), "-Q", "in")
    capture.wait_for("listening on")
    for address, options in (("10.2.0.2", ()), ("fd02::2", ()), ("10.2.0.2", ("-s", "1400")), ("fd02::2", ("-s", "1300"))):
        check(rig.ping("site-a", address, 50, *options), f"50 pings {options} to {address} all come back")
    for address in ("10.1.0.2", "fd01::2"):
        check(rig.ping("site-b", address, 20), f"20 pings to {address} all come back")
    capture.stop()
    other = lab.run(None, "tcpdump", "-r", lab.path("circuit.pcap"), "-nn", "not ether proto 0x88e5").strip()
    secured = lab.run(None, "tcpdump", "-r", lab.path("circuit.pcap"), "-nn", "ether proto 0x88e5").strip().split("\n")
    check(not other.splitlines(), f"only MACsec on the circuit, not {other[:500]}")
    check(len(secured) >= 240, f"the capture holds the pings: {len(secured)} frames")
    for side in gateways.SITES:
        accounted(rig, side)
        sas = rig.api(side).get("sas")["sas"]
        check(len(sas) == 4 and all(sa["counters"]["packets"] > 200 for sa in sas), f"four SAs carry it: {sas}")
        secy = rig.api(side).get("counters")["macsec"][0]["counters"]["secy"]
        check(secy["OutOctetsEncrypted"] > 10000, f"the standard's counters move: {secy}")
        check(rig.api(side).get("status")["problems"] == [], "no problems")


def own_addresses(lab, programs):
    """The gateway's own addresses answer on their own side; its companion is not a way from one side to the other."""
    rig = Rig(lab, programs).start()
    rig.wait_ping("site-a", "10.2.0.2")
    check(rig.ping("site-a", "10.1.0.1"), "the site reaches the gateway's clear address")
    check(rig.ping("site-a", "fd01::1"), "and its IPv6 one")
    check(not rig.ping("site-a", "192.0.2.1", 2), "the site does not reach the gateway's black address")
    check(not rig.ping("site-a", "192.0.2.2", 2), "nor the peer gateway's")


def too_big(lab, programs):
    """A packet that does not fit after encapsulation is answered on the clear side with the MTU that does; TCP then adapts."""
    rig = Rig(lab, programs).start()
    rig.wait_ping("site-a", "10.2.0.2")
    code, output = lab.run("site-a", "ping", "-c", "2", "-i", "0.1", "-W", "1", "-M", "do", "-s", "1472", "10.2.0.2", check=False)
    check(code != 0 and "mtu = 1446" in output, f"fragmentation needed, and DF set (mtu = 1446): {output}")
    data = os.urandom(2_000_000)
    with open(lab.path("original"), "wb") as file:
        file.write(data)
    server = lab.start("site-b", "server", "/usr/bin/python3", "-u", "-c", SEND_FILE, "10.2.0.2", lab.path("original"))
    server.wait_for("listening")
    lab.run("site-a", "/usr/bin/python3", "-c", TAKE_FILE, "10.2.0.2", lab.path("copy"), timeout=20)
    with open(lab.path("copy"), "rb") as copy:
        check(copy.read() == data, "two megabytes arrive unchanged by TCP")


def jumbo(lab, programs):
    """MTU 9216: buffers, ring frames and the netdevs follow."""
    gateways_mtu = gateways.CIRCUIT_MTU
    gateways.CIRCUIT_MTU = 9600
    try:
        rig = Rig(lab, programs, configure=configure_jumbo)
    finally:
        gateways.CIRCUIT_MTU = gateways_mtu
    for side in gateways.SITES:
        lab.run(f"site-{side}", "ip", "link", "set", "eth0", "mtu", "9216")
        lab.run(f"gw-{side}", "ip", "link", "set", "lan0", "mtu", "9216")
    rig.start()
    rig.wait_ping("site-a", "10.2.0.2")
    check(rig.ping("site-a", "10.2.0.2", 20, "-s", "9100", "-M", "do"), "9100-byte pings pass whole")
    for side in gateways.SITES:
        accounted(rig, side)


def load(lab, programs):
    """UDP of 1400 bytes both ways: what the rings took is all accounted for, and nothing was dropped inside."""
    rig = Rig(lab, programs).start()
    rig.wait_ping("site-a", "10.2.0.2")
    rig.wait_ping("site-b", "10.1.0.2")
    before = {(side, name): rig.port(side, name)["verdicts"] for side in gateways.SITES for name in ("lan", "wan")}
    server = lab.start("site-b", "iperf3", "iperf3", "-s", "-1", "--forceflush")
    server.wait_for("listening")
    lab.run("site-a", "iperf3", "-c", "10.2.0.2", "-u", "-b", "40M", "-l", "1400", "-w", "4M", "-t", "2", "--bidir", timeout=60)
    time.sleep(0.2)
    for side in gateways.SITES:
        accounted(rig, side)
        for name in ("lan", "wan"):
            port = rig.port(side, name)
            check(port["counters"]["received_frames"] > 1000, f"{side} {name}: traffic flowed: {port}")
            # The kernel's own chatter on the companions (MLD) ends under policy_default; inside, nothing may be lost.
            lost = {verdict: count - before[side, name][verdict] for verdict, count in port["verdicts"].items()
                    if verdict in drops() - {"policy_default", "policy_clear_inbound"} and count != before[side, name][verdict]}
            check(not lost, f"{side} {name}: nothing is dropped inside: {lost}")
        buffers = rig.api(side).get("status")["buffers"]
        check(buffers["free"] == buffers["total"], f"every buffer came back: {buffers}")


if __name__ == "__main__":
    main(both_layers, own_addresses, too_big, jumbo, load)
