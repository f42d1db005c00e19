#!/usr/bin/env python3
"""Tests of firmware_hls/link: the budget, the link configurations and the build's command lines (with tools that only record)."""
import contextlib
import io
import os
import pathlib
import re
import shlex
import stat
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
LINK = ROOT / "firmware_hls" / "link"
VECTORS = ROOT / "tests" / "vectors" / "csynth"
sys.dont_write_bytecode = True
sys.path.insert(0, str(LINK))
import budget  # noqa: E402
import build  # noqa: E402
import connectivity  # noqa: E402


def refusal(function, *arguments):
    try:
        function(*arguments)
    except budget.Refused as refused:
        return str(refused)
    return ""


class Budget(unittest.TestCase):
    def setUp(self):
        self.cards, self.costs = budget.load("cards.json"), budget.load("costs.json")

    def test_table_words_are_those_of_the_card_abi(self):
        text = "".join((ROOT / "include/linecrypt/abi" / name).read_text() for name in ("sa_record.hpp", "key_entry.hpp"))
        for name in ("key_entry_words", "number_words"):
            self.assertEqual(self.costs["words"][name], int(re.search(rf"constexpr std::uint32_t {name} = (\d+);", text)[1]))
        selectors = int(re.search(r"selectors_per_sa = (\d+);", text)[1])
        self.assertEqual(self.costs["words"]["record_words"]["esp"], 1 + selectors)
        self.assertIn("constexpr std::uint32_t record_words = 1 + selectors_per_sa;", text)

    def test_every_table_of_the_kernels_is_counted(self):
        """Whoever adds a table of N entries to a block must add it to costs.json."""
        found = []
        for path in sorted((ROOT / "firmware_hls/tables").glob("*.hpp")):
            if path.name not in ("forwarded.hpp", "loaded.hpp"):
                found += re.findall(r"^\s+(?:Loaded|Forwarded|Ram|Buckets)<[^;]*\bN\b[^;]*>\s+(\w+)_;", path.read_text(), re.M)
        # key and record stand in both directions, limits and numbers too.
        both = {"keys", "records", "limits", "numbers"}
        found = [name for name in found if name != "ram"]  # inside Buckets, counted as buckets
        expected = sorted(list(both) + ["limits", "numbers", "buckets", "windows", "start", "writer", "reader", "resync"])
        self.assertEqual(sorted(found), expected)
        self.assertEqual(len(self.costs["tables"]["egress"]), 4)
        self.assertEqual(len(self.costs["tables"]["ingress"]), 10)

    def test_what_does_not_fit_is_refused_by_name(self):
        for card, mode, wiring in (("u50", "both", "look-aside"), ("u200", "both", "look-aside"), ("u55c", "both", "bump-in-the-wire")):
            with self.subTest(card=card):
                text = refusal(budget.fit, card, mode, wiring)
                self.assertRegex(text, rf"^{card}, mode {mode}, {wiring}: SLR\d has \d+ LUT for kernels, \d+ are needed")
        self.assertEqual(budget.fit("u250", "both", "bump-in-the-wire")["mode"], "both")

    def test_wrong_names_are_refused_with_what_is_allowed(self):
        self.assertIn("card: found 'u99', allowed: u50, u55c, u200, u250, u280", refusal(budget.fit, "u99", "esp", "look-aside"))
        self.assertIn("mode: found 'all', allowed: esp, macsec, both", refusal(budget.fit, "u50", "all", "look-aside"))
        self.assertIn("wiring: found 'x'", refusal(budget.fit, "u50", "esp", "x"))
        self.assertIn("u50: wiring: bump-in-the-wire needs two ports, this card has 1; allowed: look-aside", refusal(budget.fit, "u50", "esp", "bump-in-the-wire"))
        self.assertIn("u50: wiring: port-to-host has no kernels yet", refusal(budget.fit, "u50", "esp", "port-to-host"))
        self.assertTrue(refusal(budget.fit, "u55c", "esp", "port-to-host").endswith("allowed: look-aside, bump-in-the-wire"))

    def test_fewer_memory_blocks_mean_fewer_sas_and_at_last_a_refusal(self):
        sizes = []
        for ultra, block in ((4000, 4000), (320, 672), (170, 500), (60, 300)):
            self.cards["u55c"]["slr"].update(uram=ultra, bram=block)
            sizes.append(budget.fit("u55c", "esp", "look-aside", self.cards, self.costs)["sa_count"])
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertEqual(sizes[0], 16384)
        self.assertLess(sizes[-1], sizes[1])
        self.cards["u55c"]["slr"].update(uram=0, bram=150)
        self.assertIn("URAM and BRAM have no room for tables of even 256 SAs", refusal(budget.fit, "u55c", "esp", "look-aside", self.cards, self.costs))

    def test_the_uncertainty_counts(self):
        self.costs["uncertainty"] = 4
        self.assertIn("estimate x 4", refusal(budget.fit, "u55c", "esp", "look-aside", self.cards, self.costs))

    def test_a_memory_block_is_counted_as_it_is(self):
        self.assertEqual(budget.uram(72, 4096), 1)
        self.assertEqual(budget.uram(73, 4097), 4)
        self.assertEqual(budget.bram(72, 512), 1)
        self.assertEqual(budget.bram(4128, 4096), 58 * 8)


class Connectivity(unittest.TestCase):
    def test_committed_files_are_what_the_data_gives(self):
        self.assertEqual(connectivity.main(["check"]), 0)

    def test_a_changed_a_missing_and_a_surplus_file_are_noticed(self):
        here = budget.HERE
        for change, says in (("edit", "differs from"), ("remove", "is missing"), ("add", "no such combination fits")):
            with self.subTest(change), tempfile.TemporaryDirectory() as folder:
                copy_of = pathlib.Path(folder)
                for path in list(here.glob("*.cfg")) + list(here.glob("*.json")):
                    (copy_of / path.name).write_text(path.read_text())
                victim = copy_of / "u55c-esp-look-aside.cfg"
                if change == "edit":
                    victim.write_text(victim.read_text().replace("SLR1", "SLR2"))
                elif change == "remove":
                    victim.unlink()
                else:
                    (copy_of / "u50-both-look-aside.cfg").write_text("")
                errors = io.StringIO()
                budget.HERE = copy_of
                try:
                    with contextlib.redirect_stderr(errors):
                        self.assertEqual(connectivity.main(["check"]), 1)
                finally:
                    budget.HERE = here
                self.assertIn(says, errors.getvalue())

    def test_each_file_is_consistent(self):
        cards, files = budget.load("cards.json"), connectivity.all_files()
        self.assertGreaterEqual(len(files), 20)
        for name, text in files.items():
            with self.subTest(name):
                card_name, _, wiring = name.removesuffix(".cfg").split("-", 2)
                card = cards[card_name]
                units = re.findall(r"^nk=\w+:1:(\w+)$", text, re.M)
                self.assertEqual(len(units), len(set(units)))
                slr = dict(re.findall(r"^slr=(\w+):SLR(\d)$", text, re.M))
                self.assertEqual(sorted(slr), sorted(units))
                self.assertLess(max(int(n) for n in slr.values()), card["slr"]["count"])
                self.assertEqual(sorted(re.findall(r"^freqHz=300000000:(\w+)$", text, re.M)), sorted(units))
                ends = [end for pair in re.findall(r"^stream_connect=([\w.]+):([\w.]+):\d+$", text, re.M) for end in pair]
                self.assertEqual(len(ends), len(set(ends)), "a stream port is used twice")
                self.assertEqual({end.split(".")[0] for end in ends}, set(units), "a unit without a stream, or a stream without a unit")
                self.assertIn(f"platform={card['platform']}", text)
                for port in re.findall(r"^sp=\w+\.\w+:(\w+)\[\d+\]$", text, re.M):
                    self.assertEqual(port, card["memory"]["type"])
                ports = {"look-aside": 0, "bump-in-the-wire": 2}[wiring]
                for pin in ("gt_refclk", "gt_serial_port", "clk_gt_freerun"):
                    self.assertEqual(len(re.findall(rf"^connect=.*cmac_\d/{pin}\b", text, re.M)), ports)
                self.assertEqual(len(set(re.findall(r"^connect=(io_clk\S+):", text, re.M))), ports)

    def test_every_card_has_each_wiring_of_its_ports(self):
        names = set(connectivity.all_files())
        for card in budget.load("cards.json"):
            for mode in ("esp", "macsec"):
                self.assertIn(f"{card}-{mode}-look-aside.cfg", names)
                self.assertEqual(f"{card}-{mode}-bump-in-the-wire.cfg" in names, card != "u50")


def top_function(text):
    """A kernel's arguments as HLS sees them: name -> type; its name, and the interface pragmas."""
    match = re.search(r'extern "C" void (\w+)\((.*?)\) \{', text, re.S)
    arguments = {}
    for argument in re.split(r",(?![^<]*>)", match[2]):
        declared = re.fullmatch(r"\s*(Stream<[\w:]+>&|Memory|volatile u32)\s+(\w+)(\[register_words\])?\s*", argument)
        arguments[declared[2]] = declared[1].replace("ports::", "")
    return match[1], arguments, {port: kind for kind, port in re.findall(r"^  LINECRYPT_(AXIS|M_AXI|S_AXILITE)\((\w+)", text, re.M)}


def cmac_streams():
    """The CMAC port's streams, from its RTL: name -> (True for the sending end, data bits, has keep and last)."""
    text = (ROOT / "firmware_hls/rtl/cmac_port.sv").read_text()
    text = text[:text.index(");")]
    found = {}
    for end, wide, name in re.findall(r"^\s*(input|output)\s+wire\s+\[(\d+):0\]\s+(\w+)_tdata\b", text, re.M):
        found[name] = (end == "output", int(wide) + 1, f"{name}_tkeep" in text and f"{name}_tlast" in text)
    return found, set(re.findall(r"\b(\w+)(?:,|\n|$)", text))


class Kernels(unittest.TestCase):
    """Each link configuration against the kernels' own text: names, types, and nothing left open."""

    def check(self, name, text):
        """What is wrong with a configuration, as a list."""
        wiring = name.removesuffix(".cfg").split("-", 2)[2]
        kernel_of = {unit: kernel for kernel, unit in re.findall(r"^nk=(\w+):1:(\w+)$", text, re.M)}
        cmac, cmac_ports = cmac_streams()
        streams, memories, wrong = {}, set(), []
        for unit, kernel in kernel_of.items():
            if kernel.startswith("linecrypt_cmac_"):
                for port, (_, bits, framed) in cmac.items():
                    streams[f"{unit}.{port}"] = "Stream<MacWord>&" if (bits, framed) == (512, True) else "Stream<u8>&" if (bits, framed) == (8, False) else "?"
                continue
            source = connectivity.kernel_source(build.KERNELS, kernel, wiring)
            if not source.is_file():
                wrong.append(f"{unit}: no source of {kernel}")
                continue
            function, arguments, pragmas = top_function(source.read_text())
            if function != kernel:
                wrong.append(f"{source.name}: function {function}, kernel {kernel}")
            for argument, kind in arguments.items():
                expected = {"Memory": "M_AXI", "volatile u32": "S_AXILITE"}.get(kind, "AXIS")
                if pragmas.pop(argument, None) != expected:
                    wrong.append(f"{source.name}: {argument} has no LINECRYPT_{expected}")
                if expected == "AXIS":
                    streams[f"{unit}.{argument}"] = kind
                elif expected == "M_AXI":
                    memories.add(f"{unit}.{argument}")
            wrong += [f"{source.name}: a pragma for {extra}, which is no argument" for extra in pragmas]
        used = []
        for source, sink in re.findall(r"^(?:stream_connect|sc)=([\w.]+):([\w.]+)(?::\d+)?$", text, re.M):
            used += [source, sink]
            if source not in streams or sink not in streams:
                wrong.append(f"{source} -> {sink}: no such stream argument")
            elif streams[source] != streams[sink] or streams[source] == "?":
                wrong.append(f"{source} -> {sink}: {streams[source]} to {streams[sink]}")
            for end, sends in ((source, True), (sink, False)):
                if end.startswith("cmac_") and cmac.get(end.split(".")[1], (sends,))[0] != sends:
                    wrong.append(f"{source} -> {sink}: the CMAC port's end goes the other way")
        wrong += [f"{stream}: not connected" for stream in sorted(set(streams) - set(used))]
        wrong += [f"{stream}: connected twice" for stream in set(used) if used.count(stream) > 1]
        placed = re.findall(r"^sp=([\w.]+):", text, re.M)
        wrong += [f"sp {port}: no such memory argument" for port in placed if port not in memories]
        wrong += [f"{port}: no sp" for port in sorted(memories - set(placed))]
        wrong += [f"slr {unit}: no such unit" for unit in re.findall(r"^slr=(\w+):", text, re.M) if unit not in kernel_of]
        packaged = set(re.findall(r"bundle \$core (\w+)", (ROOT / "firmware_hls/rtl/package.tcl").read_text()))
        for unit, pin in re.findall(r"^connect=.*\b(cmac_\d)/(\w+)", text, re.M):
            if unit not in kernel_of or pin not in packaged | cmac_ports:
                wrong.append(f"connect {unit}/{pin}: no such unit or pin")
        return wrong

    def test_every_name_in_a_configuration_is_one_of_the_kernels_and_nothing_is_left_open(self):
        directions = {}
        for name, text in connectivity.all_files().items():
            self.assertEqual(self.check(name, text), [], name)
            for ends in re.findall(r"^stream_connect=([\w.]+):([\w.]+):", text, re.M):
                for end, sends in zip(ends, (True, False)):
                    self.assertEqual(directions.setdefault(end, sends), sends, f"{name}: {end} sends here and receives elsewhere")

    def test_what_drifts_apart_is_found(self):
        good = connectivity.all_files()["u55c-esp-bump-in-the-wire.cfg"]
        for old, new, says in (("black_0.receive_counts", "black_0.receive_count", "no such stream argument"),
                               ("clear_0.arrived_beats:egress_0.in_beats", "clear_0.arrived_beats:egress_0.in_infos", "Stream<Beat>& to Stream<PacketInfo>&"),
                               ("clear_0.transmit:cmac_0.s_axis", "clear_0.transmit:cmac_0.m_axis", "goes the other way"),
                               ("control_0.clear_link:cmac_0.s_link", "control_0.clear_link:cmac_0.s_axis", "Stream<u8>& to Stream<MacWord>&"),
                               ("sp=host_0.injected_memory", "sp=host_0.inject_memory", "no such memory argument"),
                               ("slr=host_0", "slr=hosts_0", "no such unit"), ("cmac_1/gt_refclk", "cmac_1/refclk", "no such unit or pin"),
                               ("nk=linecrypt_host:1:host_0", "nk=linecrypt_hosts:1:host_0", "no source of linecrypt_hosts")):
            with self.subTest(new):
                self.assertIn(old, good)
                self.assertIn(says, "\n".join(self.check("u55c-esp-bump-in-the-wire.cfg", good.replace(old, new, 1))))
        open_end = re.sub(r"^stream_connect=egress_0.exhausted:.*\n", "", good, flags=re.M)
        self.assertIn("control_0.egress_exhausted: not connected", self.check("u55c-esp-bump-in-the-wire.cfg", open_end))


FAKE_TOOL = r"""#!/bin/sh
# Records its arguments, a line a call; leaves what the real one leaves.
{{ printf '%s\037' "${{0##*/}}" "$@"; echo; }} >> "$RECORD"
[ "$*" = --version ] && {{ echo '****** v++ v2022.2 (64-bit)'; exit 0; }}
for a; do
  [ -n "$FAIL" ] && [ "$a" = "$FAIL" ] && exit 3
  case $last in -k) kernel=$a;; --temp_dir) temp=$a;; -o) out=$a;; esac
  last=$a
done
if [ -n "$kernel" ]; then
  solution=$temp/$kernel/solution
  /bin/mkdir -p "$solution/syn/report" "$solution/.autopilot/db"
  /bin/cp {vectors}/linecrypt_egress_csynth.xml "$solution/syn/report/csynth.xml"
  /bin/cp {vectors}/esp_sequence.verbose.sched.rpt "$solution/.autopilot/db"
fi
[ -z "$out" ] || echo made > "$out"
"""


class Build(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.here = pathlib.Path(self.folder.name)
        self.record = self.here / "record"
        self.old_environment = dict(os.environ)
        self.old_kernels = build.KERNELS
        self.addCleanup(self.restore)
        for name in ("XILINX_VITIS", "XILINX_VIVADO", "XILINXD_LICENSE_FILE", "LM_LICENSE_FILE"):
            os.environ.pop(name, None)
        os.environ.update(HOME=str(self.here), PLATFORM_REPO_PATHS=str(self.here / "platforms"), RECORD=str(self.record), PATH="/nonexistent")

    def restore(self):
        os.environ.clear()
        os.environ.update(self.old_environment)
        build.KERNELS = self.old_kernels

    def install(self, *names):
        """Tools that record, a platform and kernel sources, as a machine with Vitis would have them."""
        tools = self.here / "tools"
        tools.mkdir()
        for name in names:
            path = tools / name
            path.write_text(FAKE_TOOL.format(vectors=shlex.quote(str(VECTORS))))
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        os.environ["PATH"] = str(tools)
        for card in budget.load("cards.json").values():
            path = self.here / "platforms" / card["platform"]
            path.mkdir(parents=True)
            (path / f"{card['platform']}.xpfm").write_text("")
        build.KERNELS = self.here / "kernels"
        build.KERNELS.mkdir()
        for card in budget.load("cards.json").values():
            for wiring in ("look-aside", "bump-in-the-wire")[:len(card["ports"])]:
                units, streams = connectivity.design(card, wiring)
                for kernel, unit, _ in units:
                    with open(build.KERNELS / f"{kernel}.cpp", "a", encoding="utf-8") as file:
                        file.write(" ".join(end.split(".")[1] for pair in streams for end in pair if end.startswith(unit + ".")) + "\n")
        return tools

    def run_build(self, *arguments, tool=None):
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = build.main([*arguments, "--out", str(self.here / "out"), "--tool", str(tool or self.here / "tools" / "linecrypt-xclbin"), "--distance", "3"])
        return code, output.getvalue(), errors.getvalue()

    def calls(self):
        return [line.split("\x1f")[:-1] for line in self.record.read_text().split("\n")[:-1]] if self.record.exists() else []

    def test_all_that_is_missing_is_named_at_once(self):
        build.KERNELS = self.here / "kernels"
        code, _, errors = self.run_build("u55c", "esp", "bump-in-the-wire")
        self.assertEqual(code, 1)
        for piece in ("v++: not in PATH", "platform xilinx_u55c_gen3x16_xdma_3_202210_1: no xilinx_u55c", "vivado: not in PATH", "licence for cmac_usplus",
                      "kernel source firmware_hls/kernels/linecrypt_egress.cpp", "linecrypt-xclbin: not built"):
            self.assertIn(piece, errors)
        self.assertEqual(self.calls(), [])

    def test_look_aside_needs_neither_vivado_nor_licence(self):
        _, _, errors = self.run_build("u55c", "esp", "look-aside")
        self.assertIn("v++: not in PATH", errors)
        self.assertNotIn("vivado", errors)
        self.assertNotIn("licence", errors)

    def test_a_combination_that_does_not_fit_is_refused_before_anything(self):
        self.install("v++", "linecrypt-xclbin")
        code, _, errors = self.run_build("u50", "both", "look-aside")
        self.assertEqual(code, 1)
        self.assertIn("u50, mode both, look-aside: SLR0 has", errors)
        self.assertEqual(self.calls(), [])

    def test_the_command_lines_of_a_look_aside_build(self):
        self.install("v++", "linecrypt-xclbin")
        code, _, errors = self.run_build("u55c", "esp", "look-aside")
        self.assertEqual((code, errors), (0, ""))
        calls = self.calls()
        compiles = [c for c in calls if "-c" in c]
        self.assertEqual([c[c.index("-k") + 1] for c in compiles], ["linecrypt_control", "linecrypt_dma", "linecrypt_egress", "linecrypt_ingress"])
        for call in compiles:
            self.assertIn("-DLINECRYPT_MODE_ESP", call)
            self.assertIn(f"-DLINECRYPT_SA_COUNT={budget.fit('u55c', 'esp', 'look-aside')['sa_count']}", call)
            self.assertTrue(call[call.index("--platform") + 1].endswith("xilinx_u55c_gen3x16_xdma_3_202210_1.xpfm"))
        link = next(c for c in calls if "-l" in c)
        self.assertEqual(link[link.index("--config") + 1], str(LINK / "u55c-esp-look-aside.cfg"))
        self.assertEqual([pathlib.Path(x).name for x in link if x.endswith(".xo")], ["linecrypt_control.xo", "linecrypt_dma.xo", "linecrypt_egress.xo", "linecrypt_ingress.xo"])
        manifest = calls[-1]
        self.assertEqual(manifest[:2], ["linecrypt-xclbin", "manifest"])
        self.assertEqual(manifest.count("--report"), 4)
        self.assertEqual(manifest.count("--schedule"), 4)
        self.assertIn("****** v++ v2022.2 (64-bit)", manifest)

    def test_ports_are_packaged_with_the_sites_of_their_card(self):
        self.install("v++", "vivado", "linecrypt-xclbin")
        os.environ["XILINXD_LICENSE_FILE"] = "2100@licences"
        code, _, errors = self.run_build("u250", "macsec", "bump-in-the-wire")
        self.assertEqual((code, errors), (0, ""))
        packaged = [c for c in self.calls() if c[0] == "vivado"]
        self.assertEqual(sorted(c[c.index("-tclargs") + 2] for c in packaged), ["linecrypt_cmac_0", "linecrypt_cmac_1"])
        second = next(c for c in packaged if "linecrypt_cmac_1" in c)
        self.assertEqual(second[second.index("-tclargs") + 3:], ["xcu250-figd2104-2L-e", "CMACE4_X0Y6", "X1Y40~X1Y43", "156.25", "100"])

    def test_a_licence_file_counts_only_if_it_names_the_ip(self):
        self.install("v++", "vivado", "linecrypt-xclbin")
        (self.here / ".Xilinx").mkdir()
        licence = self.here / ".Xilinx" / "a.lic"
        licence.write_text("INCREMENT other xilinxd")
        self.assertIn("licence for cmac_usplus", self.run_build("u55c", "esp", "bump-in-the-wire")[2])
        licence.write_text("INCREMENT cmac_usplus xilinxd")
        self.assertEqual(self.run_build("u55c", "esp", "bump-in-the-wire")[0], 0)

    def test_a_kernel_without_a_port_that_is_connected_is_named(self):
        self.install("v++", "linecrypt-xclbin")
        source = build.KERNELS / "linecrypt_egress.cpp"
        source.write_text(source.read_text().replace("responses", "answers"))
        code, _, errors = self.run_build("u55c", "esp", "look-aside")
        self.assertEqual(code, 1)
        self.assertIn("stream port 'responses' in firmware_hls/kernels/linecrypt_egress.cpp", errors)
        self.assertEqual(self.calls(), [])

    def test_nothing_is_linked_after_a_failed_compile(self):
        self.install("v++", "linecrypt-xclbin")
        os.environ["FAIL"] = "linecrypt_dma"
        code, _, errors = self.run_build("u55c", "esp", "look-aside")
        self.assertEqual(code, 1)
        self.assertIn("failed with 3", errors)
        self.assertFalse([c for c in self.calls() if "-l" in c or c[0] == "linecrypt-xclbin"])

    def test_an_xclbin_whose_manifest_is_refused_does_not_keep_its_name(self):
        self.install("v++", "linecrypt-xclbin")
        os.environ["FAIL"] = "manifest"
        self.assertNotEqual(self.run_build("u55c", "esp", "look-aside")[0], 0)
        self.assertFalse((self.here / "out" / "linecrypt-u55c-esp-look-aside.xclbin").exists())
        self.assertTrue((self.here / "out" / "linecrypt-u55c-esp-look-aside.refused").exists())

    def test_print_shows_what_would_run(self):
        code, output, _ = self.run_build("u280", "both", "look-aside", "--print")
        self.assertEqual(code, 0)
        self.assertEqual(len(output.splitlines()), 6)
        self.assertIn("v++ -l -t hw --platform xilinx_u280_gen3x16_xdma_1_202211_1", output)
        self.assertEqual(self.calls(), [])


if __name__ == "__main__":
    unittest.main()
