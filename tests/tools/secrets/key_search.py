"""Key material in every form that code may hold it in, and the search for it.

Looked for: keys and salts (with the 12-byte salts whole, the 4-byte ones together with the end of their key), the AES round keys made
from them, the GHASH key H and its powers; raw in each order of bytes that code here or on the card has, in hex, and in base64.
"""
import base64
import subprocess

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


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


def halves(wanted):
    """The first and the last 8 bytes of each whole block, in each order: to name. Half a block fills a general register."""
    found = {}
    for name, secret in wanted.items():
        for order in orders(secret) if len(secret) == 16 else ():
            found[order[:8]] = found[order[8:]] = f"half of {name}"
    return found


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
            raise RuntimeError(f"find_bytes: {done.stderr}")
        hits = [line.split("\t") for line in done.stdout.splitlines()]
        return [(path, name, int(offset)) for path, name, offset in hits]

    def text(self, scratch, data):
        """The same for bytes; `scratch` names a file that may be written."""
        with open(scratch, "wb") as file:
            file.write(data)
        return [hit for _, hit, _ in self.files(scratch)]
