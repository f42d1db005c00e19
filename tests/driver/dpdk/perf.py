#!/usr/bin/python3
"""Runs Debian's dpdk-test-crypto-perf, as it is, over crypto_linecrypt and holds it to its counts: every op that went in came out.

    perf.py KIND --libraries FOLDER... --devargs ARGS [--says WORDS]

KIND: aead (throughput, then its own check of every result against a vector), ipsec (throughput and latency), scheduler (AEAD
through crypto_scheduler, ours first and crypto_aesni_gcm behind it).
With --says, the driver must have said so: that the card was lost, for one.
"""
import argparse
import os
import sys
import tempfile

import dpdk_program

NAME = "crypto_linecrypt"
SIZES = [64, 300, 1420]


def arguments(options, *more):
    vdevs, used = [f"{NAME},{options.devargs}"], NAME
    if options.kind == "scheduler":
        used = "crypto_scheduler"
        vdevs += ["crypto_aesni_gcm", f"{used},worker={NAME},worker=crypto_aesni_gcm,mode=fail-over,ordering=enable"]
    return [dpdk_program.program("dpdk-test-crypto-perf"),
            *dpdk_program.eal_arguments(["librte_crypto_linecrypt.so"], vdevs, lcores="0,1"),
            "--", "--devtype", used, "--aead-algo", "aes-gcm", "--aead-iv-sz", "12", "--digest-sz", "16", "--csv-friendly",
            "--burst-sz", "32", *more]


def throughput(options, kind, operation, key, ops):
    """Problems found."""
    command = arguments(options, "--ptest", "throughput", "--optype", kind, "--aead-op", operation, "--aead-key-sz", str(key),
                        "--aead-aad-sz", "8", "--total-ops", str(ops), "--buffer-sz", ",".join(map(str, SIZES)))
    code, out, err = dpdk_program.run(command, options.libraries)
    rows = [line.split(",") for line in out.splitlines() if line.strip()[:1].isdigit()]
    found = {int(row[1]): (int(row[3]), int(row[4])) for row in rows}
    problems = []
    if code != 0:
        problems.append(f"code {code}")
    for size in SIZES:
        if found.get(size) != (ops, ops):
            problems.append(f"{size} bytes: enqueued and dequeued {found.get(size)}, expected {ops} of each")
    if options.says and options.says not in err:
        problems.append(f"the driver did not say '{options.says}'")
    print(f"{kind} {operation}, key {key}: " + "; ".join(f"{row[1]} B {row[8]} Gbit/s" for row in rows))
    return problems and [f"{kind} {operation} {key}: {p}" for p in problems] + [out[-1500:], err[-1500:]]


def latency(options):
    command = arguments(options, "--ptest", "latency", "--optype", "ipsec", "--aead-op", "encrypt", "--aead-key-sz", "16",
                        "--aead-aad-sz", "8", "--total-ops", "500", "--buffer-sz", "256")
    code, out, err = dpdk_program.run(command, options.libraries)
    rows = [line for line in out.splitlines() if line.strip()[:1].isdigit()]
    print(f"ipsec latency: {len(rows)} ops")
    return [] if code == 0 and len(rows) == 500 else [f"latency: code {code}, {len(rows)} ops", err[-1500:]]


def verify(options):
    """The tool compares each result with the vector; a wrong vector must not pass."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as missing:
        dpdk_program.skip(missing)
    key, iv, aad, text = bytes(range(16)), bytes(range(12)), bytes(range(20)), bytes(i % 251 for i in range(256))
    sealed = AESGCM(key).encrypt(iv, text, aad)
    problems = []
    for spoilt in (False, True):
        digest = bytearray(sealed[-16:])
        digest[0] ^= spoilt
        fields = {"plaintext": text, "aead_key": key, "aead_iv": iv, "aead_aad": aad, "ciphertext": sealed[:-16], "digest": digest}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "gcm.data")
            with open(path, "w") as file:
                file.write("[gcm]\n")
                for name, value in fields.items():
                    file.write(f"{name} =\n" + ", ".join(f"0x{byte:02x}" for byte in value) + "\n")
            command = arguments(options, "--ptest", "verify", "--optype", "aead", "--aead-op", "encrypt", "--aead-key-sz", "16",
                                "--aead-aad-sz", "20", "--total-ops", "2000", "--buffer-sz", "256", "--test-file", path, "--test-name", "gcm")
            code, out, err = dpdk_program.run(command, options.libraries)
        rows = [line.split(",") for line in out.splitlines() if line.strip()[:1].isdigit()]
        # lcore, size, burst, enqueued, dequeued, failed enqueue, failed dequeue, failed ops
        failed = int(rows[-1][-1]) if rows else None
        print(f"aead verify, {'spoilt' if spoilt else 'right'} vector: {failed} failed of {rows[-1][4] if rows else 'none'}")
        if code not in (0, 1) or failed is None or (failed == 0) is spoilt:
            problems += [f"verify, spoilt {spoilt}: code {code}, failed {failed}", out[-1500:], err[-1500:]]
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["aead", "ipsec", "scheduler"])
    parser.add_argument("--libraries", nargs="+", required=True)
    parser.add_argument("--devargs", required=True)
    parser.add_argument("--says")
    parser.add_argument("--ops", type=int, default=20000)
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        dpdk_program.skip("dpdk-test-crypto-perf needs two CPUs")
    problems = []
    if options.kind == "aead":
        for key in (16, 24, 32):
            problems += throughput(options, "aead", "encrypt", key, options.ops) or []
        problems += verify(options)
    elif options.kind == "scheduler":
        problems += throughput(options, "aead", "encrypt", 16, options.ops) or []
        problems += verify(options)
    else:
        # The tool has no ESP to decrypt: what it sends in with --aead-op decrypt is no ESP packet at all.
        problems += throughput(options, "ipsec", "encrypt", 16, options.ops) or []
        if not options.says:
            problems += throughput(options, "ipsec", "encrypt", 32, options.ops) or []
            problems += latency(options)
    for problem in problems:
        print(f"FAILED: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
