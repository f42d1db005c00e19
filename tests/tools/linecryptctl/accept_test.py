#!/usr/bin/env python3
"""`linecryptctl card accept` on the emulated card of each mode: every check that the mode's card claims passes, the others
are reported as not run, and the report says the same.

LINECRYPT_BITSTREAMS is the folder with the emulated cards' xclbins."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

BITSTREAMS = pathlib.Path(os.environ["LINECRYPT_BITSTREAMS"])
# ESP with 192-bit keys is software's.
NOT_CLAIMED = {
    "both": lambda name: "192" in name,
    "esp": lambda name: "192" in name or name.startswith("MACsec"),
    "macsec": lambda name: name.startswith("ESP"),
}


def accept(mode: str, image: str, folder: str):
    report = pathlib.Path(folder) / "report.json"
    done = subprocess.run([os.environ["LINECRYPTCTL"], "card", "accept", "--direct", "--allow-shared-node", "--mode", mode, "--packets", "1000",
                           "--installs", "20", "--bitstream", str(BITSTREAMS / f"linecrypt-emulated-{image}.xclbin"), "--report", str(report)],
                          capture_output=True, text=True)
    return done, report.read_text() if report.exists() else ""


class Accept(unittest.TestCase):
    def test_each_mode(self):
        for mode, not_claimed in NOT_CLAIMED.items():
            with self.subTest(mode), tempfile.TemporaryDirectory() as folder:
                done, text = accept(mode, mode, folder)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                report = json.loads(text)
                self.assertTrue(report["passed"])
                self.assertEqual(report["card"]["mode"], mode)
                self.assertTrue(report["card"]["emulated"])
                self.assertIn("known answers after the reset", {check["name"] for check in report["checks"]})
                self.assertGreater(sum(check["name"].startswith(("ESP", "MACsec")) for check in report["checks"]), 30)
                for check in report["checks"]:
                    ran = not not_claimed(check["name"])
                    self.assertEqual((check["ran"], check["passed"]), (ran, ran), check)
                    word = "ok" if ran else "not run"
                    self.assertIn(f"{word:7}  {check['name']}: {check['detail']}", done.stdout)
                ran = sum(check["ran"] for check in report["checks"])
                self.assertIn(f"{ran} of {ran} checks passed, {len(report['checks']) - ran} not run;", done.stdout)

    def test_another_mode_than_asked_for_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            done, text = accept("esp", "macsec", folder)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("macsec", done.stderr)
            self.assertEqual(text, "")


if __name__ == "__main__":
    unittest.main()
