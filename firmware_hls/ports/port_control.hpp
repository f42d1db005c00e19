// The control kernel's part for the ports: the rings of frames between card and host, whether the ports are open, and
// the state of the clear side's link. One call beside Control::tick(), on the same registers.
#pragma once

#include "firmware_hls/ports/injected.hpp"
#include "linecrypt/abi/registers.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

class PortControl {
 public:
  PortControl(volatile u32* registers, Stream<HostRing>& exceptions, Stream<u32>& exception_tails,
              Stream<HostRing>& injected, Stream<InjectedReport>& injected_reports)
      : registers_(registers),
        exceptions_(exceptions),
        exception_tails_(exception_tails),
        injected_(injected),
        injected_reports_(injected_reports),
        sent_exceptions_(),
        sent_injected_(),
        enabled_(false),
        link_(0) {}

  // 1. Open while the card is enabled.
  // 2. Rings and doorbells, as they change; what the rings' processes say back, unless a reset has ended their session.
  //    A halt does not: the rings go on where they were.
  // 3. The clear side's link is up while frames would be carried: when the host is gone, leases and ceilings end, and
  // the
  //    site must learn of it (DESIGN 4).
  void tick(bool egress_exhausted, bool ingress_exhausted) {
    LINECRYPT_PIPELINE
    // 1.
    enabled_ = (at(abi::reg::status) & abi::status::enabled) != 0;
    // 2.
    hand_on(exceptions_, sent_exceptions_, abi::reg::exceptions_ring, abi::reg::exceptions_size,
            abi::reg::exceptions_head);
    hand_on(injected_, sent_injected_, abi::reg::injected_ring, abi::reg::injected_size, abi::reg::injected_tail);
    if (!exception_tails_.empty()) {
      const u32 tail = exception_tails_.read();
      if (at(abi::reg::epoch) != 0) at(abi::reg::exceptions_tail) = tail;
    }
    if (!injected_reports_.empty()) {
      const InjectedReport report = injected_reports_.read();
      if (at(abi::reg::epoch) != 0) {
        at(abi::reg::injected_head) = report.head;
        at(abi::reg::bad_injected) = report.bad;
      }
    }
    // 3.
    const bool up = enabled_ && !egress_exhausted && !ingress_exhausted;
    link_ = (up ? abi::link_state::clear_up : 0U) | (egress_exhausted ? abi::link_state::egress_exhausted : 0U) |
            (ingress_exhausted ? abi::link_state::ingress_exhausted : 0U);
    if (at(abi::reg::link) != link_) at(abi::reg::link) = link_;
  }
  bool enabled() const { return enabled_; }
  // A wire to the clear port's MAC: low takes its link down.
  bool clear_link_up() const { return (link_ & abi::link_state::clear_up) != 0; }

  // For the clocked model: does a register say something new?
  bool busy(bool egress_exhausted, bool ingress_exhausted) const {
    const bool enabled = (at(abi::reg::status) & abi::status::enabled) != 0;
    const bool up = enabled && !egress_exhausted && !ingress_exhausted;
    return enabled != enabled_ || up != clear_link_up() ||
           differs(sent_exceptions_,
                   ring(abi::reg::exceptions_ring, abi::reg::exceptions_size, abi::reg::exceptions_head, enabled)) ||
           differs(sent_injected_,
                   ring(abi::reg::injected_ring, abi::reg::injected_size, abi::reg::injected_tail, enabled)) ||
           exception_tails_.pending() + injected_reports_.pending() != 0;
  }

 private:
  volatile u32& at(u32 offset) const { return registers_[(offset - abi::reg::window) / 4]; }

  // Closed unless it makes sense: page aligned, a power of two.
  HostRing ring(u32 address, u32 size, u32 peer, bool enabled) const {
    HostRing ring = {};
    ring.address = u64{at(address)} | u64{at(address + 4)} << 32U;
    ring.size = at(size);
    ring.peer = at(peer);
    ring.epoch = at(abi::reg::epoch);
    ring.open =
        enabled && (ring.address & (abi::page - 1)) == 0 && ring.size != 0 && (ring.size & (ring.size - 1)) == 0;
    if (!ring.open) {
      ring.address = 0;
      ring.size = 0;
      ring.peer = 0;
    }
    ring.enabled = enabled;
    return ring;
  }
  static bool differs(const HostRing& a, const HostRing& b) {
    return a.open != b.open || a.enabled != b.enabled || a.address != b.address || a.size != b.size ||
           a.peer != b.peer || a.epoch != b.epoch;
  }
  void hand_on(Stream<HostRing>& out, HostRing& sent, u32 address, u32 size, u32 peer) {
    const HostRing now = ring(address, size, peer, enabled_);
    if (out.full() || !differs(sent, now)) return;
    out.write(now);
    sent = now;
  }

  volatile u32* registers_;
  Stream<HostRing>& exceptions_;
  Stream<u32>& exception_tails_;
  Stream<HostRing>& injected_;
  Stream<InjectedReport>& injected_reports_;
  HostRing sent_exceptions_;
  HostRing sent_injected_;
  bool enabled_;
  u32 link_;
};

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
