#!/usr/bin/python3
"""linecryptctl pcap: through one gateway's data path and back through the other's, by file."""
import logging
import os
import random
import struct
import subprocess
import unittest

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.config import conf  # noqa: E402
conf.ipv6_enabled = False
from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.packet import Raw  # noqa: E402
from scapy.utils import PcapNgWriter, PcapReader  # noqa: E402

import ctl  # noqa: E402

MAGIC_MICROSECONDS, MAGIC_NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
# Short form: every size up to 100, then steps that meet every remainder of 4 and 16.
SIZES = range(60, 1401) if ctl.LONG else [*range(60, 101), *range(101, 1400, 27), *range(1397, 1401)]
HOST_A, LAN_A = "02:00:00:00:01:05", "02:00:00:00:01:01"
HOST_B, LAN_B = "02:00:00:00:02:05", "02:00:00:00:02:01"


def frame(size, destination=LAN_A, source_ip="10.1.0.5", target="10.2.0.5", ttl=64):
    """An Ethernet frame of `size` bytes, without padding."""
    payload = bytes((i * 7 + size) & 0xFF for i in range(size - 14 - 20 - 8))
    return bytes(Ether(src=HOST_A, dst=destination) / IP(src=source_ip, dst=target, ttl=ttl, id=size) /
                 UDP(sport=4000, dport=5000) / Raw(payload))


def write_pcap(path, records, magic=MAGIC_MICROSECONDS, link_type=1, snaplen=262144):
    """records: (seconds, fraction, bytes, length on the wire)."""
    data = struct.pack("<IHHiIII", magic, 2, 4, 0, 0, snaplen, link_type)
    for seconds, fraction, content, wire in records:
        data += struct.pack("<IIII", seconds, fraction, len(content), wire) + content
    path.write_bytes(data)


def read_pcap(path):
    """(magic, [(seconds, fraction, bytes)]) of a little-endian classic pcap, by hand: scapy would round the times."""
    data = path.read_bytes()
    magic = struct.unpack_from("<I", data)[0]
    at, records = 24, []
    while at < len(data):
        seconds, fraction, length, wire = struct.unpack_from("<IIII", data, at)
        assert length == wire
        records.append((seconds, fraction, data[at + 16:at + 16 + length]))
        at += 16 + length
    return magic, records


class Pcap(ctl.CtlTest):
    def ends(self, macsec=False, **settings):
        a, b = self.gateway("a", macsec, **settings), self.gateway("b", macsec, **settings)
        self.ctl("key", "enroll", a, code=0)
        self.ctl("key", "enroll", b, code=0)
        return a, b

    def run_way(self, way, config, port, records, code=0, **header):
        source, target = self.directory / "in.pcap", self.directory / "out.pcap"
        write_pcap(source, records, **header)
        target.unlink(missing_ok=True)
        done = self.ctl("pcap", way, "--config", config, "--port", port, source, target, "--json", code=code)
        self.assertEqual([p.name for p in self.directory.glob("*.partial")], [])
        if code != 0:
            self.assertFalse(target.exists())
            return done, []
        search = target.read_bytes()
        ctl.search_for_keys(search, target)
        return done.json(), read_pcap(target)

    def forwarded_twice(self, original):
        """What the second gateway sends for a frame that came in at the first."""
        packet = Ether(original)
        packet.src, packet.dst = LAN_B, HOST_B
        packet[IP].ttl -= self.hops
        del packet[IP].chksum
        return bytes(packet)

    def test_round_trip_of_every_size(self):
        every = [("ipsec-mb", True), ("openssl", False), ("ipsec-mb", False), ("openssl", True)]
        for aead, macsec in every if ctl.LONG else every[:2]:
            with self.subTest(macsec=macsec, aead=aead):
                a, b = self.fresh_ends(macsec, aead)
                originals = [(1700000000 + i, i, frame(size), size) for i, size in enumerate(SIZES)]
                there, (_, black) = self.run_way("protect", a, "lan", originals)
                self.assertEqual(there["in"]["frames"], len(originals))
                self.assertEqual(there["out"]["frames"], len(originals), there)
                self.assertEqual(there["verdicts"], {"ok": len(originals)})
                self.assertEqual(there["dropped"], 0)
                for (seconds, fraction, sealed), (s, f, clear, _) in zip(black, originals):
                    self.assertEqual((seconds, fraction), (s, f))
                    self.assertGreater(len(sealed), len(clear))
                    self.assertEqual(sealed[:6].hex(":"), "02:00:00:00:02:02")
                    self.assertNotIn(clear[50:66] if len(clear) >= 66 else clear[44:60], sealed)
                    self.assertEqual(sealed[12:14] == b"\x88\xe5", macsec)
                back, (_, clear) = self.run_way("unprotect", b, "wan", [(s, f, d, len(d)) for s, f, d in black])
                self.assertEqual(back["verdicts"], {"ok": len(originals)})
                self.hops = 64 - Ether(clear[0][2])[IP].ttl
                self.assertIn(self.hops, (1, 2))
                for (seconds, fraction, got), (s, f, original, _) in zip(clear, originals):
                    self.assertEqual((seconds, fraction), (s, f))
                    self.assertEqual(got, self.forwarded_twice(original))
                # The same capture again: numbers seen before. With ESN one left of the window is taken for one of
                # the next 2^32 and fails its tag (RFC 4303 A2.2).
                again, (_, none) = self.run_way("unprotect", b, "wan", [(s, f, d, len(d)) for s, f, d in black])
                self.assertEqual(none, [])
                self.assertEqual(again["dropped"], len(originals))
                self.assertTrue(set(again["verdicts"]) <=
                                {"replay_late", "replay_duplicate", "esp_bad_icv"}, again)

    def fresh_ends(self, macsec, aead):
        self.count = getattr(self, "count", 0) + 1
        paths = [self.gateway(name, macsec, aead=aead, state=self.directory / name / f"state{self.count}")
                 for name in ("a", "b")]
        for path in paths:
            self.ctl("key", "enroll", path, code=0)
        return paths

    def test_numbers_go_on_from_run_to_run(self):
        a, _ = self.ends()
        seen = set()
        for _ in range(3):
            _, (_, black) = self.run_way("protect", a, "lan", [(1, 1, frame(100), 100)] * 5)
            for _, _, data in black:
                esp = data[14 + 20:]
                self.assertNotIn(esp[:16], seen)  # SPI, sequence number, IV
                seen.add(esp[:16])
        self.assertEqual(len(seen), 15)

    def test_nanoseconds_stay_nanoseconds(self):
        a, _ = self.ends()
        _, (magic, black) = self.run_way("protect", a, "lan", [(7, 123456789, frame(100), 100)], magic=MAGIC_NANOSECONDS)
        self.assertEqual(magic, MAGIC_NANOSECONDS)
        self.assertEqual(black[0][:2], (7, 123456789))
        _, (magic, black) = self.run_way("protect", a, "lan", [(7, 123456, frame(100), 100)])
        self.assertEqual(magic, MAGIC_MICROSECONDS)
        self.assertEqual(black[0][:2], (7, 123456))

    def test_pcapng_is_read(self):
        a, _ = self.ends()
        source, target = self.directory / "in.pcapng", self.directory / "out.pcap"
        writer = PcapNgWriter(str(source))
        writer.write([Ether(frame(100)), Ether(frame(200))])
        writer.close()
        document = self.ctl("pcap", "protect", "--config", a, "--port", "lan", source, target, "--json", code=0).json()
        self.assertEqual(document["out"]["frames"], 2)
        with PcapReader(str(target)) as reader:
            self.assertEqual(len(list(reader)), 2)

    def test_what_may_not_pass_is_dropped_and_counted_by_name(self):
        a, b = self.ends()
        records = [(1, 0, frame(100), 100),                                     # ok
                   (1, 1, frame(100, target="10.9.0.5"), 100),                  # no policy
                   (1, 2, frame(100, destination="02:00:00:00:09:09"), 100),    # another station's
                   (1, 3, frame(100)[:60], 100),                                # cut by the capture
                   (1, 4, frame(100)[:20], 20),                                 # no whole IP header
                   (1, 5, frame(100, ttl=1), 100),                              # at its last hop
                   (1, 6, bytes(Ether(src=HOST_A, dst=LAN_A, type=0x1234) / Raw(b"x" * 60)), 74)]
        document, (_, black) = self.run_way("protect", a, "lan", records)
        self.assertEqual(len(black), 1)
        self.assertEqual(document["in"], {"file": str(self.directory / "in.pcap"), "frames": 7, "truncated": 1})
        verdicts = document["verdicts"]
        self.assertEqual(verdicts.pop("ok"), 1)
        # The sender is told of its packet's end: a frame that the gateway made, for the port it came from.
        self.assertEqual(verdicts.pop("answered"), 1)
        self.assertEqual(document["other_ports"], {"lan": 1})
        self.assertEqual(sum(verdicts.values()), 5, document)
        for verdict in ("policy_default", "wrong_destination_mac", "malformed_ip", "ttl_exceeded", "unknown_ethertype"):
            self.assertIn(verdict, verdicts)
        text = self.ctl("pcap", "protect", "--config", a, "--port", "lan", self.directory / "in.pcap",
                        self.directory / "out.pcap", code=0).out
        self.assertIn("7 frames in", text)
        self.assertIn("truncated", text)
        self.assertIn("policy_default", text)

        # Clear traffic into a protect policy, and a changed packet, from the black side.
        sealed = black[0][2]
        changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        clear_in = bytes(Ether(src="02:00:00:00:01:02", dst="02:00:00:00:02:02") /
                         IP(src="10.1.0.5", dst="10.2.0.5") / UDP() / Raw(b"clear"))
        document, (_, out) = self.run_way("unprotect", b, "wan", [(1, 0, changed, len(changed)),
                                                                  (1, 1, clear_in, len(clear_in)),
                                                                  (1, 2, sealed, len(sealed))])
        self.assertEqual(len(out), 1)
        self.assertEqual(document["verdicts"], {"ok": 1, "esp_bad_icv": 1, "policy_clear_inbound": 1})

    def test_empty_captures_give_empty_captures(self):
        a, _ = self.ends()
        document, (_, black) = self.run_way("protect", a, "lan", [])
        self.assertEqual((document["in"]["frames"], document["out"]["frames"], black), (0, 0, []))

    def test_a_key_in_use_or_not_enrolled_is_refused(self):
        a = self.gateway("a")
        done, _ = self.run_way("protect", a, "lan", [(1, 1, frame(100), 100)], code=4)
        self.assertIn("enroll", done.err)
        self.ctl("key", "enroll", a, code=0)
        daemon = subprocess.Popen([os.environ["HOLD_KEY"], str(a)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(daemon.stdout.close)
        self.assertEqual(daemon.stdout.readline(), b"holding\n")
        done, _ = self.run_way("protect", a, "lan", [(1, 1, frame(100), 100)], code=4)
        self.assertEqual(done.json()["error"]["exit"], 4)
        # Who only reads repeats no number.
        self.run_way("unprotect", a, "wan", [(1, 1, frame(100), 100)], code=0)
        daemon.stdin.close()
        daemon.wait()
        self.run_way("protect", a, "lan", [(1, 1, frame(100), 100)], code=0)

    def test_wrong_input_files(self):
        a, _ = self.ends()
        source, target = self.directory / "in.pcap", self.directory / "out.pcap"

        def refused(expected, file=source, out=target):
            done = self.ctl("pcap", "protect", "--config", a, "--port", "lan", file, out, code=2)
            self.assertIn(expected, done.err)
            self.assertEqual([p for p in self.directory.glob("*.partial")], [])

        refused("No such file", self.directory / "none.pcap")
        source.write_bytes(b"")
        refused("shorter than a file header")
        source.write_bytes(b"not a capture at all, but long enough for a header")
        refused("pcap or pcapng file is needed")
        for link_type, name in ((101, "RAW"), (113, "LINUX_SLL"), (0, "NULL"), (105, "IEEE802_11")):
            write_pcap(source, [(1, 1, frame(100), 100)], link_type=link_type)
            refused(name)
            refused("EN10MB")
        write_pcap(source, [(1, 1, frame(100), 100)])
        source.write_bytes(source.read_bytes()[:-10])  # ends inside its last record
        refused("in.pcap")
        self.assertFalse(target.exists())
        write_pcap(source, [(1, 1, frame(100), 100)])
        refused("one file", out=source)
        refused("No such file", out=self.directory / "none/out.pcap")
        refused("standard input", file="-")
        refused("standard output", out="-")
        (self.directory / "out.pcap.partial").write_bytes(b"someone's")
        done = self.ctl("pcap", "protect", "--config", a, "--port", "lan", source, target, code=2)
        self.assertIn("File exists", done.err)
        self.assertEqual((self.directory / "out.pcap.partial").read_bytes(), b"someone's")

    def test_wrong_arguments_and_configurations(self):
        a, _ = self.ends()
        source, target = self.directory / "in.pcap", self.directory / "out.pcap"
        write_pcap(source, [(1, 1, frame(100), 100)])
        done = self.ctl("pcap", "protect", "--config", a, "--port", "wan", source, target, code=2)
        self.assertIn("allowed are the clear side's ports: lan", done.err)
        done = self.ctl("pcap", "unprotect", "--config", a, "--port", "nowhere", source, target, code=2)
        self.assertIn("no such port, allowed are the black side's ports: wan", done.err)
        self.ctl("pcap", "protect", "--port", "lan", source, target, code=2)
        self.ctl("pcap", "protect", "--config", a, source, target, code=2)
        wrong = self.gateway("a", extra="\n[nonsense]\n")
        done = self.ctl("pcap", "protect", "--config", wrong, "--port", "lan", source, target, code=2)
        self.assertRegex(done.err, r"gateway\.toml:\d+:\d+: ")
        text = self.gateway("a").read_text().replace('mac = "02:00:00:00:01:01"\n', "", 1)
        wrong.write_text(text)
        done = self.ctl("pcap", "protect", "--config", wrong, "--port", "lan", source, target, code=2)
        self.assertIn("port 'lan'", done.err)
        self.assertIn("'mac'", done.err)

    def test_garbage_never_comes_out_and_never_crashes(self):
        _, b = self.ends(macsec=True)
        generator = random.Random(7)
        records = []
        for i in range(400):
            data = bytes(generator.randrange(256) for _ in range(generator.randrange(1, 400)))
            if i % 2:
                data = bytes.fromhex("020000000202" "020000000102") + (b"\x88\xe5" if i % 4 == 1 else b"\x08\x00") + data
            records.append((i, i, data, len(data)))
        document, (_, out) = self.run_way("unprotect", b, "wan", records)
        self.assertEqual(out, [])
        self.assertEqual(sum(document["verdicts"].values()), 400)


if __name__ == "__main__":
    unittest.main()
