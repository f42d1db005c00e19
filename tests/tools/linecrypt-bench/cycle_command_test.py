#!/usr/bin/env python3
"""linecrypt-bench cycle as a person and a script run it."""
import json
import subprocess
import sys
import unittest

BENCH = sys.argv.pop()
BASIS = "modelled at 300 MHz, not synthesized with Vitis"


def run(*arguments):
    return subprocess.run([BENCH, "cycle", *arguments], capture_output=True, text=True, check=False)


class Cycle(unittest.TestCase):
    def test_every_output_says_what_it_stands_on(self):
        for arguments in (["--size", "64", "--kernel", "macsec_protect"], ["--size", "64", "--kernel", "macsec_protect", "--json"], ["--help"]):
            self.assertIn(BASIS, run(*arguments).stdout)

    def test_json_has_a_row_for_each_kernel_size_and_number_of_sas(self):
        done = run("--size", "64,1518", "--sas", "1,100", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = json.loads(done.stdout)["rows"]
        self.assertEqual(len(rows), 6 * 2 * 2)
        self.assertEqual({row["kernel"] for row in rows}, {"esp_encapsulate", "esp_decapsulate", "macsec_protect", "macsec_validate"})
        for row in rows:
            self.assertEqual(row["bubbles"], 0)
            self.assertEqual(row["cycles_per_beat"], 1)
            self.assertEqual(row["cycles_per_packet"], max(row["beats_in"], row["beats_out"]))
            self.assertGreaterEqual(row["gbps"], 100)
            self.assertGreaterEqual(row["commands"]["gbps"], 100)
            self.assertTrue(row["line_rate"])
            self.assertTrue(any(fifo["deepest"] for fifo in row["fifos"]))

    def test_json_has_the_installs_of_each_kernel_beside_the_rows(self):
        done = run("--size", "64", "--sas", "1", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        document = json.loads(done.stdout)
        self.assertEqual([row["kernel"] for row in document["installs"]], ["esp_encapsulate", "esp_decapsulate", "macsec_protect", "macsec_validate"])
        for row in document["installs"]:
            self.assertGreaterEqual(row["alone"]["installs_per_second"], 200000)
            self.assertGreaterEqual(row["with_packets"]["installs_per_second"], 200000)
            self.assertGreater(row["with_packets"]["cycles_per_install"], row["alone"]["cycles_per_install"])

    def test_what_is_not_there_is_refused_by_name(self):
        for arguments, named in ((["--size", "63"], "63"), (["--sas", "5000"], "5000"), (["--kernel", "rot13"], "rot13"), (["--cards"], "--cards")):
            done = run(*arguments)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(named, done.stderr + done.stdout)


if __name__ == "__main__":
    unittest.main()
