"""The demonstration's network: two sites, two gateways, one circuit.

    site-a            gw-a                                      gw-b            site-b
    eth0 ──────────── lan0 │ linecryptd │ wan0 ═══circuit═══ wan0 │ linecryptd │ lan0 ──────────── eth0
    10.1.0.2/24       companion 10.1.0.1     192.0.2.1 192.0.2.2      10.2.0.1            10.2.0.2/24
    fd01::2/64        fd01::1                                         fd02::1             fd02::2/64

The circuit is MACsec (GCM-AES-XPN-256); an ESP tunnel (AES-GCM-256, ESN) between 192.0.2.1 and 192.0.2.2 carries the sites' traffic.
"""
import json
import os
import secrets

SITES = {"a": 1, "b": 2}
OUTER = {"a": "192.0.2.1", "b": "192.0.2.2"}
SPI = {"a": 0x1001, "b": 0x2001}  # of the SA that the gateway sends with
SCI = {"a": "02:00:00:00:aa:01/1", "b": "02:00:00:00:bb:01/1"}
MAC = {"a": "02:00:00:00:aa:01", "b": "02:00:00:00:bb:01"}
SSCI = {"a": 1, "b": 2}
CIRCUIT_MTU = 2000  # of the veth netdev: room for SecTAG and ICV around frames of 1500


def other(side):
    return "b" if side == "a" else "a"


class Keys:
    """One demonstration's keys, in files that only root reads."""

    def __init__(self, lab):
        self.lab = lab
        self.esp = {side: secrets.token_hex(32 + 4) for side in SITES}  # key and salt of the SA that the side sends with
        self.sak = secrets.token_hex(32)
        self.macsec_salt = secrets.token_hex(12)
        for side in SITES:
            for name, owner in (("out", side), ("in", other(side))):
                lab.write(f"gw-{side}/keys/esp-{name}.key", self.esp[owner] + "\n")
            for name in ("tx", "rx"):
                lab.write(f"gw-{side}/keys/macsec-{name}.key", self.sak + self.macsec_salt + "\n")
            os.makedirs(lab.path(f"gw-{side}/state"), mode=0o700, exist_ok=True)

    def all_bytes(self):
        """Every secret of this demonstration, for the search through outputs."""
        return [bytes.fromhex(text) for text in (*self.esp.values(), self.sak, self.macsec_salt)]


def card_section(bitstream):
    """[card] for an xclbin; empty without one."""
    return f'\n[card]\nbitstream = "{bitstream}"\nmode = "both"\n' if bitstream else ""


def configuration(lab, side, extra="", offload="software", bitstream=None):
    """The configuration file of one gateway; returns its path."""
    peer = other(side)
    mine, theirs = SITES[side], SITES[peer]
    folder = lab.path(f"gw-{side}")
    return lab.write(f"gw-{side}/linecrypt.toml", f"""\
[gateway]
name = "gw-{side}"
offload = "{offload}"
static_keys = "accept-risk"       # a demonstration: real links get their ESP keys from IKE
state_directory = "{folder}/state"
control_socket = "{folder}/control.sock"
{card_section(bitstream)}
[[port]]
name = "lan"
side = "clear"
device = "af_packet:lan0"
addresses = ["10.{mine}.0.1/24", "fd0{mine}::1/64"]

[[port]]
name = "wan"
side = "black"
device = "af_packet:wan0"
frame_count = 8192
mac = "{MAC[side]}"
addresses = ["{OUTER[side]}/30"]

[[macsec]]
port = "wan"
cipher_suite = "gcm-aes-xpn-256"
sci = "{SCI[side]}"

[[macsec.transmit_sa]]
an = 0
key = "file:{folder}/keys/macsec-tx.key"
ssci = {SSCI[side]}

[[macsec.receive_sc]]
sci = "{SCI[peer]}"

[[macsec.receive_sc.sa]]
an = 0
key = "file:{folder}/keys/macsec-rx.key"
ssci = {SSCI[peer]}

[[tunnel]]
name = "site-{peer}"
mode = "tunnel"
local = "{OUTER[side]}"
remote = "{OUTER[peer]}"
algorithm = "aes-gcm-256"
local_networks = ["10.{mine}.0.0/24", "fd0{mine}::/64"]
remote_networks = ["10.{theirs}.0.0/24", "fd0{theirs}::/64"]

[tunnel.outbound]
spi = 0x{SPI[side]:x}
key = "file:{folder}/keys/esp-out.key"

[[tunnel.inbound]]
spi = 0x{SPI[peer]:x}
key = "file:{folder}/keys/esp-in.key"
{extra}""")


def build_network(lab):
    """Hosts and cables of the picture above."""
    for name in ("site-a", "gw-a", "gw-b", "site-b"):
        lab.host(name)
    lab.link("gw-a", "wan0", "gw-b", "wan0", mtu=CIRCUIT_MTU)
    for side, number in SITES.items():
        site = f"site-{side}"
        lab.link(site, "eth0", f"gw-{side}", "lan0")
        lab.run(site, "ip", "addr", "add", f"10.{number}.0.2/24", "dev", "eth0")
        lab.run(site, "ip", "addr", "add", f"fd0{number}::2/64", "dev", "eth0", "nodad")
        lab.run(site, "ip", "link", "set", "eth0", "up")
        lab.run(site, "ip", "route", "add", "default", "via", f"10.{number}.0.1")
        lab.run(site, "ip", "-6", "route", "add", "default", "via", f"fd0{number}::1")
        # The site's netdev leaves checksums and segments to its wire, as a real one would not: the gateway takes what a real wire has.
        lab.run(site, "ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "off", check=False)
        for netdev in ("lan0", "wan0"):
            # The kernel has no business on these two: without this it sends neighbour discovery on them before linecryptd starts.
            lab.run(f"gw-{side}", "sysctl", "-qw", f"net.ipv6.conf.{netdev}.disable_ipv6=1")
            lab.run(f"gw-{side}", "ip", "link", "set", netdev, "up")


class Gateway:
    """One linecryptd and the linecryptctl that talks to it."""

    def __init__(self, lab, programs, side, config):
        self.lab, self.side, self.config = lab, side, config
        self.host = f"gw-{side}"
        self.daemon = os.path.join(programs, "linecryptd")
        self.ctl = os.path.join(programs, "linecryptctl")
        self.socket = lab.path(self.host, "control.sock")
        self.program = None

    def enroll(self):
        return self.lab.run(self.host, self.ctl, "key", "enroll", self.config)

    def start(self, log="linecryptd"):
        self.program = self.lab.start(self.host, f"{self.host}/{log}", self.daemon, "--config", self.config)
        return self

    def wait_ready(self, seconds=30):
        self.program.wait_for("ready", seconds)

    def query(self, *command):
        """The answer of `linecryptctl COMMAND --json`."""
        return self.lab.json(self.host, self.ctl, *command, "--socket", self.socket, "--json")


def macsec_key_file(lab, keys):
    """What tools/interop/macsec_peer.py needs to take MACsec off the circuit."""
    scs = [{"sci": SCI[side], "ssci": SSCI[side], "sas": [{"an": 0, "key": keys.sak, "salt": keys.macsec_salt}]} for side in SITES]
    return lab.write("macsec-keys.json", json.dumps({"suite": "gcm-aes-xpn-256", "scs": scs}))


def esp_sas(keys):
    return [(OUTER[side], OUTER[other(side)], SPI[side], keys.esp[side]) for side in SITES]


def outer_addresses():
    return {bytes(int(part) for part in address.split(".")) for address in OUTER.values()}
