#!/usr/bin/python3
"""MACsec (IEEE 802.1AE-2018) by OpenSSL alone: a second opinion that shares no code with linecrypt.

    macsec_peer.py unprotect --keys KEYS.json IN.pcap OUT.pcap    verify and take MACsec off every frame
    macsec_peer.py protect   --keys KEYS.json IN.pcap OUT.pcap    put MACsec on every frame, with the first SA of KEYS.json

Needs Debian's python3-cryptography. Captures are pcap (not pcapng), link type Ethernet. Counts are printed as JSON. Exit 0 only
if every frame was good: unprotect fails on a wrong ICV, a frame without MACsec, a broken tag, an unknown SA, or a (key, IV) pair
seen before; a failed frame is left out of OUT.pcap. Keys come from a file that only its owner should be able to read:

    {"suite": "gcm-aes-128 | gcm-aes-256 | gcm-aes-xpn-128 | gcm-aes-xpn-256",
     "confidentiality_offset": 0, "vlan_tags": 0,          octets sent in clear; VLAN tags in clear before the SecTAG
     "tag": "explicit | es | scb | implicit", "encrypt": true,                                        protect only
     "scs": [{"sci": "02:00:00:00:00:01/1", "ssci": 1, "sas": [{"an": 0, "key": "hex", "salt": "hex", "pn": 1}]}]}

An SCI is also taken as 16 hex digits. `salt` and `ssci` are for XPN; `pn` is the first number to use or to expect (default 1), from
which the high half is inferred.
"""
import json
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MACSEC, ES, SC, SCB, ENCRYPTED, CHANGED, ICV = b"\x88\xe5", 0x40, 0x20, 0x10, 0x08, 0x04, 16


class Bad(Exception):
    """A frame that fails; the text is the name it is counted under."""


class Sa:
    """One secure association: its cipher, its IV and the numbers seen."""

    def __init__(self, settings, channel, entry):
        self.xpn, self.offset = "xpn" in settings["suite"], settings.get("confidentiality_offset", 0)
        address, _, port = channel["sci"].partition("/")
        self.sci = bytes.fromhex(address.replace(":", "")) + (struct.pack("!H", int(port)) if port else b"")
        self.an, self.key = entry["an"], bytes.fromhex(entry["key"])
        if len(self.key) * 8 != int(settings["suite"].rsplit("-", 1)[1]) or len(self.sci) != 8:
            raise SystemExit(f"{settings['suite']}: key of {len(self.key)} or SCI of {len(self.sci)} bytes does not fit")
        self.salt = bytes.fromhex(entry["salt"]) if self.xpn else b""
        self.ssci = struct.pack("!I", channel["ssci"]) if self.xpn else b""
        self.next, self.cipher = entry.get("pn", 1), AESGCM(self.key)

    def iv(self, pn):
        if not self.xpn:
            return self.sci + struct.pack("!I", pn)
        return bytes(a ^ b for a, b in zip(self.salt, self.ssci + struct.pack("!Q", pn)))

    def recover(self, low):
        """The number with these low 32 bits that is nearest to the next one expected."""
        if not self.xpn:
            return low
        base = (self.next >> 32 << 32) + low
        return min((n for n in (base - (1 << 32), base, base + (1 << 32)) if n > 0), key=lambda n: abs(n - self.next))

    def split(self, data, encrypted):
        cut = min(self.offset, len(data)) if encrypted else len(data)
        return data[:cut], data[cut:]


def unprotect(frame, settings, sas, seen):
    at = 12 + 4 * settings.get("vlan_tags", 0)
    if frame[at:at + 2] != MACSEC:
        raise Bad("not_macsec")
    if len(frame) < at + 8 + ICV:
        raise Bad("short")
    tci, sl, low = struct.unpack_from("!BBI", frame, at + 2)
    if tci & 0x80 or (tci & SC and tci & (ES | SCB)) or (tci & ENCRYPTED and not tci & CHANGED) or sl >= 48:
        raise Bad("bad_tag")
    end = at + (16 if tci & SC else 8)
    sci = frame[at + 8:end] if tci & SC else frame[6:12] + (b"\0\0" if tci & SCB else b"\0\1")
    known = [sa for sa in sas if sa.an == tci & 3 and (sa.sci == sci or not tci & (SC | ES | SCB))]
    if len(known) != 1:
        raise Bad("unknown_sa")
    size = sl or len(frame) - end - ICV
    data, icv = frame[end:end + size], frame[end + size:end + size + ICV]
    if size < (1 if sl else 48) or len(icv) != ICV:
        raise Bad("bad_length")
    sa, pn = known[0], known[0].recover(low)
    if pn == 0 or (sa.key, sa.iv(pn)) in seen:
        raise Bad("nonce_reused")
    plain, secret = sa.split(data, tci & ENCRYPTED)
    try:
        clear = sa.cipher.decrypt(sa.iv(pn), secret + icv, frame[:12] + frame[at:end] + plain)
    except InvalidTag:
        raise Bad("bad_icv") from None
    seen.add((sa.key, sa.iv(pn)))
    sa.next = max(sa.next, pn + 1)
    return frame[:at] + plain + clear


def protect(frame, settings, sas, seen):
    sa, at, style, encrypt = sas[0], 12 + 4 * settings.get("vlan_tags", 0), settings.get("tag", "explicit"), settings["encrypt"]
    pn, data, sa.next = sa.next, frame[at:], sa.next + 1
    if (sa.key, sa.iv(pn)) in seen:
        raise Bad("nonce_reused")
    seen.add((sa.key, sa.iv(pn)))
    tci = {"explicit": SC, "es": ES, "scb": SCB, "implicit": 0}[style] | (ENCRYPTED | CHANGED if encrypt else 0) | sa.an
    tag = MACSEC + struct.pack("!BBI", tci, len(data) if len(data) < 48 else 0, pn & 0xFFFFFFFF) + (sa.sci if tci & SC else b"")
    plain, secret = sa.split(data, encrypt)
    return frame[:at] + tag + plain + sa.cipher.encrypt(sa.iv(pn), secret, frame[:12] + tag + plain)


def main(mode, keys, source, sink):
    with open(keys, encoding="utf-8") as text:
        settings = json.load(text)
    sas = [Sa(settings, channel, entry) for channel in settings["scs"] for entry in channel["sas"]]
    seen, counts = set(), {"frames": 0, "good": 0}
    with open(source, "rb") as reader, open(sink, "wb") as writer:
        header = reader.read(24)
        order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}.get(header[:4])
        if order is None or struct.unpack(order + "I", header[20:])[0] & 0xFFFF != 1:
            raise SystemExit(f"{source}: not a pcap file of link type Ethernet")
        writer.write(header)
        while record := reader.read(16):
            stamp, (captured, original) = record[:8], struct.unpack(order + "II", record[8:])
            counts["frames"] += 1
            try:
                frame = reader.read(captured)
                if captured < original or len(frame) < captured:
                    raise Bad("cut_short")
                out = (unprotect if mode == "unprotect" else protect)(frame, settings, sas, seen)
                writer.write(stamp + struct.pack(order + "II", len(out), len(out)) + out)
                counts["good"] += 1
            except Bad as bad:
                counts[str(bad)] = counts.get(str(bad), 0) + 1
    print(json.dumps(counts))
    return 0 if counts["good"] == counts["frames"] else 1


if __name__ == "__main__":
    if len(sys.argv) != 6 or sys.argv[1] not in ("protect", "unprotect") or sys.argv[2] != "--keys":
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1], *sys.argv[3:]))
