#!/usr/bin/python3
"""Searches core dumps of working gateways, and everything they wrote and answered, for their keys.

    tools/lab-shell /usr/bin/python3 tests/tools/secrets/core_test.py --programs build/dev/tools --shim .../libdumpable_shim.so
    build/dev/emulated_card/run tools/lab-shell ... --offload auto --bitstream build/dev/bitstreams/linecrypt-emulated-both.xclbin

Looked for: keys and salts (with the 12-byte salts whole, the 4-byte ones together with the end of their key), the AES round keys made
from them, the GHASH key H and its powers; raw in each order of bytes that code here or on the card has, in hex, and in base64.

Two cores of gateway A under load: gdb's gcore, as root, and the kernel's own behind SIGABRT, with what linecryptd does against it
(limit 0, not dumpable) taken back by a shim: only marked pages stay out. Gateway B has one round key planted in ordinary memory: its
core must show that one and no other. Without the shim SIGABRT must leave no core at all.

With a card its fabric and memory are in the gateway's process too: that is the emulation's, and stays out by the same mark.
"""
import argparse
import base64
import os
import re
import signal
import struct
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
import gateways  # noqa: E402
from lab import Lab, LabError, wait_until  # noqa: E402

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: E402


def sbox():
    """The AES S-box, computed (FIPS 197 5.1.1)."""
    table, p, q = [0x63] + [0] * 255, 1, 1
    while True:
        p = p ^ (p << 1) & 0xFF ^ (0x1B if p & 0x80 else 0)
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        q ^= 0x09 if q & 0x80 else 0
        rotated = [q << n & 0xFF | q >> (8 - n) for n in range(5)]
        table[p] = rotated[0] ^ rotated[1] ^ rotated[2] ^ rotated[3] ^ rotated[4] ^ 0x63
        if p == 1:
            return table


SBOX = sbox()


def round_keys(key):
    """The expanded key as 16-byte round keys (FIPS 197 5.2)."""
    words = [key[i:i + 4] for i in range(0, len(key), 4)]
    per_key, constant = len(words), 1
    for index in range(per_key, 4 * (per_key + 7)):
        word = words[-1]
        if index % per_key == 0:
            word = bytes(SBOX[b] for b in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = (constant << 1) ^ (0x11B if constant & 0x80 else 0)
        elif per_key > 6 and index % per_key == 4:
            word = bytes(SBOX[b] for b in word)
        words.append(bytes(a ^ b for a, b in zip(words[index - per_key], word)))
    return [b"".join(words[i:i + 4]) for i in range(0, len(words), 4)]


def times(x, y):
    """The product in GHASH's field (SP 800-38D 6.3), of blocks as integers, first byte on top."""
    z = 0
    for bit in range(127, -1, -1):
        if x >> bit & 1:
            z ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def powers(h, most):
    """H, H^2, ... as bytes."""
    base = value = int.from_bytes(h, "big")
    found = [h]
    for _ in range(most - 1):
        value = times(value, base)
        found.append(value.to_bytes(16, "big"))
    return found


def needles(keys):
    """name -> bytes to look for."""
    found = {}
    for label, text in (("esp a", keys.esp["a"]), ("esp b", keys.esp["b"]), ("sak", keys.sak)):
        whole = bytes.fromhex(text)
        key = whole[:32]
        found[f"{label} key, first half"], found[f"{label} key, second half"] = key[:16], key[16:]
        if len(whole) > 32:
            found[f"{label} salt with the key's end"] = whole[-12:]
        for number, one in enumerate(round_keys(key)[2:], 2):
            found[f"{label} round key {number}"] = one
        h = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(bytes(16))
        for exponent, one in enumerate(powers(h, 32), 1):
            found[f"{label} H^{exponent}"] = one
    found["macsec salt"] = bytes.fromhex(keys.macsec_salt)
    return found


def orders(secret):
    """The orders of bytes in which code holds a block: as it is, turned around, and by words of 8 or 4 bytes."""
    yield secret
    yield secret[::-1]
    if len(secret) == 16:
        for size in (8, 4):
            words = [secret[i:i + size] for i in range(0, 16, size)]
            yield b"".join(word[::-1] for word in words)
            yield b"".join(words[::-1])


def forms(secret):
    """(form, bytes): raw in each order, hex, and base64 at any of its three alignments."""
    for order in dict.fromkeys(orders(secret)):
        yield "raw", order
    for digits in (secret.hex(), secret[::-1].hex()):
        yield "hex", digits.encode()
        yield "hex", digits.upper().encode()
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + secret)
        start, end = (0, 2, 3)[shift], len(coded) - (4 if (shift + len(secret)) % 3 else 0)
        yield "base64", coded[start:end]


class Search:
    """Looks for every form of every secret; find_bytes.cpp does the looking."""

    def __init__(self, program, wanted):
        self.program = program
        self.secrets = len(wanted)
        lines = [f"{name} ({form})\t{whole.hex()}" for name, secret in wanted.items() for form, whole in forms(secret)]
        self.forms = len(lines)
        self.strings = "\n".join(lines) + "\n"

    def files(self, *paths):
        """What stands in the files: (path, name and form, where)."""
        done = subprocess.run([self.program, *paths], input=self.strings, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise LabError(f"find_bytes: {done.stderr}")
        hits = [line.split("\t") for line in done.stdout.splitlines()]
        return [(path, name, int(offset)) for path, name, offset in hits]

    def cores(self, *paths):
        """What stands in memory of the cores, and what in registers: sets of texts. A thread that is in the middle of enciphering, in
        software or for the emulated fabric, has what it enciphers with in its registers, and a core holds those. No process can help that,
        and it is why linecryptd leaves no core by itself."""
        memory, registers = set(), set()
        notes = {path: notes_of(path) for path in paths}
        for path, name, offset in self.files(*paths):
            in_notes = any(begin <= offset < end for begin, end in notes[path])
            (registers if in_notes else memory).add(f"{name} in {os.path.basename(path)}")
        return memory, registers

    def text(self, lab, data):
        """The same for bytes."""
        path = lab.path("cores", "searched")
        with open(path, "wb") as file:
            file.write(data)
        return [hit for _, hit, _ in self.files(path)]


SENDER = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for _ in range(4):
        try:
            s.sendto(b"x" * 1200, (sys.argv[1], 9))
        except OSError:
            pass
    time.sleep(0.004)
"""

PLANTED = "esp b round key 9"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def notes_of(path):
    """Where an ELF64 core keeps its notes (registers among them): [(begin, end)]."""
    with open(path, "rb") as file:
        header = file.read(64)
        if header[:6] != b"\x7fELF\x02\x01":
            raise LabError(f"{path}: no little-endian ELF64 file")
        at, = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        if count == 0xFFFF:
            raise LabError(f"{path}: more segments than this test reads")
        file.seek(at)
        found = []
        for _ in range(count):
            entry = file.read(size)
            if struct.unpack_from("<I", entry)[0] == 4:  # PT_NOTE
                offset, length = struct.unpack_from("<Q", entry, 8)[0], struct.unpack_from("<Q", entry, 32)[0]
                found.append((offset, offset + length))
    if not found:
        raise LabError(f"{path}: a core without notes")
    return found


def gcore(lab, gateway):
    """gdb's core of a gateway; ends the test as skipped where none can be taken."""
    pid = gateway.program.process.pid
    code, said = lab.run(None, "gcore", "-o", lab.path("cores", gateway.host), str(pid), check=False)
    path = lab.path("cores", f"{gateway.host}.{pid}")
    if code != 0 or not os.path.exists(path):
        if "not found" in said or re.search("ptrace.*not permitted", said):
            print(f"skipped: no core can be taken here: {said[-300:]}")
            sys.exit(77)
        raise LabError(f"gcore: {said[-800:]}")
    return path


def kernel_core_name():
    """Whether the kernel puts cores into the directory of the process: elsewhere we do not look for them."""
    pattern = read("/proc/sys/kernel/core_pattern").decode().strip()
    return bool(re.fullmatch(r"core[.%a-z]*", pattern))


def start(lab, gateway, folder, shim, plant=None):
    """With the shim, without a limit of cores, in a folder of its own."""
    environment = [f"LD_PRELOAD={shim}"] + ([f"LINECRYPT_PLANT={plant}"] if plant else [])
    gateway.program = lab.start(gateway.host, f"{gateway.host}/linecryptd", "prlimit", "--core=unlimited", "env", "-C", folder, *environment,
                                gateway.daemon, "--config", gateway.config)


def end_by_abort(gateway, folder):
    """The kernel's core in `folder`, or none."""
    gateway.program.process.send_signal(signal.SIGABRT)
    gateway.program.process.wait(60)
    cores = [name for name in os.listdir(folder) if name.startswith("core")]
    return os.path.join(folder, cores[0]) if cores else None


def require_gateway(path, gateway):
    data = read(path)
    if gateway.host.encode() not in data:
        raise LabError(f"{path}, {len(data)} bytes, does not hold the name of {gateway.host}: not a dump of it")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    parser.add_argument("--shim", required=True)
    parser.add_argument("--find-bytes", required=True)
    parser.add_argument("--offload", choices=("software", "auto", "card"), default="software")
    parser.add_argument("--bitstream", help="with --offload auto or card: the xclbin")
    options = parser.parse_args()
    shim = os.path.abspath(options.shim)
    with Lab("/run/lab") as lab:
        gateways.build_network(lab)
        keys = gateways.Keys(lab)
        pair = {side: gateways.Gateway(lab, os.path.abspath(options.programs), side,
                                       gateways.configuration(lab, side, offload=options.offload, bitstream=options.bitstream))
                for side in gateways.SITES}
        wanted = needles(keys)
        search = Search(os.path.abspath(options.find_bytes), wanted)
        os.makedirs(lab.path("cores"))
        folders = {side: lab.path("cores", side) for side in pair}
        for folder in folders.values():
            os.makedirs(folder)
        plant = lab.path("cores", "planted")
        with open(plant, "wb") as file:
            file.write(wanted[PLANTED][::-1] + b" in the heap")
        outputs = []
        for side, gateway in pair.items():
            outputs.append(gateway.enroll())
            start(lab, gateway, folders[side], shim, plant if side == "b" else None)
        for gateway in pair.values():
            gateway.wait_ready(60)
        wait_until(lambda: lab.run("site-a", "ping", "-c", "1", "-W", "1", "10.2.0.2", check=False)[0] == 0, 30, "traffic")
        lab.run("site-a", "ping", "-c", "300", "-i", "0.002", "-s", "1200", "10.2.0.2")
        gateway = pair["a"]
        questions = [["status"], ["sa", "list"], ["policy", "list"], ["port", "list"], ["counters", "--all"]]
        if options.bitstream:
            questions += [["card", "status"], ["card", "dump"], ["card", "selftest"]]
        for command in questions:
            outputs.append(lab.run(gateway.host, gateway.ctl, *command, "--socket", gateway.socket))
            outputs.append(lab.run(gateway.host, gateway.ctl, *command, "--socket", gateway.socket, "--json"))
        # After the questions: the emulated card's self-test waits its turn behind the packets.
        lab.start("site-a", "site-a-sender", "/usr/bin/python3", "-c", SENDER, "10.2.0.2")
        lab.start("site-b", "site-b-sender", "/usr/bin/python3", "-c", SENDER, "10.1.0.2")
        if options.bitstream:
            use = gateway.query("card", "status")["use"]
            if use["sas_on_card"] == 0 or use["sas_in_software"] != 0:
                raise LabError(f"the SAs are not on the card: {use}")
            outputs.append(lab.run(gateway.host, gateway.ctl, "card", "reset", "--socket", gateway.socket))
            wait_until(lambda: gateway.query("card", "status")["use"]["sas_on_card"] == use["sas_on_card"], 60, "back on the card")
            time.sleep(0.3)  # work for the card
        cores = [gcore(lab, gateway) for _ in range(3 if os.environ.get("LINECRYPT_LONG") else 1)]
        planted = gcore(lab, pair["b"])
        # The kernel's own.
        by_kernel = None
        if kernel_core_name():
            by_kernel = end_by_abort(gateway, folders["a"])
            if by_kernel is None:
                raise LabError("SIGABRT left no core although nothing forbade it: the kernel's form shows nothing")
            cores.append(by_kernel)
            outputs.append(gateway.program.log())
            # And as it is without the shim: none.
            gateway.program = lab.start(gateway.host, f"{gateway.host}/linecryptd-2", "env", "-C", lab.path("gw-a"), gateway.daemon, "--config",
                                        gateway.config)
            gateway.wait_ready(60)
            left = end_by_abort(gateway, lab.path("gw-a"))
            if left is not None:
                raise LabError(f"linecryptd left a core: {left}")
        else:
            gateway.program.stop()
        pair["b"].program.stop()
        for one in pair.values():
            outputs.append(one.program.log())

        for secret in (bytes.fromhex(keys.sak), base64.b64encode(bytes.fromhex(keys.esp["a"])), keys.esp["b"].upper().encode()):
            if not search.text(lab, b"before " + secret + b" behind"):
                raise LabError("the search does not find a key that is there")
        for path in cores:
            require_gateway(path, gateway)
        require_gateway(planted, pair["b"])
        hits, registers = search.cores(*cores)
        seen, more = search.cores(planted)
        expected = f"{PLANTED} (raw) in {os.path.basename(planted)}"
        if expected not in seen:
            raise LabError("the planted round key is not found in gateway B's core: the search sees nothing")
        hits, registers = sorted(hits | seen - {expected}), registers | more
        hits += search.text(lab, "\n".join(outputs).encode())
        paths = [os.path.join(folder, name) for folder, _, names in os.walk(lab.folder) for name in names
                 if os.path.basename(folder) != "keys" and not folder.startswith(lab.path("cores"))]
        hits += [f"{hit} in {path}" for path, hit, _ in search.files(*(path for path in paths if os.path.isfile(path)))]
        size = sum(os.path.getsize(path) for path in cores)
        if hits:
            raise LabError(f"{len(hits)} pieces of key material found: {'; '.join(hits[:12])}")
        kernels = "one of them the kernel's" if by_kernel else "none of them the kernel's: core_pattern leads elsewhere"
        print(f"{len(cores)} cores ({kernels}) of {size / 1e6:.0f} MB in all, {len(outputs)} outputs, logs and state: none of {search.secrets} secrets in "
              f"{search.forms} forms; the planted one was found; in registers of threads at work: {len(registers)}")


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
