#!/usr/bin/env python3
"""Gateways with the emulated card: what linecryptctl asks of a card that a daemon works with, under traffic; how many SAs there may be.

    site-a ── lan0 │ gw-a: linecryptd, card │ wan0 ═══ wan0 │ gw-b: linecryptd, card │ lan0 ── site-b

Runs in the emulated card's environment (build/dev/emulated_card/run), with LINECRYPT_BITSTREAMS naming the folder of its bitstreams.
"""
import concurrent.futures
import json
import os
import re
import signal
import time

from rig import Rig, check, gateways, main, wait_until

ROOM = 2046  # SAs of the emulated card in mode `both`, less the driver's own two


def with_card(offload, max_sas=None):
    def configure(lab, side, extra):
        bitstream = os.path.join(os.environ["LINECRYPT_BITSTREAMS"], "linecrypt-emulated-both.xclbin")
        path = gateways.configuration(lab, side, extra, offload=offload, bitstream=bitstream)
        with open(path) as file:
            text = file.read()
        if max_sas is not None:
            text = text.replace(f'offload = "{offload}"', f'offload = "{offload}"\nmax_sas = {max_sas}')
        with open(path, "w") as file:
            file.write(text)
        return path
    return configure


def start(rig):
    for side in gateways.SITES:
        rig[side].start()
    for side in gateways.SITES:
        rig[side].wait_ready(60)
    rig.wait_ping("site-a", "10.2.0.2", 30)
    return rig


def card(rig, side, *command, code=0):
    """`linecryptctl card COMMAND` over the socket: (text, document)."""
    gateway = rig[side]
    got, text = rig.lab.run(gateway.host, gateway.ctl, "card", *command, "--socket", gateway.socket, check=False)
    check(got == code, f"card {command}: exit code {code}, not {got}: {text}")
    return text


def card_json(rig, side, *command):
    return json.loads(card(rig, side, *command, "--json"))


def epoch(rig, side):
    return next(one["value"] for one in card_json(rig, side, "dump")["registers"] if one["name"] == "epoch")


def no_number_twice(rig):
    for side in gateways.SITES:
        counters = {sa["label"]: sa["counters"] for sa in rig.api(side).get("sas")["sas"] if sa["direction"] == "ingress"}
        check(all(one["late"] == one["duplicate"] == 0 for one in counters.values()), f"{side} saw no number twice: {counters}")


def self_tests_at_once(rig):
    """One runs, the others are refused by name; the control thread answers and serves leases meanwhile."""
    api = rig.api("a")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(api.request, "POST", resource) for resource in ("card/selftest", "card/selftest", "selftest", "card/selftest")]
        slowest = 0.0
        while not all(one.done() for one in asked):
            begun = time.monotonic()
            api.get("status")
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.005)
        answers = [one.result() for one in asked]
    ended = [body for status, body in answers if status == 200]
    refused = [body["error"] for status, body in answers if status == 409]
    check(ended and all(body["passed"] for body in ended) and len(ended) + len(refused) == 4, f"every one is answered: {answers}")
    check(refused and all("a self-test of the card goes on already" in why for why in refused), f"one at a time: {answers}")
    check(slowest < 2, f"the control thread answers while the card is tested: {slowest:.3f} s")
    check(api.request("POST", "selftest")[1]["passed"] is True, "the engine as a whole")


def through_the_socket(lab, programs):
    """status, dump, selftest and reset of a card that works, through its daemon and under traffic; load and accept are refused."""
    rig = start(Rig(lab, programs, configure=with_card("auto")))
    sas = rig.api("a").get("status")["sas"]
    # 1. What it tells.
    ping = lab.start("site-a", "site-a-ping", "ping", "-i", "0.02", "-s", "400", "10.2.0.2")
    document = card_json(rig, "a", "status")
    check(document["where"] == "daemon" and document["card"]["emulated"], f"status: {document['card']}")
    sessions = document["card"]["sessions"]
    check(document["use"]["state"] == "used" and document["use"]["sas_on_card"] == sas, f"every SA is on the card: {document['use']}")
    check(document["health"]["reachable"] is True, "registers answer")
    text = card(rig, "a", "status")
    for part in ("thermal", "electrical", "NUMA node"):
        check(re.search(rf"{part}\s+not reported by this card", text), f"{part} of a card without sensors: {text}")
    check("is_present" not in text and f"{sas} on the card, 0 in software" in text, f"no raw JSON: {text}")
    before = epoch(rig, "a")
    check(before not in (0, 0xFFFFFFFF), f"epoch {before}")
    check("command_tail" in card(rig, "a", "dump"), "dump for people")
    check("gives every known answer" in card(rig, "a", "selftest"), "self-test beside traffic")
    self_tests_at_once(rig)
    # 2. What it cannot do.
    for command in ("load", "accept"):
        refused = card(rig, "a", command, code=4)
        check("stop linecryptd first" in refused and 'offload = "software"' in refused, f"{command} says what to do: {refused}")
    # 3. A reset: software meanwhile, then the card again, under another epoch.
    after_reset = card_json(rig, "a", "reset")
    check(after_reset["use"]["renewals"] == 1 and after_reset["use"]["state"] in ("resting", "used"), f"reset: {after_reset['use']}")
    check(after_reset["card"]["sessions"] == sessions + 1, f"a new session: {after_reset['card']}")
    check(epoch(rig, "a") != before, "another epoch")
    wait_until(lambda: card_json(rig, "a", "status")["use"]["sas_on_card"] == sas, 60, "SAs are back on the card")
    failover = rig.api("a").get("status")["offload"]["failover"]
    check(failover["failovers"] == 0 and failover["renewals"] == 1 and failover["returns"] == 1, f"no loss: {failover}")
    log = rig["a"].program.log()
    check("its reset was asked for" in log and f"{sas} SAs go on in software" in log, f"the log says so: {log[-1500:]}")
    # 4. Traffic went on.
    ping.stop(signal.SIGINT)
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", ping.log()).groups())
    check(received >= sent * 8 // 10 and received > 50, f"pings go on while the card is reset: {received} of {sent}")
    no_number_twice(rig)
    rig.wait_ping("site-a", "fd02::2")


def card_alone(lab, programs):
    """offload = "card": a reset lets traffic stand still and brings it back; a gateway without a card says so."""
    rig = start(Rig(lab, programs, configure=with_card("card")))
    document = card_json(rig, "a", "reset")
    check(document["use"]["renewals"] == 1, f"reset: {document['use']}")
    rig.wait_ping("site-a", "10.2.0.2", 30)
    use = card_json(rig, "a", "status")["use"]
    check(use["sas_nowhere"] == 0 and use["sas_in_software"] == 0 and use["state"] == "used", f"back: {use}")
    no_number_twice(rig)
    rig["b"].program.stop()
    rig["b"].config = gateways.configuration(lab, "b")
    rig["b"].start()
    rig["b"].wait_ready(60)
    for method, resource in (("GET", "card"), ("GET", "card/registers"), ("POST", "card/selftest"), ("POST", "card/reset")):
        status, body = rig.api("b").request(method, resource)
        check(status == 409 and "no card" in body["error"], f"{resource} of a gateway without a card: {status} {body}")
    check(rig.api("a").request("GET", "card/selftest")[0] == 405 and rig.api("a").request("POST", "card")[0] == 405 and rig.api("a").request("GET", "card/nothing")[0] == 404, "405 and 404")


def room(lab, programs):
    """max_sas: unset it is the card's room; more is refused with "card", and warned of with "auto"."""
    rig = Rig(lab, programs, configure=with_card("card", 4096))
    rig.refused("a", "max_sas = 4096", f"the card has room for {ROOM}", f"at most {ROOM}", 'offload = "auto"')
    rig["a"].config = with_card("card")(lab, "a", "")
    rig["b"].config = with_card("auto", 4096)(lab, "b", "")
    start(rig)
    status = rig.api("a").get("status")
    check(status["max_sas"] == ROOM and not any("room" in warning for warning in status["warnings"]), f"the card's room: {status}")
    status = rig.api("b").get("status")
    said = f"max_sas = 4096 and the card has room for {ROOM}: SAs beyond that stay in software"
    check(status["max_sas"] == 4096 and said in status["warnings"], f"the warning: {status['warnings']}")
    check(said in rig["b"].program.log(), "and the log")
    check(card_json(rig, "b", "status")["use"]["sas_on_card"] == status["sas"], "those within the room are on the card")


if __name__ == "__main__":
    main(through_the_socket, card_alone, room)
