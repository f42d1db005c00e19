"""ELF64 cores of x86-64: where memory is, and which registers belong to which thread.

A core holds the registers of every thread in its notes. Their order is the kernel's and gdb's alike: NT_PRSTATUS names a
thread, and the register notes behind it, up to the next NT_PRSTATUS, are that thread's.
"""
import os
import struct

PT_LOAD, PT_NOTE = 1, 4
NT_PRSTATUS, NT_FPREGSET, NT_X86_XSTATE = 1, 2, 0x202
NT_FILE = 0x46494C45
REGISTER_NOTES = (NT_PRSTATUS, NT_FPREGSET, NT_X86_XSTATE)
# elf_prstatus: pid, and the general registers as struct user_regs_struct has them.
PID_AT, REGISTERS_AT, REGISTER_COUNT = 32, 112, 27
ORIG_RAX, RIP = 15, 16
# poll, restart_syscall (a poll with a timeout goes on as that) and ppoll.
POLLS = (7, 219, 271)


class BadCore(Exception):
    pass


class Thread:
    """`name` is the thread's comm as /proc had it; `syscall` the number of the system call it waits in, or None where it runs."""

    def __init__(self, tid, name, syscall, at):
        self.tid, self.name, self.syscall, self.at = tid, name, syscall, at
        self.registers = []  # (begin, end) in the file

    def __str__(self):
        doing = f"runs in {self.at}" if self.syscall is None else f"waits in system call {self.syscall}"
        return f"thread {self.tid} ({self.name}), which {doing}"


class Core:
    """`names`: thread id to comm, from names_of() when the core was taken."""

    def __init__(self, path, names):
        self.path = path
        self.threads = []
        self.notes = []  # (begin, end, Thread or None where the note is of no thread's registers)
        self.loads = []  # (begin, end, address) of memory
        with open(path, "rb") as file:
            for begin, length in self._note_segments(file):
                file.seek(begin)
                self._take(file.read(length), begin, names)
        if not self.threads:
            raise BadCore(f"{path}: a core without threads")
        for thread in self.threads:
            kinds = {kind for kind, _ in thread.registers}
            if not {NT_PRSTATUS, NT_FPREGSET} <= kinds:
                raise BadCore(f"{path}: {thread}: no general or no vector registers")

    @property
    def name(self):
        return os.path.basename(self.path)

    def _note_segments(self, file):
        header = file.read(64)
        if header[:6] != b"\x7fELF\x02\x01":
            raise BadCore(f"{self.path}: no little-endian ELF64 file")
        at, = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        if count == 0xFFFF:
            raise BadCore(f"{self.path}: more segments than this reads")
        file.seek(at)
        table = file.read(size * count)
        found = []
        for entry in range(0, len(table), size):
            kind, = struct.unpack_from("<I", table, entry)
            offset, address, length = (struct.unpack_from("<Q", table, entry + field)[0] for field in (8, 16, 32))
            if kind == PT_NOTE:
                found.append((offset, length))
            elif kind == PT_LOAD:
                self.loads.append((offset, offset + length, address))
        if not found:
            raise BadCore(f"{self.path}: a core without notes")
        return found

    def _take(self, data, base, names):
        threads, files, at = [], [], 0
        while at + 12 <= len(data):
            name_size, size, kind = struct.unpack_from("<III", data, at)
            begin = at + 12 + (name_size + 3) // 4 * 4
            at = begin + (size + 3) // 4 * 4
            if kind == NT_FILE:
                files = list(self._files(data[begin:begin + size]))
            if kind == NT_PRSTATUS:
                tid, = struct.unpack_from("<i", data, begin + PID_AT)
                registers = struct.unpack_from(f"<{REGISTER_COUNT}q", data, begin + REGISTERS_AT)
                syscall = registers[ORIG_RAX] if registers[ORIG_RAX] >= 0 else None
                threads.append((Thread(tid, names.get(tid, "not there when the core was asked for"), syscall, "unknown"), registers[RIP]))
            own = kind in REGISTER_NOTES and threads
            if own:
                threads[-1][0].registers.append((kind, (base + begin, base + begin + size)))
            self.notes.append((base + begin, base + begin + size, threads[-1][0] if own else None))
        for thread, rip in threads:
            thread.at = next((f"{os.path.basename(path)}+{rip - low + offset:#x}" for low, high, offset, path in files if low <= rip < high), hex(rip))
            self.threads.append(thread)

    @staticmethod
    def _files(note):
        """(first address, last, offset in the file, path) of what is mapped."""
        count, page = struct.unpack_from("<QQ", note)
        paths = note[16 + 24 * count:].split(b"\0")
        for i in range(count):
            low, high, offset = struct.unpack_from("<QQQ", note, 16 + 24 * i)
            yield low, high, offset * page, paths[i].decode(errors="replace")

    def owner(self, offset):
        """(in a note, the thread whose register it is or None) for a place in the file."""
        for begin, end, thread in self.notes:
            if begin <= offset < end:
                return True, thread
        return False, None

    def address(self, offset):
        """Of a place in the file: the address that it had, and where its mapping begins, for whoever looks for the cause."""
        for begin, end, address in self.loads:
            if begin <= offset < end:
                return f"{address + offset - begin:#x}, in the {end - begin:#x} bytes from {address:#x}"
        return "no address"

    def halves(self, wanted):
        """Registers of 8 bytes hold half a block: (name, Thread) for each of `wanted` (8 bytes to name) that stands in one, or
        in a half of a vector register."""
        with open(self.path, "rb") as file:
            for thread in self.threads:
                for _, (begin, end) in thread.registers:
                    file.seek(begin)
                    note = file.read(end - begin)
                    for at in range(0, len(note) - 7, 8):
                        name = wanted.get(note[at:at + 8])
                        if name:
                            yield name, thread


def names_of(pid):
    """Thread id to comm, of a process that lives."""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8", errors="replace") as file:
                found[int(task)] = file.read().strip()
        except OSError:  # it has ended meanwhile
            continue
    return found


def syscall_of(pid, tid):
    """The number of the system call that a thread waits in, or None."""
    with open(f"/proc/{pid}/task/{tid}/syscall", encoding="ascii") as file:
        first = file.read().split()[0]
    return int(first) if first.lstrip("-").isdigit() and int(first) >= 0 else None
