#!/usr/bin/env python3
"""Cycles a message of AES-GCM on a CPU that is not at hand, as llvm-mca models it: ours on 256 bits of VAES beside IPsec-MB's code
for CPUs without AVX-512. By hand; needs Debian's llvm-14 and binutils.

    model.py build/release/tests/aead_trace                    the table, for Zen 3
    model.py build/release/tests/aead_trace --cpu alderlake    for another CPU that llvm-mca knows
    model.py build/dev/tests/aead_trace --check                only that the traces are whole (CTest)

The instructions are those that were executed, traced one by one here (where VAES is missing, emulated as they trap). The model knows
ports, latencies and the depth of the reorder buffer. It takes every load for a hit in the first cache and every branch for foretold, so
it is a guess at the best case and no measurement.
"""
import argparse
import re
import shutil
import subprocess
import sys
import tempfile

OURS = "vaes 256"
PEER = "avx2"
MESSAGES = 4
TURNS = 8  # of the burst, so that what comes first and last weighs little
SIZES = [64, 128, 256, 512, 1024, 1420]
CHECKED_SIZE = 400
WIDE = re.compile(r"(vaesenc|vpclmul\w+qdq).*%ymm")


class Program:
    """What objdump says of the program: by address, the instruction and its function."""

    def __init__(self, path):
        self.path = path
        self.instructions = {}
        self.next = {}  # by address, the one behind it
        function = ""
        before = None
        text = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", path], check=True, capture_output=True, text=True).stdout
        for line in text.splitlines():
            if head := re.match(r"[0-9a-f]+ <(.*)>:$", line):
                function = head.group(1)
            elif found := re.match(r"\s+([0-9a-f]+):\s+(.*)$", line):
                address = int(found.group(1), 16)
                self.instructions[address] = (found.group(2).strip(), function)
                self.next[before] = address
                before = address

    def trace(self, code, direction, key, size):
        """The instructions of the code itself: without the emulation, and without what calls it."""
        done = subprocess.run([self.path, code, direction, str(key), str(size), str(MESSAGES)], check=False, capture_output=True, text=True)
        if done.returncode == 77:
            print(f"skipped: {done.stderr.strip()}")
            sys.exit(77)
        if done.returncode != 0:
            raise SystemExit(f"model: the trace ended with {done.returncode}: {done.stderr.strip()}")
        executed = []
        before = None
        for address in (int(line, 16) for line in done.stdout.split()):
            _, function = self.instructions.get(address, ("", ""))
            own = "software::vaes::" in function and "linecrypt::test" not in function
            if not (own if code == OURS else (function and "linecrypt" not in function and "Burst" not in function)):
                continue
            executed += self.emulated_between(before, address)
            executed.append(self.instructions[address][0])
            before = address
        return executed

    def emulated_between(self, before, address):
        """The emulation goes on while the next instruction is one that traps: these were executed without a step of their own."""
        missing = []
        if before is None or not WIDE.match(self.instructions[before][0]):
            return missing
        while (before := self.next[before]) != address:
            instruction = self.instructions[before][0]
            if not WIDE.match(instruction):
                raise SystemExit(f"model: the trace misses '{instruction}'")
            missing.append(instruction)
        return missing


def for_model(instruction):
    """As llvm-mca reads it: no labels; jumps go nowhere, since the trace is the way that was taken. None: nothing that costs."""
    if re.match(r"(call|ret|nop|endbr|data16|cs nop|bnd|xchg|leave)", instruction) or "%fs:" in instruction:
        return None
    instruction = re.sub(r"\s*(#|<).*$", "", instruction)
    if jump := re.match(r"(j\w+)\s", instruction):
        return f"{jump.group(1)} 1f"
    return instruction


def cycles(trace, cpu):
    lines = [line for line in map(for_model, trace) if line]
    with tempfile.NamedTemporaryFile("w", suffix=".s") as source:
        source.write("\n".join(lines) + "\n1:\n")
        source.flush()
        done = subprocess.run(["llvm-mca-14", f"-mcpu={cpu}", f"-iterations={TURNS}", "-all-views=false", "-summary-view", source.name],
                              check=False, capture_output=True, text=True)
    total = re.search(r"Total Cycles:\s+(\d+)", done.stdout)
    if not total:
        raise SystemExit(f"model: llvm-mca-14 for {cpu} failed: {done.stderr.strip()[:500]}")
    return int(total.group(1)) / TURNS / MESSAGES


def check(program):
    """AES rounds in the traces, of which none may be missing: ten a block, or a vector, of the text and E(K, Y0)."""
    blocks = (CHECKED_SIZE + 15) // 16 + 1
    for code, blocks_each in ((OURS, 2), (PEER, 1)):
        for direction in ("seal", "open"):
            trace = program.trace(code, direction, 16, CHECKED_SIZE)
            rounds = sum(instruction.startswith(("vaesenc", "aesenc")) for instruction in trace)
            least = blocks // blocks_each * 10 * MESSAGES
            if not least <= rounds <= least + 100 * MESSAGES:
                raise SystemExit(f"model: {code}, {direction}: {rounds} AES rounds traced, {least} or little more expected")
            print(f"{code}, {direction}: {len(trace) / MESSAGES:.0f} instructions a message, {rounds / MESSAGES:.0f} of them AES rounds")
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--cpu", default="znver3")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    program = Program(options.program)
    if options.check:
        return check(program)
    if not shutil.which("llvm-mca-14"):
        print("skipped: llvm-mca-14 is not installed (Debian's llvm-14)")
        return 77
    print(f"Modelled by llvm-mca 14 for {options.cpu}, not measured. Cycles a message, bursts of {MESSAGES}.\n")
    print(f"{'':>11}  {'size':>5}  {'ours':>6}  {'IPsec-MB':>8}  ratio")
    for key in (16, 32):
        for direction in ("seal", "open"):
            for size in SIZES:
                ours, peer = (cycles(program.trace(code, direction, key, size), options.cpu) for code in (OURS, PEER))
                print(f"AES-{8 * key} {direction}  {size:>5}  {ours:>6.0f}  {peer:>8.0f}  {peer / ours:>5.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
