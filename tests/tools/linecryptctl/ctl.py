"""What the tests of linecryptctl share: running it, two gateways' configurations, keys that must never be seen."""
import base64
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["LINECRYPTCTL"]
LONG = os.environ.get("LINECRYPT_LONG") == "1"  # every size and every file, not a part of them
SOURCE = pathlib.Path(os.environ["LINECRYPT_SOURCE"])

_random = random.Random(20240731)


def _bytes(count):
    return bytes(_random.randrange(256) for _ in range(count))


# Key and salt of each SA. Every output of every run is searched for all of them.
KEYS = {"a-to-b": _bytes(36), "b-to-a": _bytes(36), "macsec-a": _bytes(44), "macsec-b": _bytes(44)}


def _traces(secret):
    """What a leak of a key could look like."""
    parts = [secret[:32], secret[:16], secret]
    for part in parts:
        yield part
        yield part.hex().encode()
        yield part.hex().upper().encode()
        for shift in range(3):  # base64 of the key inside something longer
            coded = base64.b64encode(b"\0" * shift + part)
            yield coded[4 if shift else 0:-4]


TRACES = [trace for secret in KEYS.values() for trace in _traces(secret)]


class Done:
    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout.decode()
        self.err = process.stderr.decode()

    def json(self):
        return json.loads(self.out)


def search_for_keys(data, where):
    for trace in TRACES:
        if trace in data:
            raise AssertionError(f"a test key is in {where}")


class CtlTest(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="linecryptctl-"))
        self.addCleanup(shutil.rmtree, self.directory)

    def ctl(self, *arguments, code=None):
        """Runs linecryptctl; no output may hold a key."""
        process = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, timeout=60, check=False)
        search_for_keys(process.stdout, f"the output of {arguments}")
        search_for_keys(process.stderr, f"the errors of {arguments}")
        done = Done(process)
        if code is not None:
            self.assertEqual(done.code, code, f"{arguments}\n{done.out}\n{done.err}")
        return done

    def gateway(self, name, macsec=False, extra="", **settings):
        """Writes one end's configuration and keys; returns its path."""
        here = {"a": "a", "b": "b"}[name]
        other = {"a": "b", "b": "a"}[name]
        number = {"a": 1, "b": 2}
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        for key, secret in KEYS.items():
            file = directory / f"{key}.hex"
            file.write_text(secret.hex() + "\n")
            file.chmod(0o600)
        values = {
            "name": name, "directory": directory, "here": number[here], "there": number[other],
            "out": f"{here}-to-{other}", "in": f"{other}-to-{here}", "other": other,
            "state": directory / "state", "aead": "auto", "lan_mtu": 1500, "wan_mtu": 1600,
        }
        values.update(settings)
        text = """
[gateway]
name = "{name}"
aead = "{aead}"
static_keys = "accept-risk"
state_directory = "{state}"
control_socket = "{directory}/control.sock"

[[port]]
name = "lan"
side = "clear"
device = "ring:lan"
mtu = {lan_mtu}
mac = "02:00:00:00:0{here}:01"
addresses = ["10.{here}.0.1/24"]

[[port]]
name = "wan"
side = "black"
device = "ring:wan"
mtu = {wan_mtu}
mac = "02:00:00:00:0{here}:02"
addresses = ["192.0.2.{here}/24"]

[[neighbour]]
port = "lan"
address = "10.{here}.0.5"
mac = "02:00:00:00:0{here}:05"

[[neighbour]]
port = "wan"
address = "192.0.2.{there}"
mac = "02:00:00:00:0{there}:02"

[[tunnel]]
name = "site-{other}"
local = "192.0.2.{here}"
remote = "192.0.2.{there}"
local_networks = ["10.{here}.0.0/24"]
remote_networks = ["10.{there}.0.0/24"]
[tunnel.outbound]
spi = 0x100{here}
key = "file:{directory}/{out}.hex"
[[tunnel.inbound]]
spi = 0x100{there}
key = "file:{directory}/{in}.hex"
""".format(**values)
        if macsec:
            text += """
[[macsec]]
port = "wan"
cipher_suite = "gcm-aes-xpn-256"
[[macsec.transmit_sa]]
an = 0
ssci = {here}
key = "file:{directory}/macsec-{name}.hex"
[[macsec.receive_sc]]
sci = "02:00:00:00:0{there}:02/1"
[[macsec.receive_sc.sa]]
an = 0
ssci = {there}
key = "file:{directory}/macsec-{other}.hex"
""".format(**values)
        path = directory / "gateway.toml"
        path.write_text(text + extra)
        path.chmod(0o600)
        return path
