#include "tools/linecrypt-bench/model/packets.hpp"

#include <algorithm>
#include <cstring>

namespace linecrypt::bench {
namespace {

// Bytes that only have to differ.
std::vector<std::uint8_t> noise(std::size_t size, std::uint64_t seed) {
  std::vector<std::uint8_t> out(size);
  std::uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
  for (std::uint8_t& byte : out) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<std::uint8_t>(state >> 56U);
  }
  return out;
}

IpAddress address(const char* text) {
  return IpAddress::parse(text).value();
}

void put16(std::vector<std::uint8_t>& bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8U);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

void ipv4_header(std::vector<std::uint8_t>& frame) {
  static constexpr std::uint8_t header[20] = {0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 7, 10, 2, 0, 9};
  std::copy(std::begin(header), std::end(header), frame.begin() + ethernet_size);
  put16(frame, ethernet_size + 2, frame.size() - ethernet_size);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 20; i += 2)
    sum += static_cast<std::uint32_t>(frame[ethernet_size + i] << 8U) + frame[ethernet_size + i + 1];
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  put16(frame, ethernet_size + 10, ~sum & 0xffffU);
}

void ipv6_header(std::vector<std::uint8_t>& frame) {
  std::fill_n(frame.begin() + ethernet_size, 40, std::uint8_t{0});
  frame[ethernet_size] = 0x60;
  put16(frame, ethernet_size + 4, frame.size() - ethernet_size - 40);
  frame[ethernet_size + 6] = 17;
  frame[ethernet_size + 7] = 64;
  for (const std::size_t at : {8U, 24U}) {
    put16(frame, ethernet_size + at, 0x2001);
    put16(frame, ethernet_size + at + 2, 0x0db8);
    frame[ethernet_size + at + 15] = static_cast<std::uint8_t>(at);
  }
}

bool egress(Kernel kernel) {
  return kernel == Kernel::esp_encapsulate || kernel == Kernel::macsec_protect;
}
abi::Block block_of(Kernel kernel) {
  switch (kernel) {
    case Kernel::esp_encapsulate:
      return abi::Block::esp_encapsulate;
    case Kernel::esp_decapsulate:
      return abi::Block::esp_decapsulate;
    case Kernel::macsec_protect:
      return abi::Block::macsec_protect;
    case Kernel::macsec_validate:
      return abi::Block::macsec_validate;
  }
  return abi::Block::esp_encapsulate;
}

firmware::ConfigWord to_word(const abi::Command& command) {
  firmware::ConfigWord word{};
  word.op = command.op;
  word.block = command.block;
  word.table = command.table;
  word.word = command.word;
  word.index = command.index;
  word.generation = command.generation;
  word.payload = firmware::from_bytes<512>(command.payload);
  return word;
}

}  // namespace

std::vector<std::uint8_t> clear_frame(Variant variant, std::size_t size) {
  std::vector<std::uint8_t> frame = noise(size, size);
  static constexpr std::uint8_t addresses[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
  std::copy(std::begin(addresses), std::end(addresses), frame.begin());
  put16(frame, 12, variant == Variant::tunnel_ipv6 ? 0x86dd : 0x0800);
  if (variant == Variant::tunnel_ipv4) ipv4_header(frame);
  if (variant == Variant::tunnel_ipv6) ipv6_header(frame);
  return frame;
}

card::CommandList install_commands(Subject subject, std::uint32_t index, bool accepts_again) {
  const Direction direction = egress(subject.kernel) ? Direction::egress : Direction::ingress;
  const SaId id{index, 1};
  const Lease lease{1, std::uint64_t{1} << 40U};
  if (subject.variant == Variant::xpn) {
    MacsecSa sa;
    sa.direction = direction;
    sa.sci.address.bytes = {2, 0, 0, 0, 0, 1};
    sa.sci.port = static_cast<std::uint16_t>(index + 1);
    sa.key = Secret<32>(noise(32, index));
    sa.salt = Secret<12>(noise(12, index + 1));
    sa.ssci = index + 1;
    sa.secy.replay_protect = !accepts_again;
    return card::install_commands(id, sa, lease, 0);
  }
  EspSa sa;
  sa.spi = 0x10000 + index;
  sa.direction = direction;
  sa.key = Secret<32>(noise(32, index));
  sa.salt = Secret<4>(noise(4, index + 1));
  if (accepts_again) {
    sa.esn = false;
    sa.replay_window = 0;
    sa.replay_disabled = true;
  }
  const bool ipv4 = subject.variant == Variant::tunnel_ipv4;
  sa.source = address(ipv4 ? "192.0.2.1" : "2001:db8::1");
  sa.destination = address(ipv4 ? "192.0.2.2" : "2001:db8::2");
  return card::install_commands(id, sa, lease, 0);
}

std::vector<firmware::ConfigWord> install_words(Subject subject, std::uint32_t index) {
  const card::CommandList list = install_commands(subject, index);
  std::vector<firmware::ConfigWord> words;
  for (const abi::Command& one : list.commands()) words.push_back(to_word(one));
  return words;
}
firmware::ConfigWord remove_word(Subject subject, std::uint32_t index) {
  return to_word(card::remove_command({index, 1}, block_of(subject.kernel)));
}

firmware::Frame to_frame(const std::vector<std::uint8_t>& bytes, Subject subject, std::uint32_t index) {
  firmware::Frame frame;
  firmware::PacketInfo& info = frame.info;
  info.kind = firmware::Kind::packet;
  info.length = static_cast<std::uint16_t>(bytes.size());
  info.l2_length = subject.variant == Variant::xpn ? 0 : ethernet_size;
  constexpr abi::Operation operations[] = {abi::Operation::esp_encapsulate, abi::Operation::esp_decapsulate,
                                           abi::Operation::macsec_protect, abi::Operation::macsec_validate};
  info.operation[0] = operations[static_cast<std::size_t>(subject.kernel)];
  info.stage[0] = {index, 1};
  for (std::size_t at = 0; at < bytes.size(); at += firmware::beat_bytes) {
    std::uint8_t raw[firmware::beat_bytes] = {};
    const std::size_t count = std::min<std::size_t>(firmware::beat_bytes, bytes.size() - at);
    std::memcpy(raw, bytes.data() + at, count);
    firmware::Beat beat{};
    beat.data = firmware::from_bytes<512>(raw);
    beat.bytes = static_cast<std::uint8_t>(count);
    beat.last = at + count == bytes.size();
    frame.beats.push_back(beat);
  }
  return frame;
}

}  // namespace linecrypt::bench
