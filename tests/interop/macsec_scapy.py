#!/usr/bin/python3
"""MACsec against scapy's MACsec layer, in both directions.

    macsec_scapy.py ENGINE_FRAMES      (exit 77 with the reason where scapy is missing)

Each case is one SA: four suites x SCI in the tag or not x encrypted or integrity only, frames of many sizes, XPN numbers across 2^32.
Our frames must be scapy's byte for byte, scapy must open ours, and we must open scapy's.
"""
import itertools
import logging
import sys

import macsec_second_opinion as second_opinion

try:
    logging.getLogger("scapy").setLevel(logging.ERROR)
    from scapy.contrib.macsec import MACsecSA
    from scapy.layers.l2 import Ether
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)


def cases():
    chance = second_opinion.chance
    for suite, tag, encrypt in itertools.product(second_opinion.SUITES, ("explicit", "implicit"), (True, False)):
        yield {"suite": suite, "tag": tag, "encrypt": encrypt, "confidentiality_offset": 0, "vlan_tags": [],
               "sci": (second_opinion.OWN + b"\0\1").hex(), "an": chance.randrange(4), "pn": (1 << 32) - 3 if "xpn" in suite else 1,
               "key": chance.randbytes(32 if suite.endswith("256") else 16).hex(), "salt": chance.randbytes(12).hex(),
               "ssci": chance.randrange(1, 1 << 32), "replay_window": 0, "clear": second_opinion.clear_frames([], second_opinion.SIZES)}


def association(case):
    return MACsecSA(sci=bytes.fromhex(case["sci"]), an=case["an"], pn=case["pn"], key=bytes.fromhex(case["key"]), icvlen=16,
                    encrypt=case["encrypt"], send_sci=case["tag"] == "explicit", xpn_en="xpn" in case["suite"],
                    ssci=case["ssci"], salt=bytes.fromhex(case["salt"]))


def scapy_protects(case):
    association_, frames = association(case), []
    for number, clear in enumerate(case["clear"], case["pn"]):
        association_.pn = number
        frames.append(bytes(association_.encrypt(association_.encap(Ether(clear)))))
    return frames


def scapy_opens(case, frames):
    association_, clear = association(case), []
    for number, frame in enumerate(frames, case["pn"]):
        association_.pn = number
        clear.append(bytes(association_.decap(association_.decrypt(Ether(frame)))))
    return clear


def main(program):
    failures = checked = 0
    all_cases = list(cases())
    theirs = [scapy_protects(case) for case in all_cases]
    for provider in ("automatic", "openssl"):
        protected = second_opinion.ours(program, provider, "protect", all_cases, [case["clear"] for case in all_cases])
        validated = second_opinion.ours(program, provider, "validate", all_cases, theirs)
        for case, out, back, sent in zip(all_cases, protected, validated, theirs):
            mine = [frame for _, _, frame in out]
            results = {"our frames are scapy's": mine == sent, "scapy opens ours": scapy_opens(case, mine) == case["clear"],
                       "we open scapy's": [(verdict, frame) for verdict, _, frame in back] == [("ok", frame) for frame in case["clear"]]}
            for name, good in results.items():
                checked += 1
                if not good:
                    failures += 1
                    print(f"{provider}: {second_opinion.describe(case)}: not so: {name}")
    print(f"{len(all_cases)} cases of {len(second_opinion.SIZES)} frames on two providers: {checked} checks, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
