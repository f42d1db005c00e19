"""The main job on real traffic, and its proof. Called by tools/quickstart inside tools/lab-shell."""
import argparse
import hashlib
import os
import re
import shutil
import signal
import sys
import time

import gateways
import load
import proof
from lab import Lab, LabError, progress, wait_until

MARKER = b"LINECRYPT-CLEAR-MARK"
HTTP_PORT = 8080


def make_file(path, size):
    """`size` bytes in lines of 64, each with the marker and its own number; returns the SHA-256."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for block in range(size // (64 * 4096)):
            data = b"".join(MARKER + b"-%016d-%s\n" % (block * 4096 + i, b"x" * 26) for i in range(4096))
            digest.update(data)
            file.write(data)
    return digest.hexdigest()


def received(lab, host):
    return load.netdev(lab, host, "wan0")["rx"]["packets"]


def capture(lab, host):
    """tcpdump at the receiving end of the circuit: what arrived, before anything else sees it. Its buffer holds the whole load.
    Returns it and the netdev's count at its start."""
    program = lab.start(host, f"{host}/capture", "tcpdump", "-i", "wan0", "-Q", "in", "-s", "0", "-B", "262144", "-U", "-Z", "root",
                        "-w", lab.path(f"{host}/circuit.pcap"))
    program.wait_for("listening on")
    return program, received(lab, host)


def stop_capture(lab, host, program, before):
    """Ends tcpdump; an incomplete capture proves nothing. The kernel hands frames over in blocks, a last half-full one late."""
    due = received(lab, host) - before
    path = lab.path(f"{host}/circuit.pcap")
    wait_until(lambda: sum(1 for _ in proof.frames(path)) >= due, 20, f"{path}: {due} frames in the capture")
    program.stop(signal.SIGINT)
    dropped = re.search(r"(\d+) packets dropped by kernel", program.log())
    if not dropped or int(dropped.group(1)) != 0:
        raise LabError(f"{program.name}: the capture is incomplete:\n{program.log()[-400:]}")


def ping(lab, host, address, count=5):
    output = lab.run(host, "ping", "-c", str(count), "-i", "0.05", "-W", "2", "-s", "56", "-p", MARKER[:16].hex(), address)
    return re.search(r"rtt .* = [\d.]+/([\d.]+)/", output).group(1)


def download(lab, size_text, digest):
    """curl in site A fetches the file from site B; returns Mb/s after the checksum was compared."""
    started = time.monotonic()
    lab.run("site-a", "curl", "-sS", "--fail", "--max-time", "300", "-o", lab.path("site-a/got"), f"http://10.2.0.2:{HTTP_PORT}/file", timeout=320)
    seconds = time.monotonic() - started
    with open(lab.path("site-a/got"), "rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()
    if got != digest:
        raise LabError(f"the downloaded {size_text} differ: SHA-256 {got}, sent {digest}")
    size = os.path.getsize(lab.path("site-a/got"))
    os.remove(lab.path("site-a/got"))
    return size * 8 / seconds / 1e6


def secrets_in_outputs(lab, keys):
    """Searches every file the run wrote, but the key files, for key bytes: raw and hex in both cases. Returns files searched."""
    needles = []
    for secret in keys.all_bytes():
        for part in (secret[:16], secret[-16:]):
            needles += [part, part.hex().encode(), part.hex().upper().encode()]
    searched = 0
    for folder, _, names in os.walk(lab.folder):
        if os.path.basename(folder) in ("keys", "profile"):
            continue
        for name in names:
            if name in ("macsec-keys.json", "file"):
                continue
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            searched += 1
            if any(needle in data for needle in needles):
                raise LabError(f"{os.path.join(folder, name)} holds key bytes")
    return searched


def prove(lab, keys, size):
    """Takes both captures apart. Returns lines for the summary."""
    lines = []
    key_file = gateways.macsec_key_file(lab, keys)
    profile = proof.tshark_profile(lab.path("profile"), gateways.esp_sas(keys))
    for host, sender in (("gw-a", "b"), ("gw-b", "a")):
        circuit, clear = lab.path(f"{host}/circuit.pcap"), lab.path(f"{host}/without-macsec.pcap")
        count = proof.only_macsec(circuit, [MARKER])
        taken = proof.take_macsec_off(circuit, clear, key_file, lab)
        proof.require(taken["frames"] == count and taken["good"] == count, f"{circuit}: the OpenSSL script opened {taken} of {count} frames")
        kinds = proof.only_esp(clear, [MARKER], gateways.outer_addresses())
        lines.append(f"received at {host}: {count} frames, all MACsec, every tag good by OpenSSL; below: {kinds['esp']} ESP, {kinds['arp']} ARP, {kinds['nd']} ND")
        if sender == "b":  # the download's direction
            packets, payload = proof.tshark_sum(clear, profile, f"ip.src == 10.2.0.2 && tcp.srcport == {HTTP_PORT} && tcp.len > 0")
            proof.require(payload >= size, f"tshark found {payload} bytes of the download in ESP, {size} were sent")
            marked, _ = proof.tshark_sum(clear, profile, f'ip.src == 10.2.0.2 && tcp.payload contains "{MARKER.decode()}"')
            proof.require(marked >= packets * 9 // 10, f"tshark: only {marked} of {packets} decrypted segments carry the marker")
            lines.append(f"tshark with the keys: {packets} TCP segments, {payload / 1e6:.1f} MB of the download inside that ESP, {marked} with the file's marker")
    return lines


def on_card(status):
    """Where the SAs were, when a card took part: all of them must have been there."""
    if status["offload"]["mode"] != "card":
        return ""
    failover = status["offload"]["failover"]
    if failover["failovers"] or not failover["sas"]["primary"]:
        raise LabError(f"the SAs were not on the card all the time: {failover}")
    return f"\n  the card            emulated, through XRT: {failover['sas']['primary']} SAs on it, never lost"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    parser.add_argument("--folder", default="/run/lab")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--keep")
    parser.add_argument("--engine", choices=("software", "card"), default="software")
    parser.add_argument("--bitstream", help="with --engine card: the xclbin")
    options = parser.parse_args()
    card = options.engine == "card"
    # The emulated card computes each beat of each kernel: it shows that all is right, not how fast a card is.
    if card:
        load.RATE = "4M"
    size = (8 if options.short or card else 100) * 1024 * 1024
    size_text = f"{size // 1024 // 1024} MB"
    with Lab(options.folder) as lab:
        try:
            run(lab, os.path.abspath(options.programs), size, size_text, options)
        finally:
            if options.keep:
                shutil.copytree(lab.folder, options.keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock", "keys", "profile", "macsec-keys.json"))


def run(lab, programs, size, size_text, options):
    progress("[3/7] two sites, two gateways, one circuit: namespaces, keys, configurations")
    gateways.build_network(lab)
    keys = gateways.Keys(lab)
    pair = {side: gateways.Gateway(lab, programs, side, gateways.configuration(lab, side, offload=options.engine, bitstream=options.bitstream)) for side in gateways.SITES}
    os.makedirs(lab.path("site-a"))
    os.makedirs(lab.path("site-b"))
    digest = make_file(lab.path("site-b/file"), size)

    progress("[4/7] gateways: check, enrol keys, start")
    for gateway in pair.values():
        lab.run(gateway.host, gateway.ctl, "check", gateway.config)
        gateway.enroll()
        gateway.start()
    for gateway in pair.values():
        gateway.wait_ready()
    captures = {host: capture(lab, host) for host in ("gw-a", "gw-b")}
    http = lab.start("site-b", "site-b/http", "/usr/bin/python3", "-u", "-m", "http.server", str(HTTP_PORT), "--directory", lab.path("site-b"))
    http.wait_for("Serving HTTP")
    iperf = lab.start("site-b", "site-b/iperf3", "iperf3", "-s", "--forceflush")
    iperf.wait_for("Server listening")
    for address in ("10.2.0.2", "fd02::2"):
        wait_until(lambda to=address: lab.run("site-a", "ping", "-c", "1", "-W", "1", to, check=False)[0] == 0, 20, f"first ping of {address} through the tunnel")

    progress(f"[5/7] traffic: ping, iperf3, a download of {size_text}; both ends of the circuit are captured")
    rtt4, rtt6 = ping(lab, "site-a", "10.2.0.2"), ping(lab, "site-a", "fd02::2")
    tcp = load.tcp_mbps(lab, seconds=1)
    mbps = download(lab, size_text, digest)
    for host, (program, before) in captures.items():
        stop_capture(lab, host, program, before)

    progress("[6/7] proof: the captures, taken apart by OpenSSL and tshark")
    lines = prove(lab, keys, size)

    progress(f"[7/7] load: {load.RATE}b/s of UDP, every frame accounted for")
    loss = load.udp_loss(lab, pair, runs=1 if options.short else 3)
    status = pair["a"].query("status")
    for gateway in pair.values():
        code = gateway.program.stop()
        if code != 0:
            raise LabError(f"{gateway.host}: linecryptd ended with code {code} after SIGTERM:\n{gateway.program.log()[-1500:]}")
    searched = secrets_in_outputs(lab, keys)

    print(f"""
What just happened
  Two gateways protected the link between two sites: ESP (AES-GCM-256, ESN) inside MACsec (GCM-AES-XPN-256), AES by {status['offload']['provider']}.{on_card(status)}
  ping                IPv4 {rtt4} ms, IPv6 {rtt6} ms
  iperf3 TCP          {tcp:.0f} Mb/s (while both ends were captured)
  download            {size_text} at {mbps:.0f} Mb/s, SHA-256 equal
  the circuit         {lines[0]}
                      {lines[1]}
                      {lines[2]}
                      the file's marker stands nowhere in either capture
  loss at {load.RATE + 'b/s':<12}{loss.summary}
                      {loss.accounting}
                      bound by: {loss.bound}
  keys                in none of the {searched} files that this run wrote (logs, captures, state, answers)
  clean-up            gateways stopped cleanly; namespaces, TAPs and files go with this shell
OK
""", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    try:
        main()
    except LabError as error:
        print(f"quickstart FAILED: {error}", file=sys.stderr)
        sys.exit(1)
