#include "tests/firmware_hls/ports/inline_rig.hpp"

#include <cstring>

namespace linecrypt::ports_test {

namespace gt = gateway::test;

InlineRig::InlineRig()
    : card(firmware::make_clocked_card(memory.host())),
      host(memory, *card),
      exceptions_(memory.allocate(ring_entries * abi::host_frame_slot)),
      injected_(memory.allocate(ring_entries * abi::host_frame_slot)) {}

void InlineRig::take_place_of(TestGateway& gateway, const gt::Scenario& scenario, Lease egress, std::uint64_t ceiling) {
  host.start();
  host.reset();
  host.set64(abi::reg::exceptions_ring, exceptions_);
  host.set(abi::reg::exceptions_size, ring_entries);
  host.set64(abi::reg::injected_ring, injected_);
  host.set(abi::reg::injected_size, ring_entries);
  exceptions_head_ = injected_tail_ = 0;
  host.enable();
  const std::uint32_t sas = host.reg(abi::reg::sa_count);
  card::HashPlacement spis(abi::Block::esp_decapsulate, sas);
  card::HashPlacement scis(abi::Block::macsec_validate, sas);
  for (const GatewaySa& one : gateway_sas(gateway)) {
    std::visit(
        [&](const auto& sa) {
          const bool ingress = sa.direction == Direction::ingress;
          REQUIRE(host.install(card::install_commands(one.id, sa, ingress ? Lease{} : egress, 0, ceiling)));
        },
        one.sa);
    const auto* const esp = std::get_if<EspSa>(&one.sa);
    const auto* const macsec = std::get_if<MacsecSa>(&one.sa);
    if (esp != nullptr && esp->direction == Direction::ingress) host.run(spis.insert({esp->spi, 0}, one.id).value());
    if (macsec != nullptr && macsec->direction == Direction::ingress)
      host.run(scis.insert({macsec->sci.value(), 0}, one.id).value());
  }
  publish(inline_gateway(gateway, scenario));
}

void InlineRig::publish(const card::InlineGateway& gateway) {
  for (const abi::Block direction : {abi::egress_port, abi::ingress_port}) {
    const auto commands =
        card::classify_commands(gateway, abi::CardMode::both, host.reg(abi::reg::classify_count), direction, 1);
    if (!commands) FAIL(commands.error().message);
    const auto out = answers(commands.value());
    REQUIRE(out.size() == 1);
    REQUIRE(out[0].kind == abi::ResponseKind::done);
  }
}

bool InlineRig::receive(std::uint32_t port, const Bytes& frame) {
  return card->port_receive(port, frame.data(), static_cast<std::uint32_t>(frame.size()));
}

std::vector<Bytes> InlineRig::transmitted(std::uint32_t port) {
  std::vector<Bytes> frames;
  Bytes room(abi::frame_largest + 64);
  for (std::uint32_t n = 0; (n = card->port_transmit(port, room.data(), static_cast<std::uint32_t>(room.size()))) != 0;)
    frames.emplace_back(room.begin(), room.begin() + n);
  return frames;
}

std::vector<HostFrame> InlineRig::exceptions(bool consume) {
  std::vector<HostFrame> frames;
  std::uint32_t head = exceptions_head_;
  for (const std::uint32_t tail = host.reg(abi::reg::exceptions_tail); head != tail; ++head) {
    const std::uint64_t at = exceptions_ + (head % ring_entries) * abi::host_frame_slot;
    HostFrame frame;
    frame.header = memory.as<abi::HostFrame>(at);
    REQUIRE(frame.header.epoch == firmware_test::CardHost::epoch);
    REQUIRE(frame.header.number == head);
    const unsigned char* bytes = memory.at(at + sizeof frame.header, frame.header.length);
    frame.frame.assign(bytes, bytes + frame.header.length);
    frames.push_back(std::move(frame));
  }
  if (consume) {
    exceptions_head_ = head;
    host.set(abi::reg::exceptions_head, head);
  }
  return frames;
}

void InlineRig::inject(std::uint32_t port, const Bytes& frame, std::uint32_t epoch) {
  const std::uint64_t at = injected_ + (injected_tail_ % ring_entries) * abi::host_frame_slot;
  abi::HostFrame header{};
  header.epoch = epoch;
  header.number = injected_tail_;
  header.length = static_cast<std::uint16_t>(frame.size());
  header.port = static_cast<std::uint8_t>(port);
  memory.as<abi::HostFrame>(at) = header;
  std::memcpy(memory.at(at + sizeof header, frame.size()), frame.data(), frame.size());
  host.set(abi::reg::injected_tail, ++injected_tail_);
}

std::vector<abi::Response> InlineRig::answers(const std::vector<abi::Command>& commands) {
  std::vector<abi::Response> out = host.run(commands);
  std::erase_if(out, [](const abi::Response& response) { return response.kind == abi::ResponseKind::event; });
  return out;
}

std::uint64_t InlineRig::read(abi::Block block, abi::Table table, std::uint32_t index, std::uint32_t word) {
  abi::Command command{};
  command.op = abi::CommandOp::read;
  command.block = block;
  command.table = table;
  command.index = index;
  command.word = static_cast<std::uint8_t>(word);
  command.respond = 1;
  const auto out = answers(std::vector<abi::Command>{command});
  REQUIRE(out.size() == 1);
  REQUIRE(out[0].kind == abi::ResponseKind::state);
  return out[0].next_number;
}

std::uint64_t InlineRig::verdicts(abi::Block direction, Verdict verdict) {
  const auto code = static_cast<std::uint32_t>(verdict);
  return read(direction, abi::Table::verdicts, code / 8 * 8, code % 8);
}

abi::PortCounts InlineRig::counts(abi::Block direction, abi::PortCounter which) {
  abi::PortCounts counts{};
  std::uint64_t words[7];
  for (std::uint32_t i = 0; i < 7; ++i)
    words[i] = read(direction, abi::Table::classify, abi::classify_counters + static_cast<std::uint32_t>(which), i);
  std::memcpy(&counts, words, sizeof words);
  return counts;
}

}  // namespace linecrypt::ports_test
