#!/usr/bin/python3
"""Searches a forced core dump of a working gateway, and everything it wrote and answered, for its keys.

    tools/lab-shell /usr/bin/python3 tests/tools/secrets/core_test.py --programs build/dev/tools

Looked for: keys and salts (with the 12-byte salts whole, the 4-byte ones together with the end of their key), the AES round keys made
from them, and the GHASH key H; raw, in hex, and in base64. gdb's gcore takes the dump, as root: the strongest reader there is short of
the memory itself. A planted key file in the dump's folder shows that the search finds what is there.
"""
import argparse
import base64
import os
import re
import sys

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
        found[f"{label} H"], found[f"{label} H, bytes reversed"] = h, h[::-1]
    found["macsec salt"] = bytes.fromhex(keys.macsec_salt)
    return found


def search(data, wanted):
    """Names of what stands in `data`, raw, hex or base64 (at any of its three alignments)."""
    hits = []
    lower = data.lower()
    for name, secret in wanted.items():
        forms = {"raw": secret in data, "hex": secret.hex().encode() in lower}
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + secret)
            start, end = (0, 2, 3)[shift], len(coded) - (4 if (shift + len(secret)) % 3 else 0)
            forms["base64"] = forms.get("base64", False) or coded[start:end] in data
        hits += [f"{name} ({form})" for form, present in forms.items() if present]
    return hits


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    options = parser.parse_args()
    with Lab("/run/lab") as lab:
        gateways.build_network(lab)
        keys = gateways.Keys(lab)
        pair = {side: gateways.Gateway(lab, os.path.abspath(options.programs), side, gateways.configuration(lab, side)) for side in gateways.SITES}
        outputs = []
        for gateway in pair.values():
            outputs.append(gateway.enroll())
            gateway.start()
        for gateway in pair.values():
            gateway.wait_ready()
        wait_until(lambda: lab.run("site-a", "ping", "-c", "1", "-W", "1", "10.2.0.2", check=False)[0] == 0, 30, "traffic")
        lab.run("site-a", "ping", "-c", "300", "-i", "0.002", "-s", "1200", "10.2.0.2")
        gateway = pair["a"]
        for command in (["status"], ["sa", "list"], ["policy", "list"], ["port", "list"], ["counters", "--all"]):
            outputs.append(lab.run(gateway.host, gateway.ctl, *command, "--socket", gateway.socket))
            outputs.append(lab.run(gateway.host, gateway.ctl, *command, "--socket", gateway.socket, "--json"))
        pid = gateway.program.process.pid
        code, said = lab.run(None, "gcore", "-o", lab.path("core"), str(pid), check=False)
        core = lab.path(f"core.{pid}")
        if code != 0 or not os.path.exists(core):
            if "not found" in said or re.search("ptrace.*not permitted", said):
                print(f"skipped: no core can be taken here: {said[-300:]}")
                sys.exit(77)
            raise LabError(f"gcore: {said[-800:]}")
        for one in pair.values():
            one.program.stop()
            outputs.append(one.program.log())

        wanted = needles(keys)
        with open(core, "rb") as file:
            data = file.read()
        if b"192.0.2.1" not in data and b"gw-a" not in data:
            raise LabError("the core does not hold the gateway's own name: not a dump of it")
        if not search(bytes.fromhex(keys.sak), wanted) or not search(base64.b64encode(bytes.fromhex(keys.esp["a"])), wanted):
            raise LabError("the search does not find a key that is there")
        hits = search(data, wanted) + search("\n".join(outputs).encode(), wanted)
        for folder, _, names in os.walk(lab.folder):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.basename(folder) == "keys" or not os.path.isfile(path) or path == core:
                    continue
                with open(path, "rb") as file:
                    hits += [f"{hit} in {path}" for hit in search(file.read(), wanted)]
        if hits:
            raise LabError(f"{len(hits)} pieces of key material found: {'; '.join(hits[:12])}")
        print(f"core of {len(data) / 1e6:.0f} MB, {len(outputs)} outputs, logs and state: none of {len(wanted)} secrets in raw, hex or base64")


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
