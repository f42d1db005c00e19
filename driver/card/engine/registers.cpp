#include "driver/card/engine/registers.hpp"

#include "driver/card/engine/engine.hpp"
#include "linecrypt/abi/registers.hpp"

namespace linecrypt::card {

namespace {

struct Named {
  const char* name;
  std::uint32_t offset;
};

constexpr Named common[] = {
    {"magic", abi::reg::magic},
    {"version", abi::reg::version},
    {"mode", abi::reg::mode},
    {"features", abi::reg::features},
    {"sa_count", abi::reg::sa_count},
    {"classify_count", abi::reg::classify_count},
    {"command", abi::reg::command},
    {"status", abi::reg::status},
    {"epoch", abi::reg::epoch},
    {"heartbeat", abi::reg::heartbeat},
    {"bad_commands", abi::reg::bad_commands},
    {"command_ring_low", abi::reg::command_ring},
    {"command_ring_high", abi::reg::command_ring + 4},
    {"command_size", abi::reg::command_size},
    {"command_tail", abi::reg::command_tail},
    {"command_head", abi::reg::command_head},
    {"response_ring_low", abi::reg::response_ring},
    {"response_ring_high", abi::reg::response_ring + 4},
    {"response_size", abi::reg::response_size},
    {"response_tail", abi::reg::response_tail},
    {"response_head", abi::reg::response_head},
    {"events_dropped", abi::reg::events_dropped},
};

// Of each direction, work_stride apart.
constexpr Named of_direction[] = {
    {"work_ring_low", abi::reg::work_ring}, {"work_ring_high", abi::reg::work_ring + 4},
    {"work_size", abi::reg::work_size},     {"work_tail", abi::reg::work_tail},
    {"work_head", abi::reg::work_head},     {"bad_work", abi::reg::bad_work},
};

}  // namespace

std::vector<RegisterValue> read_registers(CardPort& port) {
  std::vector<RegisterValue> values;
  for (const Named& one : common) values.push_back({one.name, one.offset, port.read_register(one.offset)});
  for (std::uint32_t direction = 0; direction < abi::directions; ++direction)
    for (const Named& one : of_direction) {
      const std::uint32_t offset = one.offset + direction * abi::reg::work_stride;
      values.push_back(
          {std::string(direction == 0 ? "egress_" : "ingress_") + one.name, offset, port.read_register(offset)});
    }
  return values;
}

std::vector<RegisterValue> LookAsideEngine::registers() {
  return port_ ? read_registers(*port_) : std::vector<RegisterValue>();
}

}  // namespace linecrypt::card
