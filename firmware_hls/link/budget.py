#!/usr/bin/env python3
"""What fits on a card: logic and table memory per SLR, and the largest number of SAs per block.

    budget.py <card> <mode> <wiring>      one line of JSON, or exit 1 and a sentence that names what does not fit
    budget.py --table                     every combination, as a table

Costs are estimates (costs.json) times an uncertainty; table memory is counted from the words of the card ABI.
"""
import json
import math
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
MODES = {"esp": ["esp"], "macsec": ["macsec"], "both": ["esp", "macsec"]}
WIRINGS = ("look-aside", "port-to-host", "bump-in-the-wire")
SA_COUNTS = (16384, 8192, 4096, 2048, 1024, 512, 256)
RESOURCES = ("lut", "ff", "bram", "uram", "dsp")
WORD_BITS = 512


class Refused(Exception):
    """A combination that cannot be; its text is for a person."""


def load(name):
    with open(HERE / name, encoding="utf-8") as file:
        return {key: value for key, value in json.load(file).items() if not key.startswith("_")}


def check_names(cards, card, mode, wiring):
    for what, found, allowed in (("card", card, cards), ("mode", mode, MODES), ("wiring", wiring, WIRINGS)):
        if found not in allowed:
            raise Refused(f"{what}: found '{found}', allowed: {', '.join(allowed)}")
    ports = len(cards[card]["ports"])
    if wiring == "bump-in-the-wire" and ports < 2:
        raise Refused(f"{card}: wiring: bump-in-the-wire needs two ports, this card has {ports}; allowed: look-aside")
    if wiring == "port-to-host":
        others = "look-aside" if ports < 2 else "look-aside, bump-in-the-wire"
        raise Refused(f"{card}: wiring: port-to-host has no kernels yet (the host would stand where the clear port is); allowed: {others}")


def uram(bits, deep):  # 4096 x 72
    return math.ceil(bits / 72) * math.ceil(deep / 4096)


def bram(bits, deep):  # 512 x 72
    return math.ceil(bits / 72) * math.ceil(deep / 512)


def tables(costs, direction, protocol, sa_count):
    """(name, URAM blocks, BRAM blocks) of each table of one stage; one of the two is used."""
    found = []
    for name, table in costs["tables"][direction].items():
        words = costs["words"][table["words"]] if "words" in table else 0
        words = words[protocol] if isinstance(words, dict) else words
        bits = words * WORD_BITS + table.get("bits", 0) + table.get("more_bits", 0)
        deep = sa_count * table.get("rows_per_sa", 1)
        found.append((f"{protocol}.{name}", uram(bits, deep), bram(bits, deep)))
    if direction == "ingress":
        hold = costs["hold"]
        found.append((f"{protocol}.hold", uram(hold["bits"], hold["deep"]), bram(hold["bits"], hold["deep"])))
    return found


def blocks(card, mode, wiring):
    """Name of each logic block -> SLR."""
    place, found = card["place"], []
    found += [("control", place["control"]), ("dma", place["dma"])]
    for direction in ("egress", "ingress"):
        for _ in MODES[mode]:
            found += [(part, place[direction]) for part in ("aes", "ghash", "splice", "protocol")]
    if wiring != "look-aside":
        found += [("side", place["ports"])] * 2 + [("host", place["dma"])]
        found += [("cmac", place["ports"])] * 2
    return found


def room(card):
    slrs = [{r: float(card["slr"][r]) for r in RESOURCES} for _ in range(card["slr"]["count"])]
    shell = card["shell"]
    for resource in RESOURCES:
        slrs[shell["slr"]][resource] *= 1 - shell["percent"] / 100
    return slrs


def place_tables(stage_tables, left):
    """Which tables go to BRAM so that both kinds fit, with the fewest BRAM: (URAM, BRAM, names); None when nothing fits."""
    ordered = sorted(stage_tables, key=lambda table: -table[1])
    best = None

    def place(at, ultra, block, in_bram):
        nonlocal best
        if ultra > left["uram"] or block > left["bram"] or (best is not None and block >= best[1]):
            return
        if at == len(ordered):
            best = (ultra, block, in_bram)
            return
        name, as_ultra, as_block = ordered[at]
        place(at + 1, ultra + as_ultra, block, in_bram)
        place(at + 1, ultra, block + as_block, in_bram + [name])

    place(0, 0, 0, [])
    return best


def merged(list_of_tables):
    """Tables of equal cost are tried together, so that the search stays small."""
    groups = {}
    for name, ultra, block in list_of_tables:
        key = name.split(".")[1]
        old = groups.get(key, (key, 0, 0))
        groups[key] = (key, old[1] + ultra, old[2] + block)
    return list(groups.values())


def fit(card_name, mode, wiring, cards=None, costs=None):
    cards, costs = cards or load("cards.json"), costs or load("costs.json")
    check_names(cards, card_name, mode, wiring)
    card = cards[card_name]
    left = room(card)
    total = [dict(slr) for slr in left]
    # 1. Logic, with its uncertainty.
    for block, slr in blocks(card, mode, wiring):
        for resource, amount in costs["logic"][block].items():
            left[slr][resource] -= amount * costs["uncertainty"]
    for slr, amounts in enumerate(left):
        for resource, amount in amounts.items():
            if amount < 0:
                need = total[slr][resource] - amount
                raise Refused(
                    f"{card_name}, mode {mode}, {wiring}: SLR{slr} has {total[slr][resource]:.0f} {resource.upper()} for kernels, "
                    f"{need:.0f} are needed (estimate x {costs['uncertainty']}); take a mode with fewer stages or a larger card")
    # 2. Tables: the most SAs for which both directions fit.
    for sa_count in SA_COUNTS:
        used, spilled = [dict(slr) for slr in left], {}
        for direction in ("egress", "ingress"):
            slr = card["place"][direction]
            wanted = [t for protocol in MODES[mode] for t in tables(costs, direction, protocol, sa_count)]
            placed = place_tables(merged(wanted), used[slr])
            if placed is None:
                break
            used[slr]["uram"] -= placed[0]
            used[slr]["bram"] -= placed[1]
            spilled[direction] = placed[2]
        else:
            share = [{r: round(100 * (1 - used[s][r] / total[s][r])) for r in RESOURCES} for s in range(len(used))]
            return {"card": card_name, "mode": mode, "wiring": wiring, "sa_count": sa_count, "in_bram": spilled, "percent_per_slr": share}
    raise Refused(f"{card_name}, mode {mode}, {wiring}: URAM and BRAM have no room for tables of even {SA_COUNTS[-1]} SAs")


def combinations(cards):
    for card in cards:
        for mode in MODES:
            yield card, mode, "look-aside"
            yield card, mode, "bump-in-the-wire" if len(cards[card]["ports"]) > 1 else "port-to-host"


def main(arguments):
    if arguments == ["--table"]:
        cards = load("cards.json")
        for card, mode, wiring in combinations(cards):
            try:
                found = fit(card, mode, wiring)
                lut = max(slr["lut"] for slr in found["percent_per_slr"])
                print(f"| {card} | {mode} | {wiring} | {found['sa_count']} | {lut} % |")
            except Refused:
                print(f"| {card} | {mode} | {wiring} | {'not built' if wiring == 'port-to-host' else 'does not fit'} | |")
        return 0
    if len(arguments) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(json.dumps(fit(*arguments)))
    except Refused as refused:
        print(f"budget: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
