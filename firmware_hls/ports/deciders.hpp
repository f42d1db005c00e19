// The four steps of the in-line chains: what each does to a packet's description.
//
//     egress    site (policy) -> ESP -> MACsec
//     ingress   circuit (SecTAG) -> MACsec -> controlled (ESP, exemptions, policy) -> ESP -> inner (policy)
#pragma once

#include "firmware_hls/ports/black_side.hpp"
#include "firmware_hls/ports/host_side.hpp"
#include "firmware_hls/ports/step.hpp"

namespace linecrypt {
namespace firmware {
namespace ports {

inline void set_operation(PacketInfo& info, u32 at, abi::Operation operation, const abi::JobStage& stage) {
  info.operation[at & 1U] = operation;
  info.stage[at & 1U] = stage;
}
inline abi::JobStage by_hash() {
  abi::JobStage stage = {};
  stage.index = abi::find_by_hash;
  return stage;
}

// Towards the black side: from the site, or injected for the black port.
struct Site {
  static constexpr abi::Block block = abi::egress_port;

  static bool mine(const PacketInfo& info) { return is_pending(info) && info.place == 0; }

  // 1. What becomes of the frame.
  // 2. Its operations: ESP by the policy's SA, then MACsec for all that leaves by the controlled port. A SecY without
  // an
  //    SA sends nothing (IEEE 802.1AE-2018 10.5).
  template <u32 N>
  static Course decide(const Policy<N>& policy, Front& front) {
    PacketInfo& info = front.info;
    // 1.
    Course course = is_injected(info) ? from_host(policy, true, front.window, info.length)
                                      : from_site(policy, front.window, info.length);
    const abi::PortWord& out = policy.port[abi::black_port];
    const bool macsec =
        course.to == Destination::wire && course.controlled && (out.flags & abi::port_flag::macsec) != 0;
    if (macsec && out.macsec_sa.generation == 0) course = dropped(VerdictCode::no_sa);
    if (course.to == Destination::nowhere) {
      end(info, course.verdict);
      return course;
    }
    // 2.
    send(info, course);
    u32 operations = 0;
    if (course.encapsulate) set_operation(info, operations++, abi::Operation::esp_encapsulate, course.sa);
    if (macsec) set_operation(info, operations++, abi::Operation::macsec_protect, out.macsec_sa);
    if (operations == 0) finish(info, course);
    return course;
  }
};

// From the circuit, up to the SecY. The second operation is held open for the next step.
struct Circuit {
  static constexpr abi::Block block = abi::ingress_port;

  static bool mine(const PacketInfo& info) { return is_pending(info) && info.place == 0 && !is_injected(info); }

  template <u32 N>
  static Course decide(const Policy<N>& policy, Front& front) {
    PacketInfo& info = front.info;
    const Course course = from_circuit(policy, front.window, info.length);
    if (course.to == Destination::nowhere) {
      end(info, course.verdict);
    } else if (!course.keeps) {
      send(info, course);
      finish(info, course);
    } else if (course.validate) {
      set_operation(info, 0, abi::Operation::macsec_validate, by_hash());
      set_operation(info, 1, abi::Operation::esp_decapsulate, by_hash());
    }
    return course;
  }
};

// Behind the SecY; and what the host injects for the clear port.
struct Controlled {
  static constexpr abi::Block block = abi::ingress_port;

  // A packet that the SecY should have validated and did not is nobody's: the tally drops it.
  static bool mine(const PacketInfo& info) {
    const bool validated = info.operation[0] != abi::Operation::macsec_validate || info.at == 1;
    return is_pending(info) && info.place == 0 && validated;
  }

  template <u32 N>
  static Course decide(const Policy<N>& policy, Front& front) {
    PacketInfo& info = front.info;
    const Course course = is_injected(info) ? from_host(policy, false, front.window, info.length)
                                            : from_controlled_port(policy, front.window, info.length);
    if (info.at == 1) info.place |= mark::validated;
    if (course.to == Destination::nowhere) {
      end(info, course.verdict);
    } else if (course.decapsulate) {
      set_operation(info, info.at, abi::Operation::esp_decapsulate, by_hash());
      info.l2_length = course.l2;
    } else {
      send(info, course);
      finish(info, course);
    }
    return course;
  }
};

// What came out of an ESP SA.
struct Inner {
  static constexpr abi::Block block = abi::ingress_port;

  static bool mine(const PacketInfo& info) {
    return info.verdict == static_cast<u8>(VerdictCode::ok) && info.at == 2 && info.length != 0 &&
           destination_of(info) == Destination::nowhere;
  }

  template <u32 N>
  static Course decide(const Policy<N>& policy, Front& front) {
    PacketInfo& info = front.info;
    const Course course = decapsulated(policy, front.window, info.l2_length, info.length);
    if (course.to == Destination::nowhere) {
      end(info, course.verdict);
      return course;
    }
    info.place |= mark::decapsulated;
    send(info, course);
    finish(info, course);
    return course;
  }
};

}  // namespace ports
}  // namespace firmware
}  // namespace linecrypt
