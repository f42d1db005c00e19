#!/usr/bin/env python3
"""Holds the kernels to what HLS compilers take.

1. Their text: no std:: but fixed-width integers, no heap, virtual, exceptions, pragmas or conditional compilation.
2. They compile as C++14 with g++ and clang, and in their Vitis form (syntax only, a stand-in for hls_stream.h).
3. The processes give the same results with both compilers.

With --ap-int FOLDER only this: the same results with our ap_int.h and with the vendor's, which that folder has. An empty
FOLDER is a test that is skipped.

LINECRYPT_LONG=1 also compiles each header alone, and the processes with an optimiser.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIRMWARE = ROOT / "firmware_hls"
HERE = pathlib.Path(__file__).resolve().parent
LONG = os.environ.get("LINECRYPT_LONG") == "1"
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
# clang's -Wconversion has more in it than g++'s.
OWN_WARNINGS = {"g++": [], "clang++-14": ["-Wno-sign-conversion"]}
# What only a host compiler sees: the clocked models, the stand-in, the card's model, the host's instructions.
HOST_ONLY = ("base/emulation/", "base/stand_in/", "dma/emulation/", "model/", "gcm/host_arithmetic.hpp")
# Where compilers and the choice of files differ.
MAY_CHOOSE = ("base/pragmas.hpp", "base/axis.hpp", "base/stream.hpp", "base/ram.hpp", "dma/memory.hpp", "gcm/arithmetic.hpp", "kernels/mode.hpp")
VITIS_ONLY = re.compile(r"^\w+/vitis/")
FORBIDDEN = [
    (re.compile(r"\bstd::(?!u?int(?:8|16|32|64)_t\b|size_t\b)\w+"), "std:: other than integers"),
    (re.compile(r"\b(?:new|delete|malloc|free|throw|try|catch|virtual|dynamic_cast|typeid|goto|thread_local)\b"), "not for hardware"),
    (re.compile(r"^\s*#\s*(?:if|ifdef|ifndef|elif|pragma\s+(?!once))"), "pragmas and choices belong to base/"),
]


def without_comments(text: str) -> str:
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    return re.sub(r'//[^\n]*|"(?:[^"\\\n]|\\.)*"', lambda m: m.group() if m.group()[0] == '"' and "/" in m.group() else "", text)


def check_text(name: str, text: str) -> list:
    errors = []
    for number, line in enumerate(without_comments(text).split("\n"), 1):
        for pattern, why in FORBIDDEN:
            if why.startswith("pragmas") and name in MAY_CHOOSE:
                continue
            line_without_deleted = re.sub(r"=\s*delete\b", "", line)
            if match := pattern.search(line_without_deleted):
                errors.append(f"firmware_hls/{name}:{number}: '{match.group().strip()}': {why}")
    return errors


def run(command: list, what: str, **more) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise SystemExit(f"{what}: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def includes(ap_int: str) -> list:
    return [f"-I{ROOT}", f"-I{ROOT}/include", "-isystem" if ap_int else "-I", ap_int or str(FIRMWARE / "base/stand_in")]


def results(folder: str, compiler: str, ap_int: str) -> str:
    """What the processes make of vectors and of 64 sizes."""
    program = pathlib.Path(folder) / f"vectors-{compiler}-{'vendor' if ap_int else 'ours'}"
    quiet = ["-w"] if ap_int else [*WARNINGS, *OWN_WARNINGS[compiler]]
    # Optimisers make use of what is undefined: the vendor's default objects are.
    level = "-O1" if ap_int or LONG else "-O0"
    run([compiler, "-std=c++14", level, *quiet, *includes(ap_int), HERE / "vectors.cpp", HERE / "blocks.cpp", "-o", program], "vectors")
    return run([program, "64"], "vectors")


def same_results(folder: str, pool, kinds: list) -> None:
    answers = [pool.submit(results, folder, *kind) for kind in kinds]
    texts = {answer.result() for answer in answers}
    if len(texts) != 1:
        raise SystemExit("results differ:\n" + "\n".join(f"{kind}: {answer.result()}" for kind, answer in zip(kinds, answers)))
    print(f"the same results {len(kinds)} times: {' '.join(texts.pop().split())}")


def compare_with_vendor(compilers: list, ap_int: str) -> int:
    if not ap_int:
        print("skipped: no folder with the vendor's ap_int.h was named; configure with -DLINECRYPT_AP_INT_DIR=<folder that has it>")
        return 77
    if not (pathlib.Path(ap_int) / "ap_int.h").is_file():
        raise SystemExit(f"{ap_int} has no ap_int.h")
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        same_results(folder, pool, [(compiler, vendor) for vendor in ("", ap_int) for compiler in compilers])
    return 0


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--ap-int", help="folder with the vendor's ap_int.h; only the comparison with it")
    ap_int = arguments.parse_args().ap_int
    compilers = [name for name in ("g++", "clang++-14") if shutil.which(name)]
    if not compilers:
        print("skipped: neither g++ nor clang++-14 is here")
        return 77
    for name in ("g++", "clang++-14"):
        if name not in compilers:
            print(f"not with {name}: it is not installed")
    if ap_int is not None:
        return compare_with_vendor(compilers, ap_int)

    # 1. The text; and a planted fault of each kind is found.
    names = sorted(str(p.relative_to(FIRMWARE)) for p in FIRMWARE.rglob("*") if p.suffix in (".hpp", ".cpp"))
    kernel = [n for n in names if not n.startswith(HOST_ONLY) and not VITIS_ONLY.match(n)]
    errors = [error for name in kernel for error in check_text(name, (FIRMWARE / name).read_text())]
    if errors:
        raise SystemExit("\n".join(errors))
    for planted in ("std::vector<int> a;", "int* a = new int;", "virtual void f();", "#ifdef X", "#pragma HLS inline", "throw 1;"):
        if not check_text("planted.hpp", planted):
            raise SystemExit(f"the check of the text does not find: {planted}")
    print(f"{len(kernel)} kernel files: only what hardware has")

    headers = [n for n in kernel if n.endswith(".hpp")]
    sources = [n for n in kernel if n.endswith(".cpp")]
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        everything = pathlib.Path(folder) / "everything.cpp"
        everything.write_text("".join(f'#include "firmware_hls/{name}"\n' for name in headers))
        # 2. All headers together and each kernel, as C++14.
        jobs = []
        checked = [everything] + [FIRMWARE / name for name in sources]
        for number, name in enumerate(headers if LONG else []):
            alone = pathlib.Path(folder) / f"alone{number}.cpp"
            alone.write_text(f'#include "firmware_hls/{name}"\n')
            checked.append(alone)
        for compiler in compilers:
            for path in checked:
                jobs.append(pool.submit(run, [compiler, "-std=c++14", "-fsyntax-only", *WARNINGS, *OWN_WARNINGS[compiler], *includes(""), path], "C++14"))
        # The Vitis form: unknown pragmas are what it is about.
        for path in [everything] + [FIRMWARE / name for name in sources]:
            jobs.append(pool.submit(run, [compilers[0], "-std=c++14", "-fsyntax-only", "-D__SYNTHESIS__", "-Wno-unknown-pragmas", f"-I{HERE}/fake_vitis",
                                          *includes(""), path], "Vitis form"))
        for job in jobs:
            job.result()
        print(f"{len(headers)} headers and {len(sources)} kernels compile as C++14 with {' and '.join(compilers)}, and in their Vitis form")
        # 3. The same results everywhere.
        same_results(folder, pool, [(compiler, "") for compiler in compilers])

    # The macros say what Vitis reads.
    pragmas = run([compilers[0], "-E", "-P", "-D__SYNTHESIS__", *includes(""), "-x", "c++", "-"], "pragmas", input='#include "firmware_hls/base/pragmas.hpp"\n'
                  "LINECRYPT_AXIS(beats)\nLINECRYPT_PIPELINE\nLINECRYPT_URAM(table)\nLINECRYPT_DISTANCE(table, 3)\n")
    for expected in ("#pragma HLS interface mode = axis port = beats", "#pragma HLS pipeline II = 1 style = flp",
                     "#pragma HLS bind_storage variable = table type = ram_t2p impl = uram",
                     "#pragma HLS dependence variable = table type = inter direction = RAW distance = 3 true"):
        if expected not in pragmas.split("\n"):
            raise SystemExit(f"pragmas.hpp does not give '{expected}' but:\n{pragmas}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
