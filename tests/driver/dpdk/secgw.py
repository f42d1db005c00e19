#!/usr/bin/python3
"""DPDK's example gateway ipsec-secgw, unmodified, over crypto_linecrypt, against the same over another driver.

    secgw.py IPSEC-SECGW --libraries FOLDER... --devargs ARGS [--packets N]      (inside tools/lab-shell)

Two gateways, each with a clear and a black tap. This program is the hosts on both clear sides and the circuit between the black ones:
packets of random sizes go through both, each way, and must come out byte by byte as they went in; on the circuit there is ESP alone.
Ours does look-aside protocol offload, or with --inline inline protocol offload: its black port is net_linecrypt over a tap. The other one
encrypts with crypto_aesni_mb or crypto_openssl, headers in the gateway's own code.
"""
import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import time

import dpdk_program

SIDES = {"a": ("192.168.100.0/24", "172.16.1.5"), "b": ("192.168.105.0/24", "172.16.2.5")}
KEYS = {"a": "fe:ff:e9:92:86:65:73:1c:6d:6a:8f:94:67:30:83:08:ca:fe:ba:be",  # of what a sends
        "b": "01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:de:ad:be:ef"}
SPI = {"a": 1005, "b": 1105}


def configuration(folder, side, kind, clear_port):
    other = "b" if side == "a" else "a"
    (net, local), (far_net, remote) = SIDES[side], SIDES[other]
    path = os.path.join(folder, f"{side}.cfg")
    with open(path, "w") as file:
        file.write(f"""\
sp ipv4 out esp protect {SPI[side]} pri 1 dst {far_net} sport 0:65535 dport 0:65535
sp ipv4 in esp protect {SPI[other]} pri 1 dst {net} sport 0:65535 dport 0:65535
sa out {SPI[side]} aead_algo aes-128-gcm aead_key {KEYS[side]} mode ipv4-tunnel src {local} dst {remote} {kind}
sa in {SPI[other]} aead_algo aes-128-gcm aead_key {KEYS[other]} mode ipv4-tunnel src {remote} dst {local} {kind}
rt ipv4 dst {remote}/32 port 0
rt ipv4 dst {net} port {clear_port}
neigh port 0 02:00:00:00:00:11
neigh port {clear_port} 02:00:00:00:00:12
""")
    return path


def checksum(header):
    total = sum(int.from_bytes(header[i:i + 2], "big") for i in range(0, len(header), 2))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def clear_frame(source, number, size):
    far = "192.168.105.9" if source == "a" else "192.168.100.9"
    near = "192.168.100.7" if source == "a" else "192.168.105.7"
    payload = number.to_bytes(4, "big") + random.Random(number).randbytes(size)
    udp = (5000).to_bytes(2, "big") + (6000).to_bytes(2, "big") + (8 + len(payload)).to_bytes(2, "big") + b"\0\0" + payload
    header = bytearray(b"\x45\0" + (20 + len(udp)).to_bytes(2, "big") + number.to_bytes(2, "big") + b"\0\0\x40\x11\0\0" +
                       socket.inet_aton(near) + socket.inet_aton(far))
    header[10:12] = checksum(header).to_bytes(2, "big")
    return bytes(12) + b"\x08\0" + bytes(header) + udp


class Tap:
    def __init__(self, name):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((name, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.setblocking(False)

    def send(self, frame):
        self.socket.send(frame)

    def frames(self):
        """What the gateway sent and nobody has taken yet."""
        while True:
            try:
                frame, where = self.socket.recvfrom(1 << 16)
            except BlockingIOError:
                return
            if where[2] != socket.PACKET_OUTGOING and frame[12:14] == b"\x08\0":
                yield frame


class Gateway:
    def __init__(self, asked, folder, side, crypto, kind, mode):
        self.log = open(os.path.join(folder, f"{side}.log"), "w+")
        lcore = sorted(os.sched_getaffinity(0))["ab".index(side) % len(os.sched_getaffinity(0))]
        command = [asked.program, "-l", str(lcore), "--no-huge", "-m", "512", "--no-pci", "--no-telemetry",
                   "--file-prefix", f"linecrypt-secgw-{side}-{os.getpid()}"]
        clear_port, clear_name = 1, "net_tap1"
        black = ["--vdev", f"net_tap0,iface=g{side}0"]
        if crypto == "crypto_linecrypt":
            command += ["-d", "librte_crypto_linecrypt.so", "--vdev", f"crypto_linecrypt,{asked.devargs}"]
        elif crypto == "net_linecrypt":
            # Our port is 0; the tap that it makes takes the next number, and is hidden.
            clear_port = 2
            command += ["-d", "librte_net_linecrypt.so"]
            black = ["--vdev", f"net_linecrypt0,lower=dev(net_tap0,iface=g{side}0),{asked.devargs}"]
        else:
            command += ["--vdev", crypto]
        command += [*black, "--vdev", f"{clear_name},iface=g{side}1", "--", "-P", "-p", hex(1 | 1 << clear_port), "-u", "0x1", *mode,
                    "-s", "8192", f"--config=(0,0,{lcore}),({clear_port},0,{lcore})", "-f", configuration(folder, side, kind, clear_port)]
        self.process = subprocess.Popen(command, cwd=folder, env=dpdk_program.environment(asked.libraries),
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)

    def text(self):
        self.log.flush()
        with open(self.log.name, errors="replace") as file:
            return file.read()

    def wait_ready(self, until):
        while "IPSEC: entering main loop" not in self.text():
            if self.process.poll() is not None or time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def one_hop_less(packet):
    """In legacy mode the example's own tunnel code (ipip.h), on the side without offload, counts as a hop."""
    header = bytearray(packet[:20])
    header[8] -= 1
    header[10:12] = b"\0\0"
    header[10:12] = checksum(header).to_bytes(2, "big")
    return bytes(header) + packet[20:]


def exchange(packets, way, hop):
    """The number of packets that came through unchanged (but for the hop), or a problem."""
    far = "b" if way == "a" else "a"
    taps = {name: Tap(f"g{name}") for name in ("a0", "a1", "b0", "b1")}
    sizes = random.Random(way)
    waiting = {}
    sent = done = esp = 0
    until = time.monotonic() + 60
    while done < packets:
        if time.monotonic() > until:
            return f"only {done} of {packets} packets came through from {way}, {sent} sent, {esp} on the circuit"
        while sent < packets and len(waiting) < 16:
            frame = clear_frame(way, sent, sizes.randint(0, 1300))
            waiting[sent] = frame[14:]
            taps[f"{way}1"].send(frame)
            sent += 1
        for frame in taps[f"{way}0"].frames():
            if frame[23] != 50:
                return f"on the circuit: protocol {frame[23]}, expected ESP alone"
            if any(clear[28:60] in frame for clear in waiting.values() if len(clear) >= 60):
                return "on the circuit: a clear packet"
            esp += 1
            taps[f"{far}0"].send(frame)
        for frame in taps[f"{far}1"].frames():
            length = int.from_bytes(frame[16:18], "big")
            packet = frame[14:14 + length]
            number = int.from_bytes(packet[28:32], "big")
            expected = waiting.pop(number, None)
            if expected is None:
                return f"packet {number} came twice, or was never sent"
            if packet != (one_hop_less(expected) if hop else expected):
                return f"packet {number} changed: {packet[:40].hex()} for {expected[:40].hex()}"
            done += 1
        time.sleep(0.0005)
    return done


def run(asked, peer, mode):
    driver = "net_linecrypt" if asked.inline else "crypto_linecrypt"
    name = f"{driver} and {peer}, {'library mode' if mode else 'legacy mode'}"
    with tempfile.TemporaryDirectory() as folder:
        # port_id is needed for look-aside as well: without it the gateway silently does the work itself.
        offload = "inline-protocol-offload" if asked.inline else "lookaside-protocol-offload"
        ours = Gateway(asked, folder, "a", driver, f"port_id 0 type {offload}", mode)
        theirs = Gateway(asked, folder, "b", peer, "", mode)
        try:
            until = time.monotonic() + 60
            problem = None
            if not ours.wait_ready(until) or not theirs.wait_ready(until):
                problem = "a gateway does not start"
            else:
                for way in ("a", "b"):
                    result = exchange(asked.packets, way, hop=not mode)
                    if result != asked.packets:
                        problem = result
                        break
            if problem is None and "falling back to non-offload" in ours.text():
                problem = f"the gateway did not use {offload}"
            if problem:
                print(f"FAILED: {name}: {problem}")
                print(ours.text()[-1500:], theirs.text()[-1500:])
                return False
            print(f"ok: {name}: {asked.packets} packets each way, byte by byte")
            return True
        finally:
            ours.end()
            theirs.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--libraries", nargs="+", required=True)
    parser.add_argument("--devargs", required=True)
    parser.add_argument("--packets", type=int, default=1000)
    parser.add_argument("--inline", action="store_true")
    asked = parser.parse_args()
    if not os.path.exists("/dev/net/tun"):
        dpdk_program.skip("there is no /dev/net/tun")
    # The kernel says nothing of its own on the taps.
    for what in ("all", "default"):
        with open(f"/proc/sys/net/ipv6/conf/{what}/disable_ipv6", "w") as file:
            file.write("1")
    good = True
    for peer in ("crypto_aesni_mb", "crypto_openssl"):
        for mode in ([], ["-l", "-w", "64", "-e"]):
            good = run(asked, peer, mode) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
