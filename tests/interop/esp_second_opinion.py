#!/usr/bin/python3
"""ESP against two independent implementations, in both directions: scapy encrypts and decrypts, tshark decrypts and checks ICVs.

    esp_second_opinion.py LINECRYPTCTL      (exit 77 with the reason where scapy or tshark is missing)

Each case is a tunnel: cipher x ESN x outer family x UDP encapsulation, with IPv4 and IPv6 packets of many sizes inside.
protect: linecryptctl makes ESP from clear frames, scapy must find the same packets in it (TTL one less: the gateway forwarded them).
unprotect: scapy makes ESP, linecryptctl must find the same packets; one with a flipped bit and one sent twice must be dropped.
"""
import itertools
import json
import os
import secrets
import subprocess
import sys
import tempfile

try:
    import logging
    logging.getLogger("scapy").setLevel(logging.ERROR)
    from scapy.all import ESP, IP, UDP, Ether, IPv6, Raw, rdpcap, wrpcap
    from scapy.layers.ipsec import SecurityAssociation
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

LAN, LAN_HOST, WAN, PEER = "02:00:00:00:00:0a", "02:00:00:00:00:1a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"
OUTER = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8:f::1", "2001:db8:f::2")}
SIZES = [1, 2, 3, 4, 5, 15, 16, 17, 31, 64, 100, 333, 512, 999, 1200]
SPI_OUT, SPI_IN = 0x1001, 0x2001


def configuration(folder, key_bits, esn, family, nat):
    local, remote = OUTER[family]
    prefix = 30 if family == 4 else 64
    path = os.path.join(folder, "gateway.toml")
    with open(path, "w") as file:
        file.write(f"""\
[gateway]
static_keys = "accept-risk"
state_directory = "{folder}/state"
[[port]]
name = "lan"
side = "clear"
device = "pcap:rx={folder}/unused-rx,tx={folder}/unused-tx"
mac = "{LAN}"
addresses = ["10.1.0.1/24", "fd01::1/64"]
[[port]]
name = "wan"
side = "black"
device = "pcap:rx={folder}/unused-rx2,tx={folder}/unused-tx2"
mac = "{WAN}"
addresses = ["{local}/{prefix}"]
[[neighbour]]
port = "wan"
address = "{remote}"
mac = "{PEER}"
[[neighbour]]
port = "lan"
address = "10.1.0.2"
mac = "{LAN_HOST}"
[[neighbour]]
port = "lan"
address = "fd01::2"
mac = "{LAN_HOST}"
[[tunnel]]
name = "peer"
local = "{local}"
remote = "{remote}"
algorithm = "aes-gcm-{key_bits}"
esn = {"true" if esn else "false"}
{"udp_encapsulation = {source_port = 4500, destination_port = 4500}" if nat else ""}
local_networks = ["10.1.0.0/24", "fd01::/64"]
remote_networks = ["10.2.0.0/24", "fd02::/64"]
[tunnel.outbound]
spi = {SPI_OUT}
key = "file:{folder}/out.key"
[[tunnel.inbound]]
spi = {SPI_IN}
key = "file:{folder}/in.key"
""")
    return path


def associations(keys, esn, family, nat):
    """scapy's view of both SAs: (ours out, theirs in)."""
    local, remote = OUTER[family]
    layer = IP if family == 4 else IPv6
    made = []
    for spi, key, source, destination in ((SPI_OUT, keys["out"], local, remote), (SPI_IN, keys["in"], remote, local)):
        made.append(SecurityAssociation(ESP, spi=spi, seq_num=1, crypt_algo="AES-GCM", crypt_key=key, esn_en=esn, esn=0,
                                        tunnel_header=layer(src=source, dst=destination)))
    return made


def inner(version, size, outbound, ttl):
    ends = ("10.1.0.2", "10.2.0.2") if version == 4 else ("fd01::2", "fd02::2")
    source, destination = ends if outbound else ends[::-1]
    data = UDP(sport=40001, dport=40002) / Raw(bytes(i * 7 & 255 for i in range(size)))
    header = IP(src=source, dst=destination, ttl=ttl, id=size) if version == 4 else IPv6(src=source, dst=destination, hlim=ttl)
    return type(header)(bytes(header / data))


def esp_of(frame, family, nat):
    """The bytes from the outer IP header on, with UDP taken away, as scapy's decrypt() wants them."""
    packet = frame[IP if family == 4 else IPv6]
    if not nat:
        return packet
    if packet[UDP].sport != 4500 or packet[UDP].dport != 4500:
        raise SystemExit("UDP ports are not 4500")
    raw = bytes(packet[UDP].payload)
    if family == 4:
        return IP(bytes(IP(src=packet.src, dst=packet.dst, proto=50, ttl=packet.ttl, id=packet.id) / Raw(raw)))
    return IPv6(bytes(IPv6(src=packet.src, dst=packet.dst, nh=50, hlim=packet.hlim) / Raw(raw)))


def with_udp(packet, family):
    """Puts UDP 4500 around scapy's ESP (its own nat_t_header leaves the length wrong)."""
    raw = bytes(packet.payload)
    header = IP(src=packet.src, dst=packet.dst) if family == 4 else IPv6(src=packet.src, dst=packet.dst)
    udp = UDP(sport=4500, dport=4500, chksum=0) if family == 4 else UDP(sport=4500, dport=4500)
    return type(header)(bytes(header / udp / Raw(raw)))


def run(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def require(condition, text):
    if not condition:
        raise SystemExit(text)


def tshark_checks(folder, keys, family, count, esn):
    """tshark decrypts every packet; without ESN (which 4.0 does not know) it also checks every ICV."""
    profile = os.path.join(folder, "profile")
    os.makedirs(profile, mode=0o700, exist_ok=True)
    descriptor = os.open(os.path.join(profile, "esp_sa"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        local, remote = OUTER[family]
        file.write(f'"IPv{family}","{local}","{remote}","0x{SPI_OUT:08x}","AES-GCM with 16 octet ICV [RFC4106]","0x{keys["out"].hex()}","NULL",""\n')
    wanted = "udp.dstport == 40002" + ("" if esn else " && esp.icv_good == 1")
    done = subprocess.run(["tshark", "-n", "-r", os.path.join(folder, "black.pcap"), "-o", "esp.enable_encryption_decode:TRUE",
                           "-o", "esp.enable_authentication_check:TRUE", "-Y", wanted, "-T", "fields", "-e", "frame.number"],
                          env={**os.environ, "WIRESHARK_CONFIG_DIR": profile}, capture_output=True, text=True, timeout=120)
    found = len(done.stdout.split())
    require(done.returncode == 0 and found == count, f"tshark decrypted {found} of {count} packets: {done.stderr[-500:]}")


def one_case(ctl, key_bits, esn, family, nat):
    with tempfile.TemporaryDirectory(prefix="esp-interop-") as folder:
        os.chmod(folder, 0o700)
        keys = {name: secrets.token_bytes(key_bits // 8 + 4) for name in ("out", "in")}
        for name, key in keys.items():
            with os.fdopen(os.open(os.path.join(folder, f"{name}.key"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(key.hex() + "\n")
        config = configuration(folder, key_bits, esn, family, nat)
        os.mkdir(os.path.join(folder, "state"), 0o700)
        run(ctl, "key", "enroll", config)
        theirs_view, peer = associations(keys, esn, family, nat)

        # protect: we encrypt, scapy and tshark decrypt.
        clear = [inner(version, size, True, 64) for version in (4, 6) for size in SIZES]
        wrpcap(f"{folder}/clear.pcap", [Ether(src=LAN_HOST, dst=LAN) / packet for packet in clear])
        run(ctl, "pcap", "protect", "--config", config, "--port", "lan", f"{folder}/clear.pcap", f"{folder}/black.pcap")
        black = rdpcap(f"{folder}/black.pcap")
        require(len(black) == len(clear), f"protect: {len(clear)} in, {len(black)} out")
        for sent, frame in zip(clear, black):
            require(frame.src == WAN and frame.dst == PEER, f"outer frame {frame.summary()}")
            got = theirs_view.decrypt(esp_of(frame, family, nat))
            expected = inner(4 if IP in sent else 6, len(sent[Raw].load), True, 63)
            require(bytes(got) == bytes(expected), f"scapy finds {bytes(got).hex()}\nexpected {bytes(expected).hex()}")
        if not (nat and family == 6):  # tshark 4.0 matches its SAs by the outer addresses; ESP in UDP over IPv6 as well, but not its port
            tshark_checks(folder, keys, family, len(clear), esn)

        # unprotect: scapy encrypts, we decrypt; a flipped bit and a second copy are dropped.
        back = [inner(version, size, False, 64) for version in (4, 6) for size in SIZES]
        frames = []
        for packet in [*back, back[0]]:
            made = peer.encrypt(packet)
            frames.append(Ether(src=PEER, dst=WAN) / (with_udp(made, family) if nat else made))
        broken = bytearray(bytes(frames.pop()))
        broken[-20] ^= 1
        frames += [Ether(bytes(broken)), frames[1]]
        wrpcap(f"{folder}/black-in.pcap", frames)
        answer = json.loads(run(ctl, "pcap", "unprotect", "--json", "--config", config, "--port", "wan",
                                f"{folder}/black-in.pcap", f"{folder}/clear-out.pcap"))
        opened = rdpcap(f"{folder}/clear-out.pcap")
        require(len(opened) == len(back), f"unprotect: {len(back)} good in, {len(opened)} out: {answer}")
        for sent, frame in zip(back, opened):
            expected = inner(4 if IP in sent else 6, len(sent[Raw].load), False, 63)
            got = bytes(frame[IP if IP in sent else IPv6])[:len(bytes(expected))]
            require(got == bytes(expected), f"we find {got.hex()}\nexpected {bytes(expected).hex()}")
        # Over IPv6 the UDP checksum sees the flipped bit first.
        broken_verdict = "esp_bad_udp" if nat and family == 6 else "esp_bad_icv"
        require(answer["verdicts"].get(broken_verdict) == 1 and answer["verdicts"].get("replay_duplicate") == 1,
                f"the flipped and the repeated packet: {answer['verdicts']}")
        return len(clear) + len(back)


def main(ctl):
    cases = packets = 0
    for key_bits, esn, family, nat in itertools.product((128, 192, 256), (False, True), (4, 6), (False, True)):
        try:
            packets += one_case(ctl, key_bits, esn, family, nat)
        except SystemExit as error:
            raise SystemExit(f"aes-gcm-{key_bits} esn={esn} outer IPv{family} udp={nat}: {error}") from None
        cases += 1
    print(f"{cases} cases, {packets} packets: scapy and tshark agree with linecrypt")


if __name__ == "__main__":
    main(sys.argv[1])
