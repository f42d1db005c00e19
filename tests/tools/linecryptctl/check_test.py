#!/usr/bin/python3
"""linecryptctl check: every wrong configuration under tests/host/config/wrong, by file, line and column."""
import re
import unittest

import ctl


class Check(ctl.CtlTest):
    def test_a_right_file_is_valid(self):
        path = self.gateway("a", macsec=True)
        done = self.ctl("check", path, code=0)
        self.assertIn("valid", done.out)
        document = self.ctl("check", "--json", path, code=0).json()
        self.assertEqual(set(document), {"file", "valid", "errors", "warnings"})
        self.assertIs(document["valid"], True)
        self.assertEqual(document["errors"], [])
        for warning in document["warnings"]:
            self.assertEqual(set(warning), {"file", "line", "column", "message"})

    def test_every_wrong_file_is_named_by_line_and_column(self):
        files = sorted((ctl.SOURCE / "tests/host/config/wrong").glob("*.toml"))
        self.assertGreater(len(files), 60)
        files = files if ctl.LONG else files[::3]
        for file in files:
            text = file.read_text()
            expected = re.findall(r"^# expect (\d+:\d+): (.*)$", text, re.MULTILINE)
            copy = self.directory / file.name
            copy.write_text(text)
            copy.chmod(0o600)
            with self.subTest(file=file.name):
                document = self.ctl("check", "--json", copy, code=1).json()
                self.assertIs(document["valid"], False)
                if ctl.LONG or len(expected) > 1:
                    out = self.ctl("check", copy, code=1).out
                    for place, message in expected:
                        self.assertIn(f"{copy}:{place}: {message}", out)
                for place, message in expected:
                    line, column = map(int, place.split(":"))
                    self.assertTrue(any((e["line"], e["column"]) == (line, column) and e["message"].startswith(message)
                                        for e in document["errors"]), (place, message))

    def test_a_file_that_is_not_there_or_that_others_may_write_is_refused(self):
        done = self.ctl("check", self.directory / "none.toml", code=1)
        self.assertIn("none.toml", done.out)
        path = self.gateway("a")
        path.chmod(0o666)
        self.ctl("check", path, code=1)

    def test_arguments(self):
        self.ctl("check", code=2)
        self.ctl("check", "a", "b", code=2)
        self.ctl("check", "--no-such", "a", code=2)
        error = self.ctl("check", "--json", code=2).json()
        self.assertEqual(error["error"]["exit"], 2)

    def test_live_without_a_daemon_says_so(self):
        path = self.gateway("a")
        done = self.ctl("check", "--live", path, code=3)
        self.assertIn(f"{self.directory}/a/control.sock", done.err)
        document = self.ctl("check", "--live", "--json", path, code=3).json()
        self.assertIs(document["valid"], True)
        self.assertIn("no linecryptd", document["live"]["error"])


if __name__ == "__main__":
    unittest.main()
