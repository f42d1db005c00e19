"""What a capture of the circuit proves: nothing on it is in clear, and what is on it decrypts to what was sent.

The checks share no code with linecrypt: MACsec is taken off by tools/interop/macsec_peer.py (OpenSSL), ESP by tshark.
"""
import collections
import json
import os
import struct
import subprocess

from lab import LabError

MACSEC, ARP, IPV4, IPV6 = 0x88E5, 0x0806, 0x0800, 0x86DD
ESP, ICMPV6 = 50, 58


def frames(path):
    """The frames of a classic pcap file."""
    with open(path, "rb") as file:
        header = file.read(24)
        magic = struct.unpack("<I", header[:4])[0]
        if magic not in (0xA1B2C3D4, 0xA1B23C4D):
            raise LabError(f"{path}: not a little-endian pcap file")
        while len(record := file.read(16)) == 16:
            length = struct.unpack("<I", record[8:12])[0]
            yield file.read(length)


def require(condition, text):
    if not condition:
        raise LabError(text)


def only_macsec(path, secrets):
    """Every frame carries a SecTAG with E and C set, and none of the `secrets` stands anywhere in the file. Returns the count."""
    types = collections.Counter()
    for frame in frames(path):
        ethertype = int.from_bytes(frame[12:14], "big")
        types[ethertype] += 1
        require(ethertype == MACSEC, f"{path}: a frame of EtherType 0x{ethertype:04x} stands on the circuit outside MACsec")
        require(frame[14] & 0x0C == 0x0C, f"{path}: a MACsec frame is not encrypted (TCI/AN 0x{frame[14]:02x})")
    require(types[MACSEC] > 0, f"{path}: no frame was captured: nothing is proved")
    no_secret(path, secrets)
    return types[MACSEC]


def no_secret(path, secrets):
    with open(path, "rb") as file:
        data = file.read()
    for secret in secrets:
        require(secret not in data, f"{path}: clear bytes {secret!r} stand in the capture")


def take_macsec_off(capture, clear, keys, lab):
    """Decrypts `capture` into `clear` with the independent script; returns its counts."""
    tool = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "interop", "macsec_peer.py")
    return json.loads(lab.run(None, "/usr/bin/python3", tool, "unprotect", "--keys", keys, capture, clear))


def only_esp(path, secrets, outer):
    """Below MACsec there is ESP between the two `outer` addresses, and the gateways' own ARP and neighbour discovery."""
    kinds = collections.Counter()
    for frame in frames(path):
        ethertype = int.from_bytes(frame[12:14], "big")
        if ethertype == ARP:
            kinds["arp"] += 1
        elif ethertype == IPV4:
            addresses = {frame[26:30], frame[30:34]}
            require(frame[23] == ESP and addresses == outer, f"{path}: IPv4 protocol {frame[23]} stands below MACsec outside ESP")
            kinds["esp"] += 1
        elif ethertype == IPV6:
            # Neighbour discovery and multicast listener reports of the gateways' own black-side interfaces.
            inner = frame[20] if frame[20] != 0 else frame[54]
            require(inner == ICMPV6, f"{path}: IPv6 next header {inner} stands below MACsec outside ESP")
            kinds["nd"] += 1
        else:
            raise LabError(f"{path}: EtherType 0x{ethertype:04x} stands below MACsec")
    no_secret(path, secrets)
    require(kinds["esp"] > 0, f"{path}: no ESP below MACsec: nothing is proved")
    return kinds


def tshark_profile(folder, sas):
    """A Wireshark profile that holds the ESP keys (in a file: never on a command line). sas: (source, destination, spi, key hex)."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    lines = [f'"IPv4","{source}","{destination}","0x{spi:08x}","AES-GCM with 16 octet ICV [RFC4106]","0x{key}","NULL",""\n'
             for source, destination, spi, key in sas]
    descriptor = os.open(os.path.join(folder, "esp_sa"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(lines)
    return folder


def tshark_sum(path, profile, expression, field="tcp.len"):
    """Sum of a field over the packets that match, after tshark decrypted ESP: (packets, sum)."""
    done = subprocess.run(["tshark", "-n", "-r", path, "-o", "esp.enable_encryption_decode:TRUE", "-o", "tcp.analyze_sequence_numbers:FALSE",
                           "-o", "tcp.desegment_tcp_streams:FALSE", "-Y", expression, "-T", "fields", "-e", field],
                          env={**os.environ, "WIRESHARK_CONFIG_DIR": profile}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600)
    require(done.returncode == 0, f"tshark: {done.stderr[-800:]}")
    values = [int(part) for line in done.stdout.split("\n") for part in line.split(",") if part.strip().isdigit()]
    return len(values), sum(values)
