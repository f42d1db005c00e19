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
    # Bump-in-the-wire: a side at each port, and the host's rings of frames. Port 0 is the clear side, port 1 the black one.
    units += [("linecrypt_host", "host_0", "dma"), ("linecrypt_clear_side", "clear_0", "ports"), ("linecrypt_black_side", "black_0", "ports"),
              ("linecrypt_cmac_0", "cmac_0", "ports"), ("linecrypt_cmac_1", "cmac_1", "ports")]
    # A direction's chain begins at one side and ends at the other.
    for direction, begin, end in (("egress", "clear_0", "black_0"), ("ingress", "black_0", "clear_0")):
        chain = f"{direction}_0"
        streams += packets(f"{begin}.arrived", f"{chain}.in") + packets(f"{chain}.out", f"{end}.done")
        streams += packets(f"dma_0.{direction}_out", f"{begin}.look_aside_in") + packets(f"{end}.look_aside_out", f"dma_0.{direction}_in")
        streams += packets(f"host_0.{direction}_injected", f"{begin}.injected")
        streams += [(f"{end}.host_notes", f"host_0.{direction}_notes"), (f"{end}.host_beats", f"host_0.{direction}_beats"),
                    (f"{begin}.receive_counts", f"{chain}.receive_counts"), (f"{end}.transmit_counts", f"{chain}.transmit_counts"),
                    (f"{end}.to_host_counts", f"{chain}.to_host_counts"), (f"{chain}.exhausted", f"control_0.{direction}_exhausted")]
    streams += [("control_0.exceptions_ring", "host_0.exceptions_ring"), ("host_0.exception_tails", "control_0.exception_tails"),
                ("control_0.injected_ring", "host_0.injected_ring"), ("host_0.injected_reports", "control_0.injected_reports")]
    for port, side in enumerate(("clear", "black")):
        streams += [(f"control_0.{side}_enabled", f"{side}_0.enabled"), (f"control_0.{side}_link", f"cmac_{port}.s_link"),
                    (f"{side}_0.transmit", f"cmac_{port}.s_axis"), (f"cmac_{port}.m_axis", f"{side}_0.receive")]
    return units, streams


def kernel_source(kernels, kernel, wiring):
    """The file with a kernel's top function: those that a wiring with ports changes stand in a folder of their own."""
    inline = kernels / "inline" / f"{kernel}.cpp"
    return inline if wiring != "look-aside" and inline.is_file() else kernels / f"{kernel}.cpp"


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
    if any(unit == "host_0" for _, unit, _ in units):
        lines += [f"sp=host_0.{ring}_memory:{memory['control']}" for ring in ("exceptions", "injected")]
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
