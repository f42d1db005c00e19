#!/usr/bin/python3
"""MACsec against an independent implementation, in both directions: tools/interop/macsec_peer.py, which is OpenSSL alone.

    macsec_second_opinion.py ENGINE_FRAMES [long]      (exit 77 with the reason where python3-cryptography is missing)

Each case is one SA: suite x SCI encoding x encrypted, integrity only or confidentiality offset x 0 to 2 VLAN tags in clear, on each
provider, with frames of many sizes and, with XPN, numbers across 2^32.
protect: our frames, opened by the peer, must be the clear frames. validate: the peer's frames, opened by us, must be the clear frames.
Then what each must refuse: a flipped bit, a frame sent twice, a frame in clear.
"""
import contextlib
import importlib.util
import io
import itertools
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

if importlib.util.find_spec("cryptography") is None:
    print("skipped: python3-cryptography is not installed")
    sys.exit(77)

PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "interop", "macsec_peer.py")
SUITES = ["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"]
TAGS = ["explicit", "es", "implicit", "scb"]
PROTECTIONS = [(True, 0), (False, 0), (True, 30), (True, 50)]
VLANS = [[], [{"tpid": 0x8100, "vid": 7}], [{"tpid": 0x88A8, "vid": 100}, {"tpid": 0x8100, "vid": 4094}]]
SIZES = [1, 2, 13, 14, 15, 28, 29, 30, 31, 44, 45, 46, 47, 48, 49, 60, 63, 64, 65, 100, 127, 128, 129, 1000, 1500, 9000]
OWN, OTHER = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
chance = random.Random(8021)


def clear_frames(vlans, sizes):
    tags = b"".join(struct.pack("!HH", tag["tpid"], chance.randrange(8) << 13 | tag["vid"]) for tag in vlans)
    return [OTHER + OWN + tags + b"\x08\x00" + chance.randbytes(size) for size in sizes]


def every_case(sizes):
    for suite, tag, (encrypt, offset), vlans in itertools.product(SUITES, TAGS, PROTECTIONS, VLANS):
        xpn = "xpn" in suite
        if xpn and offset:
            continue
        start = chance.choice([1, (5 << 32) - len(sizes) // 2, (1 << 32) - 3]) if xpn else chance.choice([1, 0xB2C28465])
        yield {"suite": suite, "tag": tag, "encrypt": encrypt, "confidentiality_offset": offset, "vlan_tags": vlans,
               "sci": (OWN + (b"\0\0" if tag == "scb" else b"\0\1")).hex(), "an": chance.randrange(4), "pn": start,
               "key": chance.randbytes(32 if suite.endswith("256") else 16).hex(), "salt": chance.randbytes(12).hex(),
               "ssci": chance.randrange(1, 1 << 32), "replay_window": 0, "clear": clear_frames(vlans, sizes)}


class Peer:
    """macsec_peer.py over pcap files in a folder."""

    def __init__(self, folder):
        self.folder = folder
        spec = importlib.util.spec_from_file_location("macsec_peer", PEER)
        self.program = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.program)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write_pcap(self, name, frames):
        with open(self.path(name), "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for frame in frames:
                file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)

    def read_pcap(self, name):
        frames = []
        with open(self.path(name), "rb") as file:
            file.read(24)
            while header := file.read(16):
                frames.append(file.read(struct.unpack("<IIII", header)[2]))
        return frames

    def run(self, mode, case, frames):
        """Exit code, counts, frames."""
        self.write_pcap("in.pcap", frames)
        sa = {"an": case["an"], "key": case["key"], "salt": case["salt"], "pn": case["pn"]}
        settings = {**{key: case[key] for key in ("suite", "confidentiality_offset", "tag", "encrypt")},
                    "vlan_tags": len(case["vlan_tags"]), "scs": [{"sci": case["sci"], "ssci": case["ssci"], "sas": [sa]}]}
        descriptor = os.open(self.path("keys.json"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(settings, file)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):  # within this process: hundreds of runs
            code = self.program.main(mode, self.path("keys.json"), self.path("in.pcap"), self.path("out.pcap"))
        return code, json.loads(printed.getvalue()), self.read_pcap("out.pcap")


def ours(program, provider, operation, cases, frames):
    """Our engine over one list of frames a case: lists of (verdict, number, frame)."""
    wanted = [{**{key: value for key, value in case.items() if key != "clear"}, "operation": operation,
               "frames": [frame.hex() for frame in some]} for case, some in zip(cases, frames)]
    text = json.dumps({"provider": provider, "cases": wanted})
    done = subprocess.run([program], input=text, stdout=subprocess.PIPE, text=True, check=True)
    return [[(one["verdict"], one["number"], bytes.fromhex(one["frame"])) for one in answer] for answer in json.loads(done.stdout)]


def describe(case):
    return (f"{case['suite']} {case['tag']} encrypt={case['encrypt']} offset={case['confidentiality_offset']} "
            f"vlans={len(case['vlan_tags'])} pn={case['pn']}")


def main(program, long_form):
    sizes = list(range(1, 9217, 7)) if long_form else SIZES
    cases = list(every_case(sizes))
    failures, checked = [], 0

    def require(condition, text):
        nonlocal checked
        checked += 1
        if not condition:
            failures.append(text)

    with tempfile.TemporaryDirectory(prefix="macsec-second-opinion-") as folder:
        peer = Peer(folder)
        theirs = []
        for case in cases:
            code, counts, frames = peer.run("protect", case, case["clear"])
            require(code == 0 and counts["good"] == len(sizes), f"peer protect: {describe(case)}: {counts}")
            theirs.append(frames)
        for provider in ("automatic", "openssl"):
            protected = ours(program, provider, "protect", cases, [case["clear"] for case in cases])
            validated = ours(program, provider, "validate", cases, theirs)
            for case, out, back, sent in zip(cases, protected, validated, theirs):
                where = f"{provider}: {describe(case)}"
                mine = [frame for _, _, frame in out]
                require(all(verdict == "ok" for verdict, _, _ in out), f"{where}: protect: {out[0][0]}")
                require(mine == sent, f"{where}: our frames and the peer's differ")
                code, counts, frames = peer.run("unprotect", case, mine)
                require(code == 0 and frames == case["clear"], f"{where}: the peer opened {counts}")
                require([verdict for verdict, _, _ in back] == ["ok"] * len(sizes), f"{where}: validate: {[v for v, _, _ in back]}")
                require([frame for _, _, frame in back] == case["clear"], f"{where}: validate gave other frames")
                require([number for _, number, _ in back] == list(range(case["pn"], case["pn"] + len(sizes))), f"{where}: numbers")
        # What must be refused, by both.
        for case, sent in zip(cases[::5], theirs[::5]):
            at = 12 + 4 * len(case["vlan_tags"])
            flipped = bytearray(sent[-1])
            flipped[chance.choice([chance.randrange(12), chance.randrange(at + 16, len(flipped))])] ^= 1 << chance.randrange(8)
            code, counts, frames = peer.run("unprotect", case, [bytes(flipped)] + sent[:1] + sent[:1] + case["clear"][:1])
            require(code == 1 and counts["good"] == 1 and frames == case["clear"][:1] and counts.get("nonce_reused") == 1
                    and counts.get("not_macsec") == 1, f"peer must refuse: {describe(case)}: {counts}")
            (answer,) = ours(program, "automatic", "validate", [case], [[bytes(flipped)] + sent[:1] + sent[:1] + case["clear"][:1]])
            verdicts = [verdict for verdict, _, _ in answer]
            require(verdicts[0] in ("macsec_not_valid", "macsec_unknown_sci") and verdicts[1:] == ["ok", "replay_late", "macsec_untagged"],
                    f"we must refuse: {describe(case)}: {verdicts}")
            require(not any(answer[0][2][at + 16:]) or verdicts[0] == "macsec_unknown_sci", f"clear text left: {describe(case)}")
    for text in failures[:20]:
        print(text)
    print(f"{len(cases)} cases of {len(sizes)} frames on two providers: {checked} checks, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "long" in sys.argv[2:] or os.environ.get("LINECRYPT_LONG") == "1"))
