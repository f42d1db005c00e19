#!/usr/bin/python3
"""Searches core dumps of working gateways, and everything they wrote and answered, for their keys (key_search.py says which
and in which forms).

    tools/lab-shell /usr/bin/python3 tests/tools/secrets/core_test.py --programs build/dev/tools --shim .../libdumpable_shim.so \
        --find-bytes .../find_bytes
    build/dev/emulated_card/run tools/lab-shell ... --offload card --bitstream build/dev/bitstreams/linecrypt-emulated-both.xclbin

Cores of gateway A: under load gdb's gcore, as root, and the kernel's own behind SIGABRT, with what linecryptd does against it
(limit 0, not dumpable) taken back by a shim: only marked pages stay out. With a card one more at rest. Without the shim SIGABRT
must leave no core at all.

Memory of a core holds nothing. A core holds the registers of every thread as well (cores.py), and these hold nothing either,
with one exception each, for what enciphers at that very moment; no process can help that, and it is why linecryptd leaves no
core by itself:

- with the emulated card, the thread `lc-fabric`, while it does not wait in poll(): it stands in for the fabric, and on a real
  card there is no such thread. While it waits in poll() it holds nothing, as the core at rest shows;
- without a card, a worker (`lc-worker`) that is in no system call. One that sleeps, sends or waits for frames holds nothing.
With --offload card or auto no thread of the host has an exception: the workers, the control thread, the transfer threads.

Gateway B has one round key planted in ordinary memory, and another in a vector register of a thread of its own (`lc-plant`)
and nowhere else: its core must show these two and nothing more, or the search sees nothing.

With a card its fabric and memory are in the gateway's process too: that is the emulation's, and stays out by the same mark.
"""
import argparse
import base64
import os
import re
import signal
import sys
import time

import cores
import key_search

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tools", "demo"))
import gateways  # noqa: E402
from lab import Lab, LabError, wait_until  # noqa: E402

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

# In ordinary memory, and in a register of a thread that has nothing to do with the gateway.
PLANTED = "esp b round key 9"
PLANTED_REGISTER = "sak round key 7"
PLANT_THREAD = "lc-plant"

FABRIC, WORKER = "lc-fabric", "lc-worker"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def excepted(thread, offload):
    """Why a thread may hold key material in its registers, or None: the docstring above."""
    if offload == "software":
        return "a worker at work" if thread.name == WORKER and thread.syscall is None else None
    return "the emulated fabric at work" if thread.name == FABRIC and thread.syscall not in cores.POLLS else None


class Findings:
    """What a search of cores found: `bad` (texts), and what was excepted, with its reason."""

    def __init__(self, search, wanted, offload):
        self.search, self.halves, self.offload = search, key_search.halves(wanted), offload
        self.bad, self.excepted, self.where = set(), {}, []

    def look(self, core):
        for _, name, offset in self.search.files(core.path):
            in_notes, thread = core.owner(offset)
            if not in_notes:
                self.bad.add(f"{name} in memory of {core.name}")
                self.where.append(f"{name} in memory of {core.name}: at {core.address(offset)}")
            elif thread is None:
                self.bad.add(f"{name} in a note of {core.name} that holds no registers")
            else:
                self._register(core, name, thread)
        for name, thread in core.halves(self.halves):
            self._register(core, name, thread)

    def _register(self, core, name, thread):
        reason = excepted(thread, self.offload)
        if reason is None:
            self.bad.add(f"{name} in registers of {thread} in {core.name}")
        else:
            self.excepted.setdefault(f"{core.name}: {reason}: {thread}", set()).add(name)


def gcore(lab, gateway, what):
    """gdb's core of a gateway; ends the test as skipped where none can be taken."""
    pid = gateway.program.process.pid
    names = cores.names_of(pid)
    code, said = lab.run(None, "gcore", "-o", lab.path("cores", gateway.host), str(pid), check=False)
    taken = lab.path("cores", f"{gateway.host}.{pid}")
    path = lab.path("cores", f"{gateway.host}-{what}")
    if code != 0 or not os.path.exists(taken):
        if "not found" in said or re.search("ptrace.*not permitted", said):
            print(f"skipped: no core can be taken here: {said[-300:]}")
            sys.exit(77)
        raise LabError(f"gcore: {said[-800:]}")
    os.rename(taken, path)
    return cores.Core(path, names)


def gcore_at_rest(lab, gateway):
    """A core in which the fabric waits. The process is stopped before one looks: what was seen then is still so in the core."""
    pid = gateway.program.process.pid
    fabric = [tid for tid, name in cores.names_of(pid).items() if name == FABRIC]
    if len(fabric) != 1:
        raise LabError(f"{len(fabric)} threads are named {FABRIC}, not 1: nothing could be excepted by that name")

    def stopped_at_rest():
        if cores.syscall_of(pid, fabric[0]) not in cores.POLLS:
            return False
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: re.search(r"^State:\s+T", read(f"/proc/{pid}/status").decode(), re.M), 10, "a stopped gateway")
        if cores.syscall_of(pid, fabric[0]) in cores.POLLS:
            return True
        os.kill(pid, signal.SIGCONT)
        return False
    wait_until(stopped_at_rest, 60, "a fabric at rest")
    try:
        core = gcore(lab, gateway, "at-rest")
    finally:
        os.kill(pid, signal.SIGCONT)
    thread = next(one for one in core.threads if one.tid == fabric[0])
    if thread.syscall not in cores.POLLS:
        raise LabError(f"{core.name}: {thread}: it was at rest when the process was stopped")
    return core


def kernel_core_name():
    """Whether the kernel puts cores into the directory of the process: elsewhere we do not look for them."""
    pattern = read("/proc/sys/kernel/core_pattern").decode().strip()
    return bool(re.fullmatch(r"core[.%a-z]*", pattern))


def start(lab, gateway, folder, shim, plant=None):
    """With the shim, without a limit of cores, in a folder of its own. `plant`: files for ordinary memory and for a register."""
    environment = [f"LD_PRELOAD={shim}"] + ([f"LINECRYPT_PLANT={plant[0]}", f"LINECRYPT_PLANT_REGISTER={plant[1]}"] if plant else [])
    gateway.program = lab.start(gateway.host, f"{gateway.host}/linecryptd", "prlimit", "--core=unlimited", "env", "-C", folder, *environment,
                                gateway.daemon, "--config", gateway.config)


def end_by_abort(gateway, folder):
    """The kernel's core in `folder`, or none."""
    names = cores.names_of(gateway.program.process.pid)
    gateway.program.process.send_signal(signal.SIGABRT)
    gateway.program.process.wait(60)
    left = [name for name in os.listdir(folder) if name.startswith("core")]
    return cores.Core(os.path.join(folder, left[0]), names) if left else None


def require_gateway(core, gateway, offload):
    data = read(core.path)
    if gateway.host.encode() not in data:
        raise LabError(f"{core.path}, {len(data)} bytes, does not hold the name of {gateway.host}: not a dump of it")
    # The exceptions go by these names.
    for name in (WORKER,) if offload == "software" else (WORKER, FABRIC):
        if not any(thread.name == name for thread in core.threads):
            raise LabError(f"{core.path}: no thread is named {name}: {', '.join(map(str, core.threads))}")


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
        wanted = key_search.needles(keys)
        search = key_search.Search(os.path.abspath(options.find_bytes), wanted)
        os.makedirs(lab.path("cores"))
        folders = {side: lab.path("cores", side) for side in pair}
        for folder in folders.values():
            os.makedirs(folder)
        plant = [lab.path("cores", "planted"), lab.path("cores", "planted-register")]
        for path, what in zip(plant, (wanted[PLANTED][::-1] + b" in the heap", wanted[PLANTED_REGISTER])):
            with open(path, "wb") as file:
                file.write(what)
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
        # SAs are installed and used, and the fabric has worked off the packets.
        taken = [gcore_at_rest(lab, gateway)] if options.bitstream else []
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
        taken += [gcore(lab, gateway, f"{number}") for number in range(3 if os.environ.get("LINECRYPT_LONG") else 1)]
        planted = gcore(lab, pair["b"], "planted")
        # The kernel's own.
        by_kernel = None
        if kernel_core_name():
            by_kernel = end_by_abort(gateway, folders["a"])
            if by_kernel is None:
                raise LabError("SIGABRT left no core although nothing forbade it: the kernel's form shows nothing")
            taken.append(by_kernel)
            outputs.append(gateway.program.log())
            # And as it is without the shim: none.
            gateway.program = lab.start(gateway.host, f"{gateway.host}/linecryptd-2", "env", "-C", lab.path("gw-a"), gateway.daemon, "--config",
                                        gateway.config)
            gateway.wait_ready(60)
            left = end_by_abort(gateway, lab.path("gw-a"))
            if left is not None:
                raise LabError(f"linecryptd left a core: {left.path}")
        else:
            gateway.program.stop()
        pair["b"].program.stop()
        for one in pair.values():
            outputs.append(one.program.log())

        scratch = lab.path("cores", "searched")
        for secret in (bytes.fromhex(keys.sak), base64.b64encode(bytes.fromhex(keys.esp["a"])), keys.esp["b"].upper().encode()):
            if not search.text(scratch, b"before " + secret + b" behind"):
                raise LabError("the search does not find a key that is there")
        found = Findings(search, wanted, options.offload)
        for core in taken:
            require_gateway(core, gateway, options.offload)
            found.look(core)
        require_gateway(planted, pair["b"], options.offload)
        found_planted = Findings(search, wanted, options.offload)
        found_planted.look(planted)
        expected = {f"{PLANTED} (raw) in memory of {planted.name}"}
        for thread in planted.threads:
            if thread.name == PLANT_THREAD:
                expected |= {f"{what}{PLANTED_REGISTER}{form} in registers of {thread} in {planted.name}"
                             for what, form in (("", " (raw)"), ("half of ", ""))}
        if len(expected) != 3 or not expected <= found_planted.bad:
            raise LabError(f"of {sorted(expected)}, planted in gateway B, the search sees {sorted(found_planted.bad & expected)}")
        hits = sorted(found.bad | found_planted.bad - expected)
        hits += search.text(scratch, "\n".join(outputs).encode())
        paths = [os.path.join(folder, name) for folder, _, names in os.walk(lab.folder) for name in names
                 if os.path.basename(folder) != "keys" and not folder.startswith(lab.path("cores"))]
        hits += [f"{hit} in {path}" for path, hit, _ in search.files(*(path for path in paths if os.path.isfile(path)))]
        for where, names in sorted((found.excepted | found_planted.excepted).items()):
            print(f"excepted: {where}: {len(names)}: {', '.join(sorted(names)[:4])}")
        if hits:
            for where in found.where + found_planted.where:
                print(where)
            raise LabError(f"{len(hits)} pieces of key material found: {'; '.join(hits[:12])}")
        size = sum(os.path.getsize(core.path) for core in taken)
        kernels = "one of them the kernel's" if by_kernel else "none of them the kernel's: core_pattern leads elsewhere"
        print(f"{len(taken)} cores ({kernels}) of {size / 1e6:.0f} MB and {sum(len(core.threads) for core in taken)} threads in all, {len(outputs)} "
              f"outputs, logs and state: none of {search.secrets} secrets in {search.forms} forms; the planted two were found; excepted: "
              f"registers of {len(found.excepted)} threads at work")


if __name__ == "__main__":
    try:
        main()
    except (LabError, cores.BadCore) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
