#!/usr/bin/env python3
"""The v++ link configuration of every card, mode and wiring that fits, from cards.json.

    connectivity.py write      writes <card>-<mode>-<wiring>.cfg beside this file
    connectivity.py check      exit 1 if a committed file differs, is missing or is one too many
"""
import sys

import budget

CLOCK_HZ = 300_000_000
FIFO_DEPTH = 64

# Stream ports of the kernels' top functions: (from, to). Descriptions and beats travel side by side, see firmware_hls/README.md.


def packets(source, sink):
    """The two streams of one packet path, `source` and `sink` as unit.prefix."""
    return [(f"{source}_infos", f"{sink}_infos"), (f"{source}_beats", f"{sink}_beats")]


def axis(source, sink):
    return [(source, sink)]


def design(card, wiring):
    """Compute units as (kernel, unit, where), and the streams between them."""
    units = [("linecrypt_control", "control_0", "control"), ("linecrypt_dma", "dma_0", "dma"),
             ("linecrypt_egress", "egress_0", "egress"), ("linecrypt_ingress", "ingress_0", "ingress")]
    streams = []
    for direction in ("egress", "ingress"):
        streams += [(f"control_0.{direction}_config", f"{direction}_0.config"),
                    (f"{direction}_0.responses", f"control_0.{direction}_responses"),
                    (f"control_0.{direction}_batches", f"dma_0.{direction}_batches"),
                    (f"dma_0.{direction}_finished", f"control_0.{direction}_finished")]
    if wiring == "look-aside":
        for direction in ("egress", "ingress"):
            streams += packets(f"dma_0.{direction}_out", f"{direction}_0.in") + packets(f"{direction}_0.out", f"dma_0.{direction}_in")
        return units, streams
    # Black side: the last port. With one port the clear side is the host.
    black = len(card["ports"]) - 1 if wiring == "bump-in-the-wire" else 0
    units += [("linecrypt_black_side", "black_0", "ports"), (f"linecrypt_cmac_{black}", f"cmac_{black}", "ports")]
    streams += packets("egress_0.out", "black_0.egress") + axis("black_0.transmit", f"cmac_{black}.s_axis")
    streams += axis(f"cmac_{black}.m_axis", "black_0.receive") + packets("black_0.ingress", "ingress_0.in")
    streams += packets("black_0.host", "dma_0.black") + [("control_0.black_config", "black_0.config")]
    units += [("linecrypt_clear_side", "clear_0", "ports")]
    streams += packets("clear_0.egress", "egress_0.in") + packets("ingress_0.out", "clear_0.ingress")
    streams += packets("clear_0.host", "dma_0.clear") + packets("dma_0.egress_out", "clear_0.from_host")
    streams += [("control_0.clear_config", "clear_0.config")]
    if wiring == "bump-in-the-wire":
        units += [("linecrypt_cmac_0", "cmac_0", "ports")]
        streams += axis("clear_0.transmit", "cmac_0.s_axis") + axis("cmac_0.m_axis", "clear_0.receive")
    return units, streams


def text(card_name, mode, wiring, cards=None):
    """The file; budget.Refused when the combination does not fit."""
    cards = cards or budget.load("cards.json")
    fit = budget.fit(card_name, mode, wiring, cards)
    card = cards[card_name]
    units, streams = design(card, wiring)
    lines = [f"# {card_name}, mode {mode}, {wiring}: {fit['sa_count']} SAs per block. Written by connectivity.py from cards.json; edit those.",
             f"platform={card['platform']}", "", "[connectivity]"]
    lines += [f"nk={kernel}:1:{unit}" for kernel, unit, _ in units]
    lines += [f"slr={unit}:SLR{card['place'][where]}" for _, unit, where in units]
    memory = card["memory"]
    lines += [f"sp=control_0.{port}_memory:{memory['control']}" for port in ("command", "zero", "response")]
    lines += [f"sp=dma_0.{direction}_{port}:{memory[direction]}" for direction in ("egress", "ingress")
              for port in ("ring", "descriptors", "packets", "results", "completions")]
    lines += [f"stream_connect={source}:{sink}:{FIFO_DEPTH}" for source, sink in streams]
    for _, unit, _ in units:
        if not unit.startswith("cmac_"):
            continue
        port = card["ports"][int(unit[-1])]
        lines += ["", f"# QSFP port {unit[-1]}: reference clock, transceivers, free-running clock."]
        lines += [f"connect={port['refclk']}:{unit}/gt_refclk", f"connect={unit}/gt_serial_port:{port['gt']}",
                  f"connect={card['freerun']['pin']}:{unit}/clk_gt_freerun"]
    lines += ["", "[clock]"] + [f"freqHz={CLOCK_HZ}:{unit}" for _, unit, _ in units]
    lines += ["", "[vivado]", "prop=run.impl_1.strategy=Performance_ExplorePostRoutePhysOpt"]
    return "\n".join(lines) + "\n"


def all_files(cards=None):
    """File name -> text of all that fit."""
    cards, files = cards or budget.load("cards.json"), {}
    for card, mode, wiring in budget.combinations(cards):
        try:
            files[f"{card}-{mode}-{wiring}.cfg"] = text(card, mode, wiring, cards)
        except budget.Refused:
            pass
    return files


def main(arguments):
    if arguments not in (["write"], ["check"]):
        print(__doc__, file=sys.stderr)
        return 2
    wanted, errors = all_files(), 0
    there = {path.name for path in budget.HERE.glob("*.cfg")}
    for name, content in wanted.items():
        path = budget.HERE / name
        if arguments == ["write"]:
            path.write_text(content, encoding="utf-8")
        elif name not in there or path.read_text(encoding="utf-8") != content:
            print(f"{path}: {'differs from what cards.json gives' if name in there else 'is missing'}; run connectivity.py write", file=sys.stderr)
            errors += 1
    for name in sorted(there - set(wanted)):
        print(f"{budget.HERE / name}: no such combination fits; remove it", file=sys.stderr)
        errors += 1
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
