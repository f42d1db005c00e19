#!/usr/bin/python3
"""linecryptctl mtu: the published figures, the filters, wrong arguments; and exit codes that belong to no one command."""
import itertools
import unittest

import ctl

# Path MTU 1500: (mode, family, NAT-T) -> largest clear packet.
FIGURES = {
    ("tunnel", 4, False): 1446, ("tunnel", 4, True): 1438, ("tunnel", 6, False): 1426, ("tunnel", 6, True): 1418,
    ("transport", 4, False): 1466, ("transport", 4, True): 1458,
    ("transport", 6, False): 1466, ("transport", 6, True): 1458,
}


class Mtu(ctl.CtlTest):
    def test_the_whole_table(self):
        document = self.ctl("mtu", "--json", code=0).json()
        self.assertEqual(document["path_mtu"], 1500)
        rows = {(r["esp"], r["family"], r["nat_t"]): r for r in document["rows"]}
        for key, largest in FIGURES.items():
            self.assertEqual(rows[key]["largest_clear_packet"], largest)
            self.assertEqual(rows[key]["packet"], 1500)
            self.assertEqual(rows[key]["frame"], {"none": 1514, "no_sci": 1538, "sci": 1546})
        self.assertEqual(rows[("none", None, False)]["frame"], {"none": 1514, "no_sci": 1538, "sci": 1546})
        self.assertEqual(len(rows), len(FIGURES) + 1)
        text = self.ctl("mtu", code=0).out
        for largest in FIGURES.values():
            self.assertIn(f" {largest} ", text)

    def test_each_filter_leaves_its_rows(self):
        for mode, family, nat_t in itertools.product(("tunnel", "transport"), (4, 6), (False, True)):
            arguments = ["--mode", mode, "--family", family, "--nat-t" if nat_t else "--no-nat-t"]
            rows = self.ctl("mtu", "--json", *arguments, code=0).json()["rows"]
            self.assertEqual([(r["esp"], r["family"], r["nat_t"]) for r in rows], [(mode, family, nat_t)])
            self.assertEqual(rows[0]["largest_clear_packet"], FIGURES[(mode, family, nat_t)])

    def test_macsec_and_vlan(self):
        for word, key, size in (("none", "none", 1522), ("no-sci", "no_sci", 1546), ("sci", "sci", 1554)):
            rows = self.ctl("mtu", "--json", "--macsec", word, "--vlan", 2, code=0).json()["rows"]
            self.assertTrue(all(r["frame"] == {key: size} for r in rows))

    def test_every_size_follows_the_rule(self):
        sizes = list(range(68, 130)) if ctl.LONG else [68, 69, 70, 71, 72, 90]
        for path in sizes + [576, 1280, 1499, 9000, 65535]:
            for row in self.ctl("mtu", "--json", "--path-mtu", path, code=0).json()["rows"]:
                if row["esp"] == "none":
                    continue
                if path < (68 if row["family"] == 4 else 1280):
                    self.assertIsNone(row["largest_clear_packet"])
                    continue
                header = (20 if row["family"] == 4 else 40)
                best = None
                for payload in range(max(0, path - 120), path):
                    size = header + (8 if row["nat_t"] else 0) + 16 + (payload + 2 + 3) // 4 * 4 + 16
                    if size <= path:
                        best = payload + (header if row["esp"] == "transport" else 0)
                self.assertEqual(row["largest_clear_packet"], best, (path, row))

    def test_the_algorithm_is_named_and_changes_nothing(self):
        first = None
        for algorithm in ("aes-gcm-128", "aes-gcm-192", "aes-gcm-256", "aes-gmac-128", "aes-gmac-192", "aes-gmac-256"):
            document = self.ctl("mtu", "--json", "--algorithm", algorithm, code=0).json()
            self.assertEqual(document["algorithm"], algorithm)
            first = first or document["rows"]
            self.assertEqual(document["rows"], first)

    def test_wrong_arguments(self):
        for arguments in (["--path-mtu", 67], ["--path-mtu", 65536], ["--path-mtu", "x"], ["--path-mtu", -5],
                          ["--mode", "beet"], ["--family", 5], ["--macsec", "yes"], ["--vlan", 3],
                          ["--algorithm", "aes-cbc"], ["--family", 6, "--path-mtu", 1279], ["extra"]):
            done = self.ctl("mtu", *arguments, code=2)
            self.assertTrue(done.err.startswith("linecryptctl: "), done.err)
            self.assertEqual(self.ctl("mtu", "--json", *arguments, code=2).json()["error"]["exit"], 2)


class Everywhere(ctl.CtlTest):
    COMMANDS = (["check"], ["status"], ["sa", "list"], ["policy", "list"], ["port", "list"], ["counters"],
                ["selftest"], ["mtu"], ["key", "enroll"], ["key", "list"], ["key", "forget"], ["pcap", "protect"],
                ["pcap", "unprotect"])

    def test_help_tells_the_exit_codes_and_every_command_has_json(self):
        self.assertIn("Exit codes: 0 ok", self.ctl("--help", code=0).out)
        for command in self.COMMANDS:
            out = self.ctl(*command, "--help", code=0).out
            self.assertIn("Exit codes: 0 ok", out)
            self.assertIn("--json", out)

    def test_no_command_is_wrong_usage(self):
        for arguments in ([], ["sa"], ["key"], ["pcap"], ["nonsense"], ["sa", "nonsense"]):
            self.assertIn("linecryptctl: ", self.ctl(*arguments, code=2).err)

    def test_version(self):
        self.assertRegex(self.ctl("--version", code=0).out, r"^linecryptctl \d+\.\d+\.\d+\n$")

    def test_selftest_here(self):
        document = self.ctl("selftest", "--json", code=0).json()
        self.assertIs(document["passed"], True)
        self.assertEqual([p["provider"] for p in document["providers"]], ["vaes", "ipsec-mb", "openssl"])
        one = self.ctl("selftest", "--provider", "openssl", "--json", code=0).json()
        self.assertEqual([p["result"] for p in one["providers"]], ["passed"])
        self.ctl("selftest", "--provider", "none", code=2)
        self.ctl("selftest", "--provider", "openssl", "--daemon", code=2)

    def test_escape_sequences_of_arguments_do_not_reach_the_terminal(self):
        done = self.ctl("check", "/tmp/\x1b[2Jx", code=1)
        self.assertNotIn("\x1b", done.out + done.err)
        self.assertNotIn("\x1b", self.ctl("status", "--socket", "/tmp/\x1b[2Jx", code=3).err)


if __name__ == "__main__":
    unittest.main()
