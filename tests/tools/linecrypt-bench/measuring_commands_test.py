#!/usr/bin/env python3
"""compare, sweep, latency and gateway as a person and a script run them: what they print, that a planted fault is found, that a
wide spread is no claim. No figure is held to anything: the machine may be busy."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

BENCH = sys.argv.pop()
EXACT = {"work", "peer", "size", "ratio", "ours_gbps", "peer_gbps", "spread"}
# As little as shows that it works; a spread limit that every row keeps, or none does.
WIDE = ["--quick", "--spread-limit", "10"]
LITTLE = [*WIDE, "--pairs", "3", "--slice-us", "1"]
CORES = len(os.sched_getaffinity(0))
ONE = {
    "compare": ["--size", "64", "--work", "aead-encrypt", "--peer", "openssl", "--key", "128"],
    "sweep": ["--size", "64", "--sas", "2", "--protocol", "esp", "--direction", "decrypt"],
    "latency": ["--size", "64", "--burst", "4", "--protocol", "esp", "--direction", "encrypt", "--samples", "20"],
    "gateway": ["--size", "64", "--protocol", "esp", "--direction", "encrypt"],
}


def run(*arguments):
    return subprocess.run([BENCH, *arguments], capture_output=True, text=True, check=False)


def effort(command):
    """latency counts bursts, not pairs."""
    return WIDE if command == "latency" else LITTLE


def rows(done):
    return json.loads(done.stdout)["rows"]


class Measuring(unittest.TestCase):
    def test_compare_has_a_row_of_the_agreed_form_for_each_work_peer_and_size(self):
        done = run("compare", *LITTLE, "--size", "64,9216", "--key", "128,256", "--json")
        found = rows(done)
        for row in found:
            self.assertEqual(set(row) - {"no_claim"}, EXACT)
            self.assertGreater(row["ratio"], 0)
        pairs = {(row["work"].split("-aes-")[0], row["peer"]) for row in found}
        dpdk = {"dpdk-aesni_gcm", "dpdk-aesni_gcm-cpu", "dpdk-aesni_mb"}
        wanted = {(work, peer) for work in ("aead-encrypt", "aead-decrypt") for peer in ("ipsec-mb", "openssl")}
        wanted |= {(work, peer) for work in ("esp-egress", "esp-ingress") for peer in dpdk | {"bare-aead"}}
        wanted |= {(work, "bare-aead") for work in ("macsec-protect", "macsec-validate")}
        wanted |= {(work, "engine") for work in ("gateway-egress", "gateway-ingress")}
        if CORES > 1:
            wanted |= {(work, "two-processes") for work in ("two-workers-egress", "two-workers-ingress")}
        self.assertEqual(pairs, wanted)
        self.assertEqual(len(found), len(wanted) * 4)
        # A row without a claim, or a peer that could not be had, is status 3 and says why.
        refused = json.loads(done.stdout)["refused"]
        self.assertEqual([one["peer"] for one in refused], [] if CORES > 1 else ["two-processes"])
        clean = not refused and not any("no_claim" in row for row in found)
        self.assertEqual(done.returncode, 0 if clean else 3, done.stderr)
        # The ratio is a median of pairs, the speeds are medians of their own: alike, not equal.
        costs = json.loads(done.stdout)["costs"]
        self.assertEqual(len(costs), 4 * 4)

    def test_two_workers_are_refused_by_name_on_one_core(self):
        core = str(max(os.sched_getaffinity(0)))
        done = subprocess.run(["taskset", "-c", core, BENCH, "compare", *LITTLE, "--size", "64", "--work", "two-workers-egress", "--json"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(json.loads(done.stdout)["refused"], [{"peer": "two-processes", "reason": f"2 cores are needed, allowed: core {core}"}])
        self.assertEqual(rows(done), [])

    def test_every_provider_can_be_asked_for(self):
        for provider in ("automatic", "ipsec_mb", "openssl", "aesni_128"):
            done = run("compare", *LITTLE, *ONE["compare"], "--provider", provider, "--json")
            self.assertIn(done.returncode, (0, 3), done.stderr)
            self.assertEqual(json.loads(done.stdout)["provider"], provider)
            self.assertIn(f"{provider}: ", json.loads(done.stdout)["machine"]["our provider"])

    def test_sweep_takes_imix_many_sas_and_all_protocols(self):
        done = run("sweep", *LITTLE, "--size", "64,imix", "--sas", "1,50", "--json")
        self.assertIn(done.returncode, (0, 3), done.stderr)
        self.assertEqual(len(rows(done)), 3 * 2 * 2 * 2)
        self.assertEqual({row["size"] for row in rows(done)}, {"64", "imix"})

    def test_latency_percentiles_rise(self):
        done = run("latency", *WIDE, "--size", "64", "--samples", "50", "--burst", "1,8", "--json")
        self.assertIn(done.returncode, (0, 3), done.stderr)
        self.assertEqual(len(rows(done)), 2 * 2 * 2)
        for row in rows(done):
            values = [row[f"{name}_ns"] for name in ("p50", "p90", "p99", "p99_9", "max")]
            self.assertEqual(values, sorted(values))

    def test_gateway_moves_frames_both_ways_with_esp_and_with_macsec_around_it(self):
        done = run("gateway", *LITTLE, "--size", "64,9000", "--json")
        self.assertIn(done.returncode, (0, 3), done.stderr)
        self.assertEqual(len(rows(done)), 2 * 2 * 2)
        for row in rows(done):
            self.assertEqual(set(row) - {"no_claim"}, EXACT)

    def test_a_planted_fault_ends_the_run(self):
        # Planted behind the first check, so while it is measured.
        for command, few in ONE.items():
            for side in ("ours", "peer") if command in ("compare", "gateway") else ("ours",):
                done = run(command, *effort(command), *few, "--plant-fault", side, "--json")
                self.assertEqual(done.returncode, 2, (command, side, done.stderr))
                self.assertIn("WRONG RESULT", done.stderr)
                self.assertEqual(done.stdout, "")
        peers = [("aead-decrypt", "ipsec-mb"), ("aead-encrypt", "ipsec-mb"), ("esp-ingress", "dpdk-aesni_gcm"), ("esp-egress", "dpdk-aesni_gcm-cpu"),
                 ("esp-egress", "dpdk-aesni_mb"), ("macsec-protect", "bare-aead"), ("gateway-ingress", "engine")]
        if CORES > 1:
            peers.append(("two-workers-ingress", "two-processes"))
        for work, peer in peers:
            for side, named in (("ours", "ours"), ("peer", "the peer")):
                done = run("compare", *LITTLE, "--size", "64", "--work", work, "--peer", peer, "--plant-fault", side, "--json")
                self.assertEqual(done.returncode, 2, (work, peer, side, done.stderr))
                self.assertIn(f"{work}-aes-128-gcm against {peer}, 64 bytes: WRONG RESULT: {named}: ", done.stderr)
                self.assertEqual(done.stdout, "")

    def test_a_wide_spread_is_no_claim_and_the_row_says_why(self):
        for command, few in ONE.items():
            done = run(command, *effort(command)[:1], *effort(command)[3:], *few, "--spread-limit", "0", "--json")
            marked = [row for row in rows(done) if "no_claim" in row]
            for row in marked:
                self.assertIn("allowed at most 0.0 %", row["no_claim"])
            # Equal times would be a spread of nothing; then there is nothing to refuse.
            self.assertEqual(done.returncode, 3 if marked else 0, done.stderr)
        text = run("compare", "--quick", "--work", "aead-encrypt", "--peer", "openssl", "--size", "64,65,66", "--spread-limit", "0", "--text-report").stdout
        self.assertIn("NO CLAIM: spread", text)

    def test_a_cost_is_refused_by_its_own_spread_or_with_its_row(self):
        for limit in (0, 0.1, 10):
            done = run("compare", "--quick", "--work", "macsec-protect", "--peer", "bare-aead", "--spread-limit", str(limit), "--json")
            found = json.loads(done.stdout)
            self.assertEqual(len(found["costs"]), 2)
            for row, cost in zip(found["rows"], found["costs"]):
                too_wide = cost["spread_ns"] / max(abs(cost["ns"]), 1e-3) > limit
                self.assertEqual("no_claim" in cost, too_wide or "no_claim" in row, (limit, row, cost))

    def test_the_text_report_names_commit_cpu_clock_and_load(self):
        for command, few in ONE.items():
            text = run(command, *effort(command), *few, "--text-report").stdout
            for named in ("commit", "CPU", "flags", "clock", "TSC at", "VAES", "governor", "pinned", "load before, after", "steal"):
                self.assertIn(named, text, command)

    def test_the_html_report_stands_alone_and_has_plots(self):
        with tempfile.TemporaryDirectory() as folder:
            for command, few in ONE.items():
                path = os.path.join(folder, f"{command}.html")
                run(command, *effort(command), *few, "--report", path, "--json")
                with open(path, encoding="utf-8") as file:
                    page = file.read()
                for part in ("<svg", "</html>", "prefers-color-scheme", "commit"):
                    self.assertIn(part, page, command)
                self.assertNotIn("http", page)
        done = run("latency", *WIDE, *ONE["latency"], "--report", "/nowhere/at/all.html", "--json")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere/at/all.html", done.stderr)

    def test_what_is_not_there_is_refused_with_what_is_allowed(self):
        wrong = [
            (["compare", "--size", "63"], "63"), (["compare", "--key", "64"], "128"), (["compare", "--peer", "abacus"], "openssl"),
            (["compare", "--work", "knitting"], "esp-egress"), (["compare", "--provider", "abacus"], "ipsec_mb"),
            (["compare", "--core", "1000"], "allowed"), (["compare", "--work", "aead-encrypt", "--peer", "bare-aead"], "no peer"),
            (["compare", "--work", "esp-egress", "--provider", "aesni_128"], "aead-decrypt"), (["sweep", "--provider", "aesni_128"], "ipsec_mb"),
            (["latency", "--pairs", "5"], "--pairs"),
            (["sweep", "--size", "huge"], "imix"), (["sweep", "--sas", "0"], "1048576"), (["sweep", "--engine", "abacus"], "card"),
            (["sweep", "--engine", "card", "--quick", "--bitstream", "/nowhere.xclbin"], "--engine card"),
            (["latency", "--burst", "65"], "64"), (["gateway", "--protocol", "macsec"], "both"),
        ]
        for arguments, named in wrong:
            done = run(*arguments)
            self.assertNotEqual(done.returncode, 0, arguments)
            self.assertIn(named, done.stderr + done.stdout, arguments)


if __name__ == "__main__":
    unittest.main()
