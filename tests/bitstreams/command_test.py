#!/usr/bin/env python3
"""The command linecrypt-xclbin from end to end: make, info, verify, sign, and what it refuses. `command_test.py <linecrypt-xclbin>`"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = sys.argv.pop(1)
VECTORS = ROOT / "tests" / "vectors" / "csynth"


def run(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=30)


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.here = pathlib.Path(self.folder.name)
        (self.here / "image").write_bytes(b"image")
        self.file = self.here / "a.xclbin"
        done = run("make", "--spec", ROOT / "bitstreams/specs/emulated-both.json", "--image", self.here / "image", "--out", self.file, "--tool", "g++",
                   "--declared-distance", 3)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_what_was_made_verifies_and_shows(self):
        done = run("verify", self.file)
        self.assertEqual((done.returncode, done.stdout), (0, f"{self.file}: good: emulated both look-aside, not signed\n"))
        self.assertIn("linecrypt_dma:dma_0 ap_ctrl_hs 0x1810000 0->HBM[1] 1->HBM[2]", run("info", self.file).stdout)
        self.assertEqual(json.loads((self.here / "a.json").read_text())["forwarding"], {"declared": 3})

    def test_making_it_again_gives_the_same_file(self):
        first = self.file.read_bytes()
        self.setUp()
        self.assertEqual(self.file.read_bytes(), first)

    def test_signed_verified_and_tampered(self):
        key, trusted = self.here / "key", self.here / "trusted"
        trusted.mkdir()
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
        key.chmod(0o600)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", trusted / "a.pem"], check=True, capture_output=True)
        refused = run("verify", self.file, "--trusted", trusted, "--signature-required")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("not signed, but signatures are required", refused.stderr)
        self.assertEqual(run("sign", self.file, "--key", key).returncode, 0)
        self.assertIn("signed by a trusted key", run("verify", self.file, "--trusted", trusted, "--signature-required").stdout)
        manifest = self.here / "a.json"
        manifest.write_text(manifest.read_text().replace('"both"', '"esp"'))
        self.assertIn("was changed after key", run("verify", self.file, "--trusted", trusted).stderr)

    def test_a_damaged_file_is_neither_verified_nor_signed(self):
        self.file.write_bytes(self.file.read_bytes()[:-1])
        self.assertIn("the file is damaged", run("verify", self.file).stderr)
        self.assertIn("truncated", run("info", self.file).stderr)

    def test_a_manifest_for_a_real_card_needs_its_reports(self):
        common = ["manifest", self.file, "--card", "u55c", "--mode", "esp", "--wiring", "look-aside", "--tool", "v++", "--report",
                  VECTORS / "linecrypt_egress_csynth.xml", "--module", "esp_sequence", "--schedule", VECTORS / "esp_sequence.verbose.sched.rpt"]
        done = run(*common, "--declared-distance", 3, "--memory", "numbers_ram_cells")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads((self.here / "a.json").read_text())["forwarding"], {"declared": 3, "reported": 3})
        self.assertIn("distance of 5 cycles, the kernels forward over 3", run(*common, "--declared-distance", 3, "--memory", "counters").stderr)
        self.assertIn("table 'absent' is in none of", run(*common, "--declared-distance", 3, "--memory", "absent").stderr)
        # The file is for the emulated card, whatever its manifest says.
        self.assertIn("is an xclbin for emulation, its manifest says card 'u55c'", run("verify", self.file).stderr)

    def test_a_failed_make_leaves_no_file(self):
        gone = self.here / "none" / "b.xclbin"
        done = run("make", "--spec", ROOT / "bitstreams/specs/emulated-esp.json", "--image", self.here / "image", "--out", gone, "--tool", "g++",
                   "--declared-distance", 3)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot be created", done.stderr)


if __name__ == "__main__":
    unittest.main()
