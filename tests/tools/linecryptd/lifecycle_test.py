#!/usr/bin/env python3
"""Starts and ends of the daemon: exit codes, refusals, clean stops, restarts, kill -9.

    site-a ── lan0 │ gw-a: linecryptd │ wan0 ═══ wan0 │ gw-b: linecryptd │ lan0 ── site-b
"""
import os
import signal
import socket
import time

from rig import Rig, check, main, wait_until

FLOOD = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    try:
        s.sendto(b"x" * 1000, ("10.2.0.2", 9))
    except OSError:
        pass
"""


# A card that is not there.
NO_CARD = ('[[port]]\nname = "lan"', '[card]\nbitstream = "/nowhere/none.xclbin"\n\n[[port]]\nname = "lan"')


def edited(lab, name, *replacements):
    """A copy of gateway A's first configuration with changes."""
    with open(lab.path("gw-a/linecrypt.toml")) as file:
        text = file.read()
    for old, new in replacements:
        check(old in text, f"the configuration has {old}")
        text = text.replace(old, new)
    return lab.write(f"gw-a/{name}.toml", text)


def run(lab, rig, *arguments):
    code, output = lab.run("gw-a", rig["a"].daemon, *arguments, check=False, timeout=30)
    return code, output


def exit_codes(lab, programs):
    """0 valid, 1 wrong use, 2 bad configuration, 3 start refused; --check touches nothing; `card` is refused by name."""
    rig = Rig(lab, programs)
    check(run(lab, rig, "--check", "--config", rig["a"].config)[0] == 0, "--check of a good file is 0")
    check(run(lab, rig)[0] == 1, "no --config is 1")
    check(run(lab, rig, "--nonsense")[0] == 1, "an unknown option is 1")
    check(run(lab, rig, "--help")[0] == 0, "--help is 0")
    bad = edited(lab, "bad", ('side = "black"', 'side = "blue"'), ("spi = 0x1001", "spi = 12"))
    for arguments in (("--check", "--config", bad), ("--config", bad)):
        code, output = run(lab, rig, *arguments)
        check(code == 2, f"a bad file is 2: {output}")
        check(output.count(bad + ":") >= 2 and "blue" in output, f"every error with its place: {output}")
    check(run(lab, rig, "--config", lab.path("absent.toml"))[0] == 2, "a missing file is 2")
    code, output = run(lab, rig, "--config", edited(lab, "card", ('offload = "software"', 'offload = "card"')))
    check(code == 2 and "needs a [card] section" in output, f"card without [card] is refused by name: {output}")
    lab.run("gw-a", "chmod", "666", bad)
    code, output = run(lab, rig, "--check", "--config", bad)
    check(code == 2 and "mode" in output, f"a file that others may write is refused: {output}")
    check("lc-" not in lab.run("gw-a", "ip", "link"), "nothing was made")


def refusals(lab, programs):
    """Start is refused by name, with exit code 3: key not enrolled, too little memory, a core that is not there, a bad place for the
    socket, a card that is not there, a live daemon."""
    rig = Rig(lab, programs)
    os.makedirs(lab.path("gw-a/empty"), mode=0o700)
    good = rig["a"].config
    rig["a"].config = edited(lab, "fresh", ('gw-a/state"', 'gw-a/empty"'))
    rig.refused("a", "linecryptctl key enroll")
    rig["a"].config = edited(lab, "memory", ('offload = "software"', 'offload = "software"\nmemory_mb = 32\nbuffers = 65536'))
    rig.refused("a", "65536 buffers", "memory_mb")
    os.makedirs(lab.path("gw-a/open"), mode=0o777)
    os.chmod(lab.path("gw-a/open"), 0o777)
    rig["a"].config = edited(lab, "socket", ("gw-a/control.sock", "gw-a/open/control.sock"))
    rig.refused("a", "control socket", "mode 0777")
    rig["a"].config = edited(lab, "file", ("gw-a/control.sock", "gw-a/file.sock"))
    lab.write("gw-a/file.sock", "mine")
    rig.refused("a", "is not a socket")
    with open(lab.path("gw-a/file.sock")) as file:
        check(file.read() == "mine", "a file that is not ours stays")
    rig["a"].config = edited(lab, "core", ('offload = "software"', 'offload = "software"\nworker_core = 1023'))
    rig.refused("a", "core 1023")
    rig["a"].config = edited(lab, "card", ('offload = "software"', 'offload = "card"'), NO_CARD)
    rig.refused("a", 'offload = "card" and there is none to use')
    rig["a"].config = good
    rig.start("a")
    first = rig["a"].program
    rig.refused("a", "a linecryptd answers at")
    rig["a"].program = first
    check(rig.api("a").get("status")["pid"] > 0 and first.running(), "the running one is not disturbed")


def auto_falls_back(lab, programs):
    """offload = "auto" without its card works in software and says so once in the log, in a counter and in the status."""
    rig = Rig(lab, programs)
    rig["a"].config = edited(lab, "auto", ('offload = "software"', 'offload = "auto"'), NO_CARD)
    rig.start("a")
    offload = rig.api("a").get("status")["offload"]
    check(offload["mode"] == "auto" and offload["engine"] == "software", f"status says so: {offload}")
    check(offload["fallback_reason"] != "" and offload["failover"] is None, f"and why: {offload}")
    check(offload["fallbacks"] == 1 and rig.api("a").get("counters")["fallbacks"] == 1, "counted once")
    lines = [line for line in rig["a"].program.log().splitlines() if "software does the work" in line and not line.startswith("warning:")]
    check(len(lines) == 1 and offload["fallback_reason"] in lines[0], f"said once: {lines}")


def restarts(lab, programs):
    """Clean stop under load within two seconds; restart and kill -9 resume traffic with the same keys and no number used twice."""
    rig = Rig(lab, programs).start()
    rig.wait_ping("site-a", "10.2.0.2")
    flood = lab.start("site-a", "flood", "/usr/bin/python3", "-c", FLOOD)
    time.sleep(0.3)
    begin = time.monotonic()
    check(rig["a"].program.stop(signal.SIGTERM) == 0, "SIGTERM under load ends with 0")
    check(time.monotonic() - begin < 5, "soon")
    check("stopped" in rig["a"].program.log() and "frames did not come back" not in rig["a"].program.log(), "and clean")
    check("lc-" not in lab.run("gw-a", "ip", "link") and "linecrypt" not in lab.run("gw-a", "nft", "list", "ruleset"), "all is removed")
    number = egress_numbers(rig, "b")
    rig.start("a")
    rig.wait_ping("site-a", "10.2.0.2")

    before = egress_numbers(rig, "a")
    os.kill(rig["a"].program.process.pid, signal.SIGKILL)
    rig["a"].program.process.wait(5)
    check(os.path.exists(rig["a"].socket), "a killed daemon leaves its socket")
    check("linecrypt-wan0" in lab.run("gw-a", "nft", "list", "ruleset"), "and its netdevs shut")
    rig.start("a")
    flood.stop(signal.SIGKILL)
    rig.wait_ping("site-a", "10.2.0.2")
    after = egress_numbers(rig, "a")
    check(all(after[label] > before[label] for label in before), f"numbers go on above: {before} {after}")
    late = {sa["label"]: sa["counters"] for sa in rig.api("b").get("sas")["sas"] if sa["direction"] == "ingress"}
    check(all(counters["late"] == counters["duplicate"] == 0 for counters in late.values()), f"the peer saw no number twice: {late}")
    check(egress_numbers(rig, "b")["tunnel site-a out"] > number["tunnel site-a out"], "the peer answered all the time")
    begin = time.monotonic()
    check(rig["a"].program.stop(signal.SIGINT) == 0 and time.monotonic() - begin < 5, "SIGINT stops as well")


def egress_numbers(rig, side):
    return {sa["label"]: sa["next_number"] for sa in rig.api(side).get("sas")["sas"] if sa["direction"] == "egress"}


def api(lab, programs):
    """Each resource answers; wrong ones are refused; the socket is its owner's; systemd is told; nothing shows a key."""
    rig = Rig(lab, programs)
    path = lab.path("notify.sock")
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(path)
    notify.settimeout(20)
    rig["a"].program = lab.start("gw-a", "gw-a/linecryptd", rig["a"].daemon, "--config", rig["a"].config, env={"NOTIFY_SOCKET": path})
    check(notify.recv(100) == b"READY=1", "READY=1")
    connection = rig.api("a")
    answers = {name: connection.get(name) for name in ("status", "sas", "policies", "ports", "counters", "live")}
    status, answers["selftest"] = connection.request("POST", "selftest")
    check(status == 200 and answers["selftest"]["passed"], f"self-test: {answers['selftest']}")
    check(connection.request("GET", "nothing")[0] == 404, "404")
    check(connection.request("POST", "status")[0] == 405 and connection.request("GET", "selftest")[0] == 405, "405")
    check(answers["status"]["static_keys"] and "accept-risk" in answers["status"]["warnings"][0], "static keys are a warning")
    check({entry["name"] for entry in answers["policies"]["exemptions"]} == {"eapol", "arp", "neighbour-discovery", "ike"}, "exemptions are listed")
    check(answers["ports"]["ports"][0]["link"] == "up", "link state")
    lab.run("site-a", "ip", "link", "set", "eth0", "down")
    wait_until(lambda: connection.get("ports")["ports"][0]["link"] == "down", 3, "link down is seen")
    mode = os.stat(rig["a"].socket).st_mode & 0o777
    check(mode == 0o600, f"socket mode {mode:o}")
    limits = lab.run("gw-a", "cat", f"/proc/{rig['a'].program.process.pid}/limits")
    check("Max core file size        0 " in limits, f"no core dumps: {limits}")
    check(rig["a"].program.stop() == 0 and notify.recv(100) == b"STOPPING=1", "STOPPING=1")
    text = repr(answers).lower() + rig["a"].program.log().lower()
    for secret in (*rig.keys.esp.values(), rig.keys.sak, rig.keys.macsec_salt):
        check(secret not in text, "no key in any answer or the log")


if __name__ == "__main__":
    main(exit_codes, refusals, auto_falls_back, restarts, api)
