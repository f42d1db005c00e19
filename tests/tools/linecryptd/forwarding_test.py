#!/usr/bin/env python3
"""Nothing gets round the policy by the kernel, though it is told to forward.

    site-a ── lan0 │ gw-a: linecryptd │ wan0 ════ wan0 │ outsider: plain packets, ip_forward=1 everywhere
"""
from rig import Rig, check, gateways, main, wait_until

FORWARD = ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.forwarding=1", "net.ipv6.conf.all.forwarding=1")

SEND = """
import sys
from scapy.all import *
conf.verb = 0
sendp([eval(frame) for frame in sys.argv[2:]] * 20, iface=sys.argv[1], inter=0.001)
"""


def without_macsec(lab, side, extra):
    """ESP only: the outsider can speak to the black port in clear."""
    path = gateways.configuration(lab, side, extra)
    with open(path) as file:
        text = file.read()
    start, end = text.index("[[macsec]]"), text.index("[[tunnel]]")
    with open(path, "w") as file:
        file.write(text[:start] + text[end:])
    return path


def send(lab, host, netdev, head, *packets):
    """Each packet behind `head`, 20 times."""
    lab.run(host, "/usr/bin/python3", "-c", SEND, netdev, *(f"{head}/{packet}" for packet in packets), timeout=30)


def capture(lab, host, netdev, name, *expression):
    program = lab.start(host, name, "tcpdump", "-i", netdev, "-nn", "-l", "-e", "-Q", "in", *expression)
    program.wait_for("listening on")

    def seen():
        program.stop()
        return [line for line in program.log().splitlines() if " > " in line]
    return seen


def companions_do_not_forward(lab, programs):
    """Forwarding is off on the companions whatever the host says, and goes off again when someone turns it on."""
    rig = Rig(lab, programs)
    lab.run("gw-a", "sysctl", "-qw", *FORWARD)
    rig.start("a")

    def forwarding():
        names = [f"net.{family}.conf.{netdev}.forwarding" for family in ("ipv4", "ipv6") for netdev in ("lc-lan", "lc-wan")]
        return lab.run("gw-a", "sysctl", "-n", *names).split()
    check(forwarding() == ["0"] * 4, f"off from the start: {forwarding()}")
    lab.run("gw-a", "sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
    lab.run("gw-a", "sysctl", "-qw", *FORWARD)
    wait_until(lambda: forwarding() == ["0"] * 4, 3, "off again after net.ipv4.ip_forward=1")
    lab.run("gw-a", "sysctl", "-qw", "net.ipv4.conf.lc-wan.forwarding=1")
    wait_until(lambda: forwarding() == ["0"] * 4, 3, "off again after one netdev's own setting")
    status = rig.api("a").get("status")
    check(status["forwarding_repairs"] > 0 and status["problems"] == [], f"counted: {status}")
    check("something turned forwarding on" in rig["a"].program.log(), "and said in the log")


def refuses_without_the_right(lab, programs):
    """A daemon that cannot turn forwarding off does not start."""
    rig = Rig(lab, programs)
    lab.run("gw-a", "sysctl", "-qw", *FORWARD)
    # Read-only settings, as in a container: the same daemon, another view of /proc/sys.
    script = f"mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec {rig['a'].daemon} --config {rig['a'].config}"
    program = lab.start("gw-a", "read-only", "unshare", "--mount", "sh", "-c", script)
    check(program.process.wait(15) == 3, f"exit code 3: {program.log()}")
    check("start refused: port lan: companion lc-lan: forwarding must be off: /proc/sys/net/ipv4/conf/lc-lan/forwarding" in program.log(),
          f"the setting is named: {program.log()}")
    check("lc-" not in lab.run("gw-a", "ip", "link") and "linecrypt" not in lab.run("gw-a", "nft", "list", "ruleset"), "nothing is left")


def nothing_leaks(lab, programs):
    """With ip_forward=1 on the host no clear packet crosses the gateway, in either direction, by any address."""
    rig = Rig(lab, programs, configure=without_macsec)
    lab.run("gw-a", "sysctl", "-qw", *FORWARD)
    rig.start("a")
    # The outsider has the peer's outer address and MAC, and routes everything to the gateway.
    lab.run("gw-b", "ip", "addr", "add", "192.0.2.2/30", "dev", "wan0")
    lab.run("gw-b", "ip", "link", "set", "wan0", "address", "02:00:00:00:bb:01")
    lan_mac = next(port["mac"] for port in rig.api("a").get("ports")["ports"] if port["name"] == "lan")
    site_mac = lab.json("site-a", "ip", "-j", "link", "show", "eth0")[0]["address"]
    wan_mac = gateways.MAC["a"]
    rig.wait_ping("site-a", "10.1.0.1")
    lab.run("gw-b", "ping", "-c", "1", "-W", "1", "192.0.2.1", check=False)

    # 1. From the circuit to the site, in clear.
    seen = capture(lab, "site-a", "eth0", "at-site", "host 192.0.2.2 or host 203.0.113.5 or net 10.2.0.0/24 or host fd02::2")
    before = rig.port("a", "wan")
    head = f"Ether(src='02:00:00:00:bb:01', dst='{wan_mac}')"
    send(lab, "gw-b", "wan0", head,
         "IP(src='10.2.0.2', dst='10.1.0.2')/UDP(sport=1, dport=2)/b'clear'",
         "IP(src='203.0.113.5', dst='10.1.0.2')/UDP(sport=1, dport=2)/b'clear'",
         "IP(src='192.0.2.2', dst='10.1.0.2')/ICMP()",
         "IP(src='203.0.113.5', dst='10.1.0.1')/ICMP()",
         "IPv6(src='fd02::2', dst='fd01::2')/UDP(sport=1, dport=2)/b'clear'")
    after = rig.port("a", "wan")
    leaked = seen()
    check(not leaked, f"nothing from the circuit reaches the site: {leaked}")
    moved = {name: count - before["verdicts"][name] for name, count in after["verdicts"].items() if count != before["verdicts"][name]}
    check(moved.get("policy_clear_inbound", 0) >= 40, f"clear packets into a protect policy are counted as such: {moved}")
    check(sum(moved.values()) >= 100 and moved.get("ok", 0) == 0 and moved.get("bypassed", 0) == 0, f"none is forwarded: {moved}")

    # 2. From the site to the circuit, outside every policy. (No SA leaves clear either: ESP is all that may come.)
    seen = capture(lab, "gw-b", "wan0", "at-circuit", "not ip proto 50 and not arp and not icmp6 and not ether proto 0x888e")
    before = rig.port("a", "lan")
    head = f"Ether(src='{site_mac}', dst='{lan_mac}')"
    send(lab, "site-a", "eth0", head,
         "IP(src='10.1.0.2', dst='192.0.2.2')/ICMP()",
         "IP(src='10.1.0.2', dst='203.0.113.5')/UDP(sport=1, dport=2)/b'clear'",
         "IP(src='10.99.0.2', dst='10.2.0.2')/UDP(sport=1, dport=2)/b'clear'",
         "IP(src='10.1.0.2', dst='192.0.2.1')/ICMP()",
         "IPv6(src='fd01::2', dst='fd09::9')/UDP(sport=1, dport=2)/b'clear'")
    after = rig.port("a", "lan")
    leaked = seen()
    check(not leaked, f"nothing of the site is on the circuit in clear: {leaked}")
    moved = {name: count - before["verdicts"][name] for name, count in after["verdicts"].items() if count != before["verdicts"][name]}
    check(moved.get("policy_default", 0) >= 40 and moved.get("ok", 0) == 0, f"discarded by default: {moved}")

    # 3. From the host itself: its companions are under the policy like everyone.
    seen = capture(lab, "gw-b", "wan0", "at-circuit-2", "not ip proto 50 and not arp and not icmp6 and not ether proto 0x888e")
    lab.run("gw-a", "ping", "-c", "3", "-i", "0.05", "-W", "1", "192.0.2.2", check=False)
    lab.run("gw-a", "ip", "route", "add", "203.0.113.0/24", "via", "192.0.2.2", "dev", "lc-wan")
    lab.run("gw-a", "ping", "-c", "3", "-i", "0.05", "-W", "1", "203.0.113.5", check=False)
    leaked = seen()
    check(not leaked, f"nothing of the host is on the circuit in clear: {leaked}")


if __name__ == "__main__":
    main(companions_do_not_forward, refuses_without_the_right, nothing_leaks)
