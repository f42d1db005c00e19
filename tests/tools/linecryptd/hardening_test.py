#!/usr/bin/env python3
"""The netdev under an af_packet port: each rule is set up, refused when it cannot be, seen when it is broken, and undone.

    site-a ── lan0 │ gw-a: linecryptd │ wan0 ═══ wan0 │ gw-b │ lan0 ── site-b
"""
import json
import os

from rig import Rig, check, main, wait_until


def state(lab, netdev):
    """What the daemon may change on a netdev, as people see it."""
    link = lab.json("gw-a", "ip", "-j", "-d", "link", "show", netdev)[0]
    features = lab.run("gw-a", "ethtool", "-k", netdev)
    return {
        "flags": sorted(set(link["flags"]) & {"UP", "NOARP", "PROMISC"}),
        "mtu": link["mtu"],
        "ipv6": lab.run("gw-a", "sysctl", "-n", f"net.ipv6.conf.{netdev}.disable_ipv6").strip(),
        "features": sorted(line.strip() for line in features.splitlines() if "-checksumming" in line or "-offload" in line),
    }


def rules(rig, netdev):
    live = rig.api("a").get("live")
    return {rule["rule"]: rule for rule in live["rules"] if rule["netdev"] == netdev}


def refuses_unsafe_netdevs(lab, programs):
    """A netdev with an address, in a bridge, missing, or used by another linecryptd is refused by name; nothing is left behind."""
    rig = Rig(lab, programs)
    lab.run("gw-a", "sysctl", "-qw", "net.ipv6.conf.wan0.disable_ipv6=0", "net.ipv6.conf.lan0.disable_ipv6=0")
    before = state(lab, "lan0")

    lab.run("gw-a", "ip", "addr", "add", "10.9.9.9/24", "dev", "wan0")
    rig.refused("a", "port wan", "netdev wan0", "10.9.9.9/24")
    lab.run("gw-a", "ip", "addr", "flush", "dev", "wan0")
    lab.run("gw-a", "ip", "addr", "add", "fd09::9/64", "dev", "wan0")
    rig.refused("a", "port wan", "netdev wan0", "fd09::9/64")
    lab.run("gw-a", "ip", "addr", "flush", "dev", "wan0")

    lab.run("gw-a", "ip", "link", "add", "br9", "type", "bridge")
    lab.run("gw-a", "ip", "link", "set", "wan0", "master", "br9")
    rig.refused("a", "port wan", "netdev wan0", "'br9'")
    lab.run("gw-a", "ip", "link", "set", "wan0", "nomaster")

    lab.run("gw-a", "ip", "link", "set", "wan0", "name", "elsewhere")
    rig.refused("a", "port wan", "no netdev 'wan0'", "elsewhere")
    lab.run("gw-a", "ip", "link", "set", "elsewhere", "name", "wan0")
    lab.run("gw-a", "ip", "link", "set", "wan0", "up")

    lab.run("gw-a", "ip", "tuntap", "add", "lc-lan", "mode", "tap")
    rig.refused("a", "port lan", "companion lc-lan", "exists already")
    lab.run("gw-a", "ip", "link", "del", "lc-lan")

    check(state(lab, "lan0") == before, "a refused start leaves the other netdev as it was")
    check("linecrypt" not in lab.run("gw-a", "nft", "list", "ruleset"), "and no nftables table")

    rig.start("a")
    with open(rig["a"].config) as file:
        text = file.read()
    second = lab.write("second/linecrypt.toml", text.replace("gw-a/control.sock", "second.sock").replace("gw-a/state", "second/state"))
    os.makedirs(lab.path("second/state"), mode=0o700)
    rig["a"].config, first = second, rig["a"].config
    program = lab.start("gw-a", "second-daemon", os.path.join(programs, "linecryptd"), "--config", second)
    check(program.process.wait(15) == 3 and "lan0 is in use by another linecryptd" in program.log(), f"a second daemon is refused: {program.log()}")
    rig["a"].config = first
    check(rig.api("a").get("live")["ok"], "and the first works on")


def undoes_what_it_changed(lab, programs):
    """Flags, IPv6, offloads and MTU are as required while it runs, and as they were after a clean stop."""
    rig = Rig(lab, programs)
    lab.run("gw-a", "sysctl", "-qw", "net.ipv6.conf.wan0.disable_ipv6=0", "net.ipv6.conf.lan0.disable_ipv6=0")
    lab.run("gw-a", "ip", "link", "set", "wan0", "mtu", "1500")
    before = {netdev: state(lab, netdev) for netdev in ("lan0", "wan0")}
    check(any(line.endswith(": on") for line in before["wan0"]["features"]), "there is something to turn off")
    rig.start("a")
    during = {netdev: state(lab, netdev) for netdev in ("lan0", "wan0")}
    for netdev in during:
        check(during[netdev]["flags"] == ["NOARP", "PROMISC", "UP"], f"{netdev}: {during[netdev]}")
        check(during[netdev]["ipv6"] == "1", f"{netdev}: IPv6 off")
        on = [line for line in during[netdev]["features"] if line.endswith(": on")]
        check(not on, f"{netdev}: offloads off, not {on}")
    check(during["wan0"]["mtu"] == 1532, f"room for SecTAG and ICV: {during['wan0']}")
    ruleset = json.dumps(lab.json("gw-a", "nft", "-j", "list", "ruleset"))
    for netdev in during:
        check(f"linecrypt-{netdev}" in ruleset and '"policy": "drop"' in ruleset, f"{netdev} is shut: {ruleset}")
    check(rig["a"].program.stop() == 0, "clean stop")
    after = {netdev: state(lab, netdev) for netdev in ("lan0", "wan0")}
    check(after == before, f"as before: {before} {after}")
    check("linecrypt" not in lab.run("gw-a", "nft", "list", "ruleset"), "no table is left")
    check("lc-" not in lab.run("gw-a", "ip", "link"), "no companion is left")
    check(not os.path.exists(rig["a"].socket) and not os.path.exists(rig["a"].socket + ".lock"), "no socket is left")


def sees_broken_rules(lab, programs):
    """check --live names each rule that someone breaks while the daemon runs."""
    rig = Rig(lab, programs).start("a")
    live = rig.api("a").get("live")
    check(live["ok"], f"all rules hold at first: {live}")
    conf = "net.ipv6.conf.wan0.disable_ipv6"
    breakers = (
        ("no address", ["ip", "addr", "add", "10.9.9.9/24", "dev", "wan0"], ["ip", "addr", "flush", "dev", "wan0"]),
        ("NOARP", ["ip", "link", "set", "wan0", "arp", "on"], ["ip", "link", "set", "wan0", "arp", "off"]),
        ("promiscuous", ["ip", "link", "set", "wan0", "promisc", "off"], ["ip", "link", "set", "wan0", "promisc", "on"]),
        ("MTU", ["ip", "link", "set", "wan0", "mtu", "1500"], ["ip", "link", "set", "wan0", "mtu", "2000"]),
        ("IPv6 off", ["sysctl", "-qw", conf + "=0"], ["sysctl", "-qw", conf + "=1"]),
        ("offloads off", ["ethtool", "-K", "wan0", "tx", "on"], ["ethtool", "-K", "wan0", "tx", "off"]),
        ("nftables ingress drop", ["nft", "chain", "netdev", "linecrypt-wan0", "ingress", "{ policy accept; }"],
         ["nft", "chain", "netdev", "linecrypt-wan0", "ingress", "{ policy drop; }"]),
        ("nftables egress drop", ["nft", "chain", "netdev", "linecrypt-wan0", "egress", "{ policy accept; }"],
         ["nft", "chain", "netdev", "linecrypt-wan0", "egress", "{ policy drop; }"]),
        ("up", ["ip", "link", "set", "wan0", "down"], ["ip", "link", "set", "wan0", "up"]),
    )
    for rule, breaker, repair in breakers:
        lab.run("gw-a", *breaker)
        found = rules(rig, "wan0")
        violated = {name for name, entry in found.items() if entry["state"] == "violated"}
        check(rule in violated, f"'{rule}' is seen: {found}")
        check(violated <= {rule, "IPv6 off", "no address"}, f"only '{rule}' (and what comes with it) is reported: {violated}")
        check(any(rule in problem for problem in rig.api("a").get("status")["problems"]), f"status names '{rule}'")
        code, output = lab.run("gw-a", rig["a"].ctl, "check", "--live", rig["a"].config, check=False)
        check(code == 1 and "violated" in output, f"linecryptctl check --live exits 1: {output}")
        lab.run("gw-a", *repair)
        wait_until(lambda: rig.api("a").get("live")["ok"], 3, f"'{rule}' holds again")
    lab.run("gw-a", "ip", "link", "add", "br9", "type", "bridge")
    lab.run("gw-a", "ip", "link", "set", "wan0", "master", "br9")
    check(rules(rig, "wan0")["no master"]["state"] == "violated", "a bridge is seen")
    lab.run("gw-a", "nft", "delete", "table", "netdev", "linecrypt-lan0")
    gone = rules(rig, "lan0")
    check(gone["nftables ingress drop"]["state"] == gone["nftables egress drop"]["state"] == "violated", f"a deleted table is seen: {gone}")


def kernel_is_kept_off(lab, programs):
    """While our port receives, the kernel below it neither receives nor sends, even with an address on the netdev."""
    rig = Rig(lab, programs).start()
    rig.wait_ping("site-a", "10.2.0.2")
    # The worst case: someone gives the netdev an address and lets it speak ARP. The tables still hold.
    lab.run("gw-a", "ip", "addr", "add", "10.1.0.77/24", "dev", "lan0", "noprefixroute")
    lab.run("gw-a", "ip", "link", "set", "lan0", "arp", "on")
    lab.run("gw-a", "ip", "route", "add", "10.1.0.2/32", "dev", "lan0", "src", "10.1.0.77")
    received = rig.port("a", "lan")["counters"]["received_frames"]
    check(not rig.ping("site-a", "10.1.0.77", 3), "the kernel does not answer by the netdev")
    capture = lab.start("site-a", "capture", "tcpdump", "-i", "eth0", "-nn", "-l", "host", "10.1.0.77", "and", "arp[14:4]", "=", "0x0a01004d",
                        "or", "(icmp and src 10.1.0.77)")
    capture.wait_for("listening on")
    check(not rig.ping("gw-a", "10.1.0.2", 3, "-I", "lan0"), "the kernel does not send by the netdev")
    capture.stop()
    check("10.1.0.77" not in capture.log().split("listening on", 1)[1], f"not a frame of it is seen at the other end: {capture.log()}")
    check(rig.port("a", "lan")["counters"]["received_frames"] > received, "our port received all the time")
    check(rig.ping("site-a", "10.2.0.2"), "and the tunnel works")
    # The same without the table: this is what it prevents.
    lab.run("gw-a", "nft", "delete", "table", "netdev", "linecrypt-lan0")
    wait_until(lambda: rig.ping("site-a", "10.1.0.77", 1), 5, "without the table the kernel does answer")


if __name__ == "__main__":
    main(refuses_unsafe_netdevs, undoes_what_it_changed, sees_broken_rules, kernel_is_kept_off)
