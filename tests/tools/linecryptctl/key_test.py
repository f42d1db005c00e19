#!/usr/bin/python3
"""linecryptctl key: enrolled once, listed, forgotten, never shown; refused while in use."""
import base64
import os
import subprocess
import unittest

import ctl


class Search(unittest.TestCase):
    def test_a_key_is_found_in_every_form(self):
        for secret in ctl.KEYS.values():
            for leak in (secret, secret[:32].hex().encode(), secret[:16].hex().upper().encode(),
                         base64.b64encode(secret[:32]), base64.b64encode(b"x" + secret), base64.b64encode(b"xy" + secret)):
                with self.assertRaises(AssertionError):
                    ctl.search_for_keys(b"before " + leak + b" after", "the test")


class Key(ctl.CtlTest):
    def hold(self, path):
        """Another process uses the keys of this configuration."""
        process = subprocess.Popen([os.environ["HOLD_KEY"], str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        self.assertEqual(process.stdout.readline(), b"holding\n")
        return process

    def test_enrolled_once_and_listed(self):
        path = self.gateway("a", macsec=True)
        first = self.ctl("key", "enroll", "--json", path, code=0).json()
        names = [k["name"] for k in first["keys"]]
        self.assertEqual(names, ["tunnel site-b out", "macsec wan tx an 0", "tunnel site-b in 0x00001002",
                                 "macsec wan rx 02:00:00:00:02:02/1 an 0"])
        self.assertEqual(first["refused"], 0)
        again = self.ctl("key", "enroll", "--json", path, code=4).json()
        self.assertEqual(again["refused"], 4)
        self.assertTrue(all("enrolled" in k["reason"] for k in again["keys"]))
        self.ctl("key", "enroll", path, code=4)
        listed = self.ctl("key", "list", "--config", path, "--json", code=0).json()
        self.assertEqual(sorted(k["name"] for k in listed["keys"]), sorted(names))
        for key in listed["keys"]:
            self.assertEqual(set(key), {"name", "direction", "enrolled", "space", "egress_next", "ingress_mark"})
            self.assertEqual(key["direction"], "egress" if " out" in key["name"] or " tx " in key["name"] else "ingress")
            self.assertIs(key["enrolled"], True)
        text = self.ctl("key", "list", "--state-directory", self.directory / "a/state", code=0).out
        self.assertIn("tunnel site-b out", text)
        for file in (self.directory / "a/state").rglob("*"):
            if file.is_file():
                ctl.search_for_keys(file.read_bytes(), file)

    def test_one_key_by_its_names(self):
        for name, count in (("tunnel site-b out", 1), ("site-b", 2), ("tunnel site-b", 2), ("macsec wan", 2), ("wan", 2)):
            with self.subTest(name=name):
                path = self.gateway("a", macsec=True, state=self.directory / "a" / f"state {name}")
                done = self.ctl("key", "enroll", path, name, "--json", code=0).json()
                self.assertEqual(len(done["keys"]), count)
        done = self.ctl("key", "enroll", path, "site", code=2)
        self.assertIn("no key goes by 'site'", done.err)
        self.assertIn("tunnel site-b out", done.err)

    def test_forgotten_is_refused_until_enrolled_again_and_numbers_go_on(self):
        path = self.gateway("a")
        self.ctl("key", "enroll", path, "--next", 5000, code=0)
        self.assertIn("site-b out", self.ctl("key", "forget", "site-b", "--config", path, code=0).out)
        done = self.ctl("key", "forget", "site-b", "--config", path, code=2)
        self.assertIn("no enrolled key", done.err)
        self.ctl("key", "enroll", path, code=0)
        keys = self.ctl("key", "list", "--config", path, "--json", code=0).json()["keys"]
        self.assertTrue(all(k["egress_next"] >= 5000 for k in keys if k["direction"] == "egress"), keys)

    def test_in_use_it_cannot_be_forgotten_nor_used_again(self):
        path = self.gateway("a")
        self.ctl("key", "enroll", path, code=0)
        self.hold(path)
        done = self.ctl("key", "forget", "site-b", "--config", path, "--json", code=4).json()
        self.assertEqual(done["refused"], 2)
        self.ctl("key", "list", "--config", path, code=0)
        second = subprocess.run([os.environ["HOLD_KEY"], str(path)], stdin=subprocess.DEVNULL, capture_output=True,
                                check=False)
        self.assertEqual(second.returncode, 4)

    def test_wrong_input(self):
        path = self.gateway("a")
        self.ctl("key", "enroll", self.directory / "none", code=2)
        self.ctl("key", "enroll", path, "--next", 0, code=2)
        self.ctl("key", "enroll", code=2)
        self.ctl("key", "list", "--config", path, "--state-directory", "/x", code=2)
        (self.directory / "a/a-to-b.hex").chmod(0o644)
        self.assertIn("a-to-b.hex", self.ctl("key", "enroll", path, code=2).err)
        (self.directory / "a/a-to-b.hex").chmod(0o600)
        # Too short, not hex, too long: the message tells what is wrong and never what was in the file.
        good = ctl.KEYS["a-to-b"].hex()
        for text in (good[:-2], good[:-1] + "x", good + "00", "", good[:10] + " " + good[10:]):
            (self.directory / "a/a-to-b.hex").write_text(text)
            self.assertIn("a-to-b.hex", self.ctl("key", "enroll", path, code=2).err)
        # Refused for its state directory.
        path = self.gateway("a", state=self.directory / "open")
        (self.directory / "open").mkdir(mode=0o777)
        (self.directory / "open").chmod(0o777)
        self.assertIn(self.ctl("key", "enroll", path).code, (2, 4))

    def test_one_key_for_both_directions_is_refused(self):
        path = self.gateway("a")
        (self.directory / "a/b-to-a.hex").write_text(ctl.KEYS["a-to-b"].hex())
        done = self.ctl("key", "enroll", path, "--json", code=4).json()
        self.assertEqual(done["refused"], 1)


if __name__ == "__main__":
    unittest.main()
