#!/usr/bin/env python3
"""Checks the machine code of the AES-GCM bodies: what leaves a vector register decides no branch and forms no address.

  disassembly_check.py body_128.cpp.o body_256.cpp.o body_512.cpp.o      (names tell the width)
  disassembly_check.py --self-test                                       (code with each fault must be refused)

Every vector register counts as secret. In each function what flows from one into a general register, a spilled slot or the flags
is followed along all paths:
  - no conditional jump on flags made of it, no address with it as base or index, no gather, no division, no count of rep;
  - setcc and cmov on it are allowed: the verdict of a tag is one setcc;
  - every function of the object belongs to its own width: a function that the linker could share would run the wrong instructions;
  - registers are cleared at the end of a burst, and no stack frame is larger than what is overwritten behind it;
  - the loop of long messages, and a bundle, have at most the stated number of instructions (a guard against a compiler or a change
    that spills or does not unroll).
What it cannot see: bytes of text that are loaded into general registers at once (pieces under 16 bytes, key words in expansion). That
is the same source in every width, and memcheck follows it in the 128-bit body (secret_flow/main.cpp).
"""
import os
import re
import subprocess
import sys

VECTOR = re.compile(r"%[xyz]mm\d+")
REGISTERS = {}
for _names in ("rax eax ax al ah", "rbx ebx bx bl bh", "rcx ecx cx cl ch", "rdx edx dx dl dh", "rsi esi si sil", "rdi edi di dil",
               "rbp ebp bp bpl", "rsp esp sp spl"):
    for _name in _names.split():
        REGISTERS[_name] = _names.split()[0]
for _n in range(8, 16):
    for _suffix in ("", "d", "w", "b"):
        REGISTERS[f"r{_n}{_suffix}"] = f"r{_n}"
TOUCHES_NO_FLAGS = ("mov", "lea", "nop", "push", "pop", "set", "cmov", "not", "vmov", "bswap", "endbr", "rorx", "shlx", "shrx", "sarx", "xchg", "cltq", "cltd")
# Bytes a vector, and the most instructions: of the loop of long messages (seal, open), of the largest bundle (both).
LIMITS = {"128": (16, {"true": 300, "false": 300}, 2200), "256": (32, {"true": 175, "false": 175}, 2700), "512": (64, {"true": 170, "false": 170}, 2600)}

LARGEST_FRAME = 1536


class Instruction:
    def __init__(self, address, text):
        self.address = address
        text = re.sub(r"\s*[#<].*$", "", text.strip())
        text = re.sub(r"^(notrack|bnd|data16|cs)\s+", "", text)
        parts = text.split(None, 1)
        self.name = parts[0]
        if self.name.startswith("rep"):
            self.name = text
            self.operands = ["%rcx"]
            return
        self.operands = re.findall(r"(?:[^,(]|\([^)]*\))+", parts[1]) if len(parts) > 1 else []
        self.operands = [re.sub(r"\{.*?\}", "", o).strip() for o in self.operands]

    def is_jump(self):
        return self.name.startswith("j")

    def target(self):
        match = re.match(r"^([0-9a-f]+)$", self.operands[0]) if self.operands else None
        return int(match.group(1), 16) if match else None

    def __str__(self):
        return f"{self.address:x}: {self.name} {', '.join(self.operands)}"


def registers_in(operand):
    return [REGISTERS[name] for name in re.findall(r"%(\w+)", operand) if name in REGISTERS]


def is_memory(operand):
    return "(" in operand


def slot(operand):
    """A place on the stack, by its text: the compiler spills and reloads by the same one."""
    return operand if re.match(r"^-?(0x[0-9a-f]+)?\(%r[sb]p\)$", operand) else None


def functions_of(path):
    text = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", path], check=True, capture_output=True, text=True).stdout
    found = {}
    body = None
    for line in text.splitlines():
        header = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        if header:
            body = found.setdefault(header.group(1), [])
            continue
        code = re.match(r"^\s*([0-9a-f]+):\s+(\S.*)$", line)
        if code and body is not None:
            body.append(Instruction(int(code.group(1), 16), code.group(2)))
    return found


def successors(code):
    """Index -> indexes that may follow."""
    index_of = {instruction.address: i for i, instruction in enumerate(code)}
    following = []
    for i, instruction in enumerate(code):
        after = []
        if instruction.is_jump():
            target = index_of.get(instruction.target())
            if target is not None:
                after.append(target)
        if not instruction.name.startswith(("jmp", "ret")) and i + 1 < len(code):
            after.append(i + 1)
        following.append(after)
    return following


def step(instruction, secret, report):
    """`secret` (registers, slots, "flags") before the instruction -> after it. Faults go to report(text)."""
    name, operands = instruction.name, instruction.operands
    after = set(secret)
    for operand in operands:
        if is_memory(operand):
            if VECTOR.search(operand[operand.index("("):]):
                report("a vector register in an address")
            if any(register in secret for register in registers_in(operand[operand.index("("):])) and not name.startswith(("lea", "nop")):
                report("an address from a vector register's value")
    if name.startswith("rep") and secret & {"rcx", "rsi", "rdi"}:
        report("rep with a count or an address from a vector register's value")
    if name.startswith(("div", "idiv")) and any(r in secret for o in operands for r in registers_in(o)):
        report("a division of a vector register's value")
    if instruction.is_jump():
        if not name.startswith("jmp") and "flags" in secret:
            report("a conditional jump on a vector register's value")
        if name.startswith("jmp") and any(r in secret for o in operands for r in registers_in(o)):
            report("a jump to a vector register's value")
        return after
    if name.startswith("call"):
        return after - {"rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "flags"}
    if not operands or name.startswith(("ret", "nop", "endbr")):
        return after
    destination = operands[-1]
    sources = operands[:-1]
    tests_vectors = name.startswith(("vptest", "vtest", "ptest", "kortest", "ktest", "vcomis", "vucomis", "comis", "ucomis"))
    reads_vector = any(VECTOR.search(o) or re.match(r"^%k\d", o) for o in sources)

    def dirty(operand):
        if is_memory(operand):
            return slot(operand) in secret
        return any(register in secret for register in registers_in(operand))

    # xor and sub of a register with itself are zero whatever it held.
    if re.match(r"^(xor|sub)", name) and len(operands) == 2 and operands[0] == operands[1] and not VECTOR.search(destination):
        return after - set(registers_in(destination)) - {"flags"}
    tainted = any(dirty(o) for o in sources) or (reads_vector and not VECTOR.search(destination) and not is_memory(destination))
    only_reads = name.startswith(("cmp", "test")) or tests_vectors
    keeps = name.startswith(("mov", "lea", "vmov", "set", "vpextr", "vpmovmsk", "vmovmsk", "kmov", "pop")) and not name.startswith("cmov")
    if name.startswith(("set", "cmov")) and "flags" in secret:
        tainted = True
    if not keeps and not VECTOR.search(destination):
        tainted = tainted or dirty(destination)
    if name.startswith("lea"):
        tainted = any(r in secret for o in sources for r in registers_in(o))
    if not name.startswith(TOUCHES_NO_FLAGS) and not name.startswith(("v", "k")) or tests_vectors:
        after.discard("flags")
        if tests_vectors or tainted:
            after.add("flags")
    if only_reads:
        return after
    places = [slot(destination)] if is_memory(destination) else registers_in(destination)
    for place in places:
        if place is None:
            continue
        after.discard(place)
        if tainted:
            after.add(place)
    return after


def faults_of(code):
    following = successors(code)
    state = [None] * len(code)
    state[0] = frozenset()
    pending = [0]
    while pending:
        i = pending.pop()
        after = frozenset(step(code[i], state[i], lambda text: None))
        for j in following[i]:
            merged = after if state[j] is None else state[j] | after
            if merged != state[j]:
                state[j] = merged
                pending.append(j)
    faults = []
    for i, instruction in enumerate(code):
        if re.match(r"^vp?gather|^vp?scatter", instruction.name):
            faults.append(f"{instruction}: gather or scatter")
        if state[i] is not None:
            step(instruction, state[i], lambda text, at=instruction: faults.append(f"{at}: {text}"))
    return faults


def loop_of(code, wide):
    """The natural loop with most wide AES rounds: its number of instructions and rounds. Back edges by address; what reaches the
    back edge without passing the head is the loop."""
    following = successors(code)
    before = [[] for _ in code]
    for i, after in enumerate(following):
        for j in after:
            before[j].append(i)
    best = (0, 0)
    for tail, after in enumerate(following):
        for head in after:
            if head > tail:
                continue
            inside, pending = {head, tail}, [tail] if tail != head else []
            while pending:
                for j in before[pending.pop()]:
                    if j not in inside:
                        inside.add(j)
                        pending.append(j)
            # A jump back that is no loop (code placed out of line) would reach the function's first instruction.
            if 0 in inside and head != 0:
                continue
            rounds = sum(1 for i in inside if re.match(r"^vaesenc$", code[i].name) and wide in code[i].operands[-1])
            if rounds > best[1]:
                best = (len(inside), rounds)
    return best


def check(path):
    width = re.search(r"body_(\d+)", os.path.basename(path)).group(1)
    bytes_each, loop_limits, bundle_limit = LIMITS[width]
    wide = {"128": "%xmm", "256": "%ymm", "512": "%zmm"}[width]
    functions = functions_of(path)
    errors = []
    rounds = verdicts = 0
    for name, code in functions.items():
        if f"Vector{width}" not in name:
            errors.append(f"{name}: not of this width alone; the linker may take another width's copy")
        errors += [f"{name}: {fault}" for fault in faults_of(code)]
        rounds += sum(1 for i in code if i.name == "vaesenc" and wide in i.operands[-1])
        verdicts += sum(1 for i in code if i.name.startswith("vptest"))
        stream = re.search(r"stream_message<.*, (true|false)>", name)
        if stream:
            instructions, rounds_inside = loop_of(code, wide)
            stride = {"128": 8, "256": 4, "512": 4}[width]
            print(f"body_{width}: loop of {'seal' if stream.group(1) == 'true' else 'open'}: {instructions} instructions"
                  f" for {stride * bytes_each} bytes, {rounds_inside} vaesenc")
            if rounds_inside < 9 * stride:
                errors.append(f"{name}: no loop with the {9 * stride} rounds of a stride was found ({rounds_inside})")
            if instructions > loop_limits[stream.group(1)]:
                errors.append(f"{name}: {instructions} instructions a stride, allowed: {loop_limits[stream.group(1)]}")
        frames = [int(i.operands[0][1:], 16) for i in code if i.name == "sub" and i.operands[-1:] == ["%rsp"] and i.operands[0].startswith("$0x")]
        if max(frames, default=0) > LARGEST_FRAME:
            errors.append(f"{name}: {max(frames)} bytes of stack, allowed: {LARGEST_FRAME} (provider.cpp clears 2048 behind a burst)")
        if re.search(r"\b(burst|expand)<", name) and not any(i.name == "vzeroall" for i in code):
            errors.append(f"{name}: leaves vector registers as they are")
        if re.search(r"\bbundle<", name) and len(code) > bundle_limit:
            errors.append(f"{name}: {len(code)} instructions, allowed: {bundle_limit}")
    if rounds == 0 or verdicts == 0:
        errors.append(f"{path}: {rounds} rounds of AES on {wide} and {verdicts} compares of a tag were found: is it the right object?")
    return errors, sum(len(code) for code in functions.values())


SELF_TEST = {
    "a branch on a tag": ["vptest %ymm0,%ymm0", "jne 0", "ret"],
    "a branch on a spilled byte": ["vmovq %xmm0,%rax", "mov %rax,0x8(%rsp)", "mov 0x8(%rsp),%rcx", "test %cl,%cl", "je 0", "ret"],
    "a table": ["vpextrq $0x1,%xmm3,%rdx", "shr $0x38,%rdx", "mov (%rdi,%rdx,4),%eax", "ret"],
    "a mask": ["vpmovmskb %ymm1,%eax", "cmp $0xffff,%eax", "jne 0", "ret"],
    "a flag kept": ["vptest %ymm0,%ymm0", "sete %al", "movzbl %al,%eax", "test %eax,%eax", "jne 0", "ret"],
    "a gather": ["vpgatherdd %ymm1,(%rdi,%ymm2,4),%ymm0", "ret"],
}
CLEAN = {
    "the verdict of a tag": ["vptest %ymm0,%ymm0", "sete 0x14(%rdi)", "cmp %rsi,%rcx", "jne 0", "ret"],
    "a byte stored": ["vmovq %xmm0,%rax", "mov %al,(%rdi)", "xor %eax,%eax", "test %rsi,%rsi", "je 0", "ret"],
}


def self_test():
    wrong = []
    for name, lines in list(SELF_TEST.items()) + list(CLEAN.items()):
        faults = faults_of([Instruction(i, line) for i, line in enumerate(lines)])
        if bool(faults) != (name in SELF_TEST):
            wrong.append(f"self-test: {name}: {faults or 'nothing found'}")
    return wrong


def main():
    errors = self_test()
    total = 0
    for path in sys.argv[1:]:
        if path == "--self-test":
            continue
        found, instructions = check(path)
        errors += found
        total += instructions
    for error in errors:
        print(error)
    print(f"disassembly_check: {total} instructions, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
