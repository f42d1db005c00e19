#!/usr/bin/env python3
"""Builds a bitstream for a real card with Vitis, or says exactly what is missing.

    build.py <card> <mode> <wiring> --out <folder> --tool <linecrypt-xclbin> --distance <cycles> [--print] [--line-rate]

1. every kernel of ours: v++ -c; 2. the CMAC ports: vivado, firmware_hls/rtl/package.tcl; 3. v++ -l; 4. the manifest.
Nothing is run until everything that is needed was found. --print shows the commands instead of running them.
"""
import argparse
import glob
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import budget
import connectivity

ROOT = budget.HERE.parent.parent
KERNELS = ROOT / "firmware_hls" / "kernels"
# Processes that forward, and their tables, as HLS is expected to name them. (Not seen with a real Vitis.)
FORWARDING_MODULES = ("Sequence", "Commit", "Mirror")
FORWARDING_TABLES = ("numbers_ram_cells", "windows_ram_cells", "writer_ram_cells")


def find_tool(name, variable):
    home = os.environ.get(variable)
    if home and os.access(pathlib.Path(home) / "bin" / name, os.X_OK):
        return str(pathlib.Path(home) / "bin" / name)
    return shutil.which(name)


def find_platform(platform):
    folders = [f for f in os.environ.get("PLATFORM_REPO_PATHS", "").split(":") if f] or ["/opt/xilinx/platforms"]
    for folder in folders:
        for path in (pathlib.Path(folder) / f"{platform}.xpfm", pathlib.Path(folder) / platform / f"{platform}.xpfm"):
            if path.is_file():
                return str(path), folders
    return None, folders


def has_cmac_licence():
    """A licence server, or a licence file that names the IP."""
    named = [f for v in ("XILINXD_LICENSE_FILE", "LM_LICENSE_FILE") for f in os.environ.get(v, "").split(":") if f]
    if any("@" in name for name in named):
        return True
    home = pathlib.Path(os.environ.get("HOME", "/nonexistent")) / ".Xilinx"
    files = [pathlib.Path(name) for name in named] + list(home.glob("*.lic"))
    return any(f.is_file() and "cmac_usplus" in f.read_text(errors="replace") for f in files)


def plan(card_name, mode, wiring, out, tool, distance, line_rate, tools):
    """The command lines, in order. `tools`: v++, vivado and the platform file as found (or their names)."""
    card = budget.load("cards.json")[card_name]
    fit = budget.fit(card_name, mode, wiring)
    units, _ = connectivity.design(card, wiring)
    name = f"linecrypt-{card_name}-{mode}-{wiring}"
    objects, commands = [], []
    for kernel, unit, _ in units:
        made = str(out / f"{kernel}.xo")
        objects.append(made)
        if kernel.startswith("linecrypt_cmac_"):
            port = card["ports"][int(unit[-1])]
            commands.append([tools["vivado"], "-mode", "batch", "-nojournal", "-log", str(out / f"{kernel}.log"), "-source",
                             str(ROOT / "firmware_hls" / "rtl" / "package.tcl"), "-tclargs", made, kernel, card["part"], port["cmac"], port["quad"],
                             card["refclk_mhz"], str(card["freerun"]["mhz"])])
        else:
            commands.append([tools["v++"], "-c", "-t", "hw", "--platform", tools["platform"], "-k", kernel, "--save-temps", "--temp_dir",
                             str(out / "temp" / kernel), "--kernel_frequency", str(connectivity.CLOCK_HZ // 1_000_000), "-I", str(ROOT), "-I", str(ROOT / "include"),
                             f"-DLINECRYPT_MODE_{mode.upper()}", f"-DLINECRYPT_SA_COUNT={fit['sa_count']}", "-o", made, str(connectivity.kernel_source(KERNELS, kernel, wiring))])
    commands.append([tools["v++"], "-l", "-t", "hw", "--platform", tools["platform"], "--config", str(budget.HERE / f"{card_name}-{mode}-{wiring}.cfg"),
                     "--save-temps", "--temp_dir", str(out / "temp" / "link"), "-o", str(out / f"{name}.xclbin"), *objects])
    manifest = [tool, "manifest", str(out / f"{name}.xclbin"), "--card", card_name, "--mode", mode, "--wiring", wiring, "--declared-distance", str(distance)]
    manifest += ["--line-rate"] if line_rate else []
    for module in FORWARDING_MODULES:
        manifest += ["--module", module]
    for table in FORWARDING_TABLES:
        manifest += ["--memory", table]
    return commands, manifest


def missing_pieces(card, wiring, units, found, folders, tool):
    missing = []
    if not found["v++"]:
        missing.append("v++: not in PATH and not under $XILINX_VITIS/bin; install AMD Vitis and source its settings64.sh")
    if not found["platform"]:
        missing.append(f"platform {card['platform']}: no {card['platform']}.xpfm under {', '.join(folders)} (PLATFORM_REPO_PATHS); install the card's development platform package")
    if wiring != "look-aside":
        if not found["vivado"]:
            missing.append("vivado: not in PATH and not under $XILINX_VIVADO/bin; it packages the CMAC port")
        if not has_cmac_licence():
            missing.append("licence for cmac_usplus (100G Ethernet, free of charge from AMD): no licence server or file in XILINXD_LICENSE_FILE, LM_LICENSE_FILE or ~/.Xilinx names it")
    _, streams = connectivity.design(card, wiring)
    for kernel, unit, _ in units:
        if kernel.startswith("linecrypt_cmac_"):
            continue
        source = connectivity.kernel_source(KERNELS, kernel, wiring)
        if not source.is_file():
            missing.append(f"kernel source firmware_hls/kernels/{kernel}.cpp")
            continue
        # v++ would say this only after hours of compiling.
        words = set(re.findall(r"\w+", source.read_text(encoding="utf-8")))
        ports = [end.split(".")[1] for pair in streams for end in pair if end.startswith(unit + ".")]
        for port in ports:
            if port not in words:
                missing.append(f"stream port '{port}' in firmware_hls/kernels/{kernel}.cpp: the link configuration connects it")
    if not os.access(tool, os.X_OK):
        missing.append(f"{tool}: not built (target linecrypt-xclbin)")
    return missing


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card")
    parser.add_argument("mode")
    parser.add_argument("wiring")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--distance", type=int, required=True)
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--line-rate", action="store_true")
    o = parser.parse_args(arguments)

    # 1. A combination that fits, before anything is looked for.
    try:
        budget.fit(o.card, o.mode, o.wiring)
    except budget.Refused as refused:
        print(f"bitstream: {refused}", file=sys.stderr)
        return 1
    card = budget.load("cards.json")[o.card]
    units, _ = connectivity.design(card, o.wiring)

    # 2. All that is missing, in one go.
    platform, folders = find_platform(card["platform"])
    found = {"v++": find_tool("v++", "XILINX_VITIS"), "vivado": find_tool("vivado", "XILINX_VIVADO"), "platform": platform}
    if not o.only_print:
        missing = missing_pieces(card, o.wiring, units, found, folders, o.tool)
        if missing:
            print(f"bitstream {o.card}-{o.mode}-{o.wiring}: cannot be built here, {len(missing)} missing:", file=sys.stderr)
            for piece in missing:
                print(f"  - {piece}", file=sys.stderr)
            return 1
    tools = {"v++": found["v++"] or "v++", "vivado": found["vivado"] or "vivado", "platform": platform or card["platform"]}
    commands, manifest = plan(o.card, o.mode, o.wiring, o.out, o.tool, o.distance, o.line_rate, tools)
    if o.only_print:
        for command in commands + [manifest]:
            print(shlex.join(command))
        return 0

    # 3. Hours, on a real machine. A name that the linker does not know fails here.
    o.out.mkdir(parents=True, exist_ok=True)
    for command in commands:
        done = subprocess.run(command, cwd=o.out, check=False)
        if done.returncode != 0:
            print(f"bitstream: failed with {done.returncode}: {shlex.join(command)}", file=sys.stderr)
            return 1

    # 4. The manifest, from what the tools reported.
    version = subprocess.run([tools["v++"], "--version"], capture_output=True, text=True, check=False).stdout
    line = next((l.strip() for l in version.splitlines() if "v++" in l or "Vitis" in l), "v++ of unknown version")
    manifest += ["--tool", line]
    for option, pattern in (("--report", "csynth.xml"), ("--schedule", "*.verbose.sched.rpt")):
        files = sorted(glob.glob(str(o.out / "temp" / "**" / pattern), recursive=True) + glob.glob(str(o.out / "temp" / "**" / ".autopilot" / "**" / pattern), recursive=True))
        if not files:
            print(f"bitstream: v++ left no {pattern} under {o.out / 'temp'}; without it nothing vouches for the forwarding distance", file=sys.stderr)
            return 1
        for file in dict.fromkeys(files):
            manifest += [option, file]
    done = subprocess.run(manifest, check=False)
    if done.returncode != 0:
        for made in o.out.glob(f"linecrypt-{o.card}-{o.mode}-{o.wiring}.xclbin"):
            made.rename(made.with_suffix(".refused"))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
