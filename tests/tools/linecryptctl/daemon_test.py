#!/usr/bin/python3
"""Commands that ask the daemon, against a stand-in that serves documents of the daemon's form on a Unix socket."""
import http.server
import json
import pathlib
import socket
import socketserver
import threading
import unittest

import ctl

COUNTERS = {"received_frames": 10, "received_bytes": 1000, "companion_frames": 0, "companion_bytes": 0,
            "transmitted_frames": 9, "transmitted_bytes": 900, "punted_frames": 0, "made_frames": 0}
DEVICE = {"received_frames": 10, "received_bytes": 1000, "transmitted_frames": 9, "transmitted_bytes": 900,
          "imissed": 2, "ierrors": 0, "oerrors": 0, "rx_nombuf": 0, "ring_dropped": None}
SA = {"packets": 7, "bytes": 700, "unchecked": 0, "delayed": 0, "invalid": 0, "late": 0, "duplicate": 3, "bad_icv": 0,
      "mismatch": 0, "malformed": 0, "exhausted": 0}
POLICY = {"outbound_packets": 5, "outbound_bytes": 500, "inbound_packets": 4, "inbound_bytes": 400, "request_clear": 0,
          "discarded": 0}

DOCUMENTS = {
    "status": {"name": "a", "version": "0.1.0", "pid": 42, "uptime_seconds": 17,
               "offload": {"mode": "software", "engine": "software", "provider": "openssl 3.0.17", "fallbacks": 0},
               "self_test": {"passed": True, "error": ""}, "static_keys": True,
               "request_policies": [{"name": "lenient", "sealed": False}, {"name": "strict-now", "sealed": True}],
               "key_memory": {"locked": True, "openssl_protected": True, "not_dumpable": True},
               "ports": 2, "sas": 3, "max_sas": 4096, "buffers": {"total": 8192, "free": 8000},
               "worker": {"loops": 1, "work": 1, "sleeps": 0, "waits": 0, "in_flight": 0},
               "fib_updates": 1, "forwarding_repairs": 0, "notes": ["no netdev egress hook"],
               "warnings": ["static ESP keys"], "problems": []},
    "sas": {"sas": [
        {"id": {"index": 0, "generation": 1}, "label": "tunnel site-b out", "protocol": "esp", "direction": "egress",
         "engine": "software", "algorithm": "aes-gcm-256", "age_seconds": 5, "expired": False, "replay_window": 0,
         "static_key": True, "spi": 0x1001, "next_number": 8, "lease_end": 65537, "counters": SA},
        {"id": {"index": 1, "generation": 1}, "label": "macsec wan rx", "protocol": "macsec", "direction": "ingress",
         "engine": "software", "algorithm": "gcm-aes-xpn-256", "age_seconds": 5, "expired": True, "replay_window": 64,
         "static_key": True, "sci": "02:00:00:00:02:02/1", "an": 0, "highest_number": 77, "counters": SA}]},
    "policies": {"policies": [
        {"name": "site-b", "priority": 1000, "action": "protect", "tunnel": "site-b", "outbound": "require",
         "inbound": "request", "sealed": False, "counters": POLICY,
         "selectors": [{"local": "10.1.0.0/24", "remote": "10.2.0.0/24", "protocol": "any", "local_port": "any",
                        "remote_port": "any"},
                       {"local": "10.1.0.0/24", "remote": "10.3.0.0/24", "protocol": 6, "local_port": "any",
                        "remote_port": "443"}]},
        {"name": "rest", "priority": 2000, "action": "discard", "counters": POLICY, "selectors": []}],
        "default": "discard", "exemptions": [{"name": "ike", "condition": "UDP 500"}],
        "tunnels": [{"name": "site-b", "source": "192.0.2.1", "destination": "192.0.2.2", "mode": "tunnel",
                     "udp": False, "path_mtu": 0, "learnt_mtu": 0, "up": True}]},
    "ports": {"ports": [{"name": "lan", "side": "clear", "device": "tap:x", "driver": "net_tap",
                         "mac": "02:00:00:00:01:01", "mtu": 1500, "link": "up", "macsec": False, "companion": "lc-lan",
                         "counters": COUNTERS, "device_counters": DEVICE}]},
    "counters": {"ports": [{"name": "lan", "counters": COUNTERS, "device_counters": DEVICE,
                            "before_pipeline": {"oversize": 1, "refused_length": 0},
                            "verdicts": {"ok": 9, "policy_default": 4, "esp_bad_icv": 0, "from_the_future": 2}}],
                 "policies": [{"name": "site-b", "counters": POLICY}],
                 "macsec": [{"port": "wan", "sci": "02:00:00:00:01:02/1",
                             "counters": {"secy": {"InPktsUntagged": 3, "InPktsNoTag": 0}}}],
                 "sas": [{"label": "tunnel site-b out", "counters": SA}], "fallbacks": 0},
    "live": {"ok": True, "rules": [{"port": "wan", "netdev": "eth2", "rule": "no address", "state": "ok", "found": ""}]},
    "selftest": {"engine": "software", "provider": "openssl 3.0.17", "passed": True, "error": ""},
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        server = self.server
        server.asked.append((self.command, self.path))
        status, body = server.replies.get(self.path, (404, {"error": "no such resource"}))
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if data:
            self.wfile.write(data)

    do_GET = do_POST = answer

    def address_string(self):
        return "unix"

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Daemon(ctl.CtlTest):
    def setUp(self):
        super().setUp()
        self.path = str(self.directory / "control.sock")
        self.server = Server(self.path, Handler)
        self.server.asked = []
        self.server.replies = {f"/v1/{name}": (200, document) for name, document in DOCUMENTS.items()}
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)

    COMMANDS = {"status": ["status"], "sas": ["sa", "list"], "policies": ["policy", "list"], "ports": ["port", "list"],
                "counters": ["counters"], "selftest": ["selftest", "--daemon"]}

    def ask(self, *command, code=0):
        return self.ctl(*command, "--socket", self.path, code=code)

    def test_json_is_the_daemons_document(self):
        for resource, command in self.COMMANDS.items():
            self.assertEqual(self.ask(*command, "--json").json(), DOCUMENTS[resource])
            method = "POST" if resource == "selftest" else "GET"
            self.assertEqual(self.server.asked[-1], (method, f"/v1/{resource}"))

    def test_status_for_people(self):
        out = self.ask("status").out
        for text in ("software: engine software, openssl", "3 of 4096", "request policy lenient: lets clear traffic pass",
                     "request policy strict-now: sealed", "note: no netdev egress hook", "warning: static ESP keys"):
            self.assertIn(text, out)

    def test_a_gateway_with_problems_is_exit_1(self):
        self.server.replies["/v1/status"] = (200, dict(DOCUMENTS["status"], problems=["port wan: forwarding is on"]))
        self.assertIn("problem: port wan: forwarding is on", self.ask("status", code=1).out)

    def test_sas_for_people(self):
        out = self.ask("sa", "list").out
        self.assertRegex(out, r"tunnel site-b out\s+egress\s+spi 0x00001001\s+aes-gcm-256\s+software\s+8\s+7\s+700\s+live")
        self.assertRegex(out, r"02:00:00:00:02:02/1 an 0\s+gcm-aes-xpn-256\s+software\s+77\s+7\s+700\s+expired")

    def test_policies_for_people(self):
        out = self.ask("policy", "list").out
        for text in ("10.1.0.0/24 - 10.2.0.0/24", "10.1.0.0/24 - 10.3.0.0/24 protocol 6 remote port 443",
                     "out require, in request (clear may pass)", "What no policy matches: discard", "UDP 500",
                     "192.0.2.2"):
            self.assertIn(text, out)

    def test_ports_for_people(self):
        self.assertRegex(self.ask("port", "list").out, r"lan\s+clear\s+tap:x\s+02:00:00:00:01:01\s+1500\s+up")

    def test_counters_show_what_counts_and_all_of_it_on_request(self):
        out = self.ask("counters").out
        self.assertRegex(out, r"lan\s+4\s+policy_default\s+dropped: no policy matched")
        self.assertRegex(out, r"lan\s+9\s+ok\s+processed and forwarded")
        self.assertRegex(out, r"lan\s+2\s+from_the_future\s+not known to this version")
        self.assertRegex(out, r"macsec wan secy\s+InPktsUntagged\s+3")
        self.assertRegex(out, r"sa tunnel site-b out\s+duplicate\s+3")
        self.assertRegex(out, r"port lan before_pipeline\s+oversize\s+1")
        self.assertNotIn("esp_bad_icv", out)
        self.assertNotIn("InPktsNoTag", out)
        out = self.ask("counters", "--all").out
        self.assertRegex(out, r"lan\s+0\s+esp_bad_icv\s+dropped: ESP integrity check failed")
        self.assertRegex(out, r"InPktsNoTag\s+0")

    def test_selftest_that_fails(self):
        self.server.replies["/v1/selftest"] = (200, dict(DOCUMENTS["selftest"], passed=False, error="case 3"))
        self.assertIn("case 3", self.ask("selftest", "--daemon", code=1).out)

    # XRT's documents of a card with sensors, as its sources write them.
    CARD = {"where": "daemon",
            "use": {"state": "used", "reason": "", "renewals": 0, "returns": 0, "sas_on_card": 4, "sas_in_software": 1,
                    "sas_moving": 0, "sas_nowhere": 0},
            "card": {"state": "ready", "reason": "", "name": "xilinx_u50_gen3x16_xdma_base_5", "address": "0000:65:00.1",
                     "bitstream_uuid": "x", "abi": "1.0", "mode": "both", "sas": 16384, "emulated": False, "note": "",
                     "sessions": 1, "losses": 0, "lost_jobs": 0, "events": 12, "events_dropped": 3},
            "health": {"reachable": True, "offline": "", "numa_node": 1,
                       "thermal": {"thermals": [
                           {"location_id": "fpga0", "description": "FPGA", "temp_C": "41", "is_present": "true"},
                           {"location_id": "fpga_hbm", "description": "FPGA HBM", "temp_C": "0", "is_present": "false"}]},
                       "electrical": {"power_rails": [
                           {"id": "12v_pex", "description": "12 Volts PCI Express",
                            "voltage": {"volts": "12.105", "is_present": "true"}, "current": {"amps": "1.620", "is_present": "true"}},
                           {"id": "12v_aux", "description": "12 Volts Auxillary",
                            "voltage": {"volts": "0.000", "is_present": "false"},
                            "current": {"amps": "0.000", "is_present": "false"}}]},
                       "memory": None, "pcie": {}}}

    def own_a_card(self):
        offload = dict(DOCUMENTS["status"]["offload"], failover={"state": "used"})
        self.server.replies["/v1/status"] = (200, dict(DOCUMENTS["status"], offload=offload))
        self.server.replies["/v1/card"] = (200, self.CARD)

    def test_sensors_of_a_card_that_has_them(self):
        self.own_a_card()
        out = self.ask("card", "status").out
        self.assertRegex(out, r"thermal: FPGA\s+41 C\n")
        self.assertRegex(out, r"electrical: 12 Volts PCI Express\s+12.105 V\n")
        self.assertRegex(out, r"electrical: 12 Volts PCI Express\s+1.620 A\n")
        self.assertRegex(out, r"events_dropped\s+3\n")
        self.assertRegex(out, r"memory\s+not reported by this card")
        self.assertRegex(out, r"pcie\s+not reported by this card")
        self.assertRegex(out, r"NUMA node\s+1\n")
        self.assertIn("4 on the card, 1 in software, 0 on the way", out)
        for text in ("HBM", "Auxillary", "is_present", "{"):
            self.assertNotIn(text, out)
        self.assertEqual(self.ask("card", "status", "--json").json(), self.CARD)

    def test_a_card_of_a_daemon_is_asked_for_through_it(self):
        self.own_a_card()
        registers = {"where": "daemon", "registers": [{"name": "epoch", "offset": 32, "value": 305419896}]}
        self.server.replies["/v1/card/registers"] = (200, registers)
        self.assertRegex(self.ask("card", "dump").out, r"epoch\s+0x0020\s+0x12345678")
        self.server.replies["/v1/card/selftest"] = (200, {"where": "daemon", "passed": False, "reason": "case 3"})
        self.assertIn("the card fails: case 3", self.ask("card", "selftest", code=1).out)
        self.assertEqual(self.server.asked[-1], ("POST", "/v1/card/selftest"))
        self.server.replies["/v1/card/reset"] = (409, {"error": "the card is being recovered already"})
        self.assertIn("being recovered already", self.ask("card", "reset", code=4).err)
        self.server.replies["/v1/card/reset"] = (200, {"where": "daemon", "use": {}})
        self.ask("card", "reset")
        self.assertEqual(self.server.asked[-2:], [("POST", "/v1/card/reset"), ("GET", "/v1/card")])
        for command in ("load", "accept"):
            self.assertIn("stop linecryptd first", self.ask("card", command, code=4).err)

    def test_a_lost_card_is_exit_1(self):
        self.own_a_card()
        lost = dict(self.CARD, use=dict(self.CARD["use"], state="lost", reason="pulled out"))
        self.server.replies["/v1/card"] = (200, lost)
        self.assertIn("lost: pulled out", self.ask("card", "status", code=1).out)

    def test_live_rules(self):
        config = self.gateway("a")
        done = self.ctl("check", "--live", "--socket", self.path, config, code=0)
        self.assertRegex(done.out, r"wan\s+eth2\s+no address\s+ok")
        document = self.ctl("check", "--live", "--socket", self.path, "--json", config, code=0).json()
        self.assertEqual(document["live"], DOCUMENTS["live"])
        rule = dict(DOCUMENTS["live"]["rules"][0], state="violated", found="192.0.2.9")
        self.server.replies["/v1/live"] = (200, {"ok": False, "rules": [rule]})
        done = self.ctl("check", "--live", "--socket", self.path, config, code=1)
        self.assertRegex(done.out, r"violated\s+192.0.2.9")
        # The configuration names the socket where none is given.
        pathlib.Path(config).write_text(config.read_text().replace(f"{self.directory}/a/control.sock", self.path))
        self.ctl("check", "--live", config, code=1)

    def test_refusals_and_nonsense_of_the_daemon(self):
        for status, body, code, text in ((503, {"error": "the gateway is stopping"}, 4, "the gateway is stopping"),
                                         (404, {"error": 5}, 4, "status 404"), (500, {}, 4, "status 500"),
                                         (200, b"<html>", 3, "no JSON"), (200, b"[]", 3, "no JSON"),
                                         (200, b"", 3, "no JSON"), (200, b'{"a":' * 5000, 3, "no JSON")):
            for resource, command in self.COMMANDS.items():
                self.server.replies[f"/v1/{resource}"] = (status, body)
                self.assertIn(text, self.ask(*command, code=code).err)
                self.assertEqual(self.ask(*command, "--json", code=code).json()["error"]["exit"], code)

    def test_documents_of_another_form_do_not_crash(self):
        odd = [{}, {"sas": 5, "policies": "x", "ports": {"a": 1}, "counters": [], "problems": [1, {}], "warnings": 3},
               {"sas": [1, None, "x", {}], "policies": [1, {"selectors": 7}], "ports": [None, {"verdicts": [1]}],
                "macsec": [1, {"counters": {"x": 4}}], "passed": "yes", "engine": [], "request_policies": [7]}]
        for document in odd:
            for resource, command in self.COMMANDS.items():
                self.server.replies[f"/v1/{resource}"] = (200, document)
                done = self.ctl(*command, "--socket", self.path)
                self.assertIn(done.code, (0, 1))
                self.assertNotIn("json.exception", done.err)

    def test_escape_sequences_of_the_daemon_do_not_reach_the_terminal(self):
        sas = json.loads(json.dumps(DOCUMENTS["sas"]))
        sas["sas"][0]["label"] = "x\x1b[2Jy"
        self.server.replies["/v1/sas"] = (200, sas)
        self.assertNotIn("\x1b", self.ask("sa", "list").out)

    def test_no_daemon(self):
        for command in self.COMMANDS.values():
            for path, text in ((self.directory / "none", "No such file"), (self.directory / ("x" * 120), "longer")):
                done = self.ctl(*command, "--socket", path, code=3)
                self.assertIn(text, done.err)
        # A socket that no one listens at.
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(str(self.directory / "dead"))
        dead.close()
        self.assertIn("refused", self.ctl("status", "--socket", self.directory / "dead", code=3).err)


if __name__ == "__main__":
    unittest.main()
