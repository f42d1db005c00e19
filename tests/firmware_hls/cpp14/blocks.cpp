// ESP and MACsec packets through the egress block and back through the ingress block. Both hold the same key entry,
// made of fixed bytes: no cipher needs to be right for that, and what is compared is whether everything is the same
// everywhere.
#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>

#include "firmware_hls/esp/block.hpp"
#include "firmware_hls/macsec/block.hpp"
#include "linecrypt/abi/layout.hpp"
#include "tests/firmware_hls/cpp14/vectors.hpp"

namespace vectors {
namespace {

namespace abi = linecrypt::abi;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t slot = 3;
constexpr std::uint32_t generation = 7;

struct Item {
  PacketInfo info;
  Bytes packet;
};

PacketInfo no_info() {
  PacketInfo info = PacketInfo();
  info.config.payload = ap_uint<512>(0);
  return info;
}

Item command(abi::CommandOp op, abi::Block block) {
  Item item = {no_info(), Bytes()};
  item.info.kind = Kind::command;
  item.info.config.op = op;
  item.info.config.block = block;
  item.info.config.index = slot;
  return item;
}

template <class Entry>
void load(std::deque<Item>& to, abi::Block block, abi::Table table, const Entry& entry, std::size_t first = 0) {
  std::uint8_t bytes[sizeof entry];
  std::memcpy(bytes, &entry, sizeof entry);
  for (std::size_t word = 0; word < sizeof entry / abi::word_bytes; ++word) {
    Item item = command(abi::CommandOp::load, block);
    item.info.config.table = table;
    item.info.config.word = static_cast<std::uint8_t>(first + word);
    item.info.config.payload = from_bytes<512>(bytes + abi::word_bytes * word);
    to.push_back(item);
  }
}

// One SA in a block. `record` and `records` words of it, the rest of them zero.
template <class Record>
std::deque<Item> install(abi::Block block, const abi::KeyEntry& key, const Record& record, unsigned records,
                         bool egress) {
  std::deque<Item> list;
  load(list, block, abi::Table::key, key);
  load(list, block, abi::Table::record, record);
  for (unsigned i = 1; i < records; ++i) load(list, block, abi::Table::record, abi::SelectorRecord(), i);
  abi::NumberEntry numbers = abi::NumberEntry();
  numbers.begin = egress ? 1 : 0;
  numbers.end = egress ? 1U << 20U : 0;
  numbers.lowest = egress ? 0 : 1;
  numbers.flags = abi::number_flag::wide;
  load(list, block, abi::Table::number, numbers);
  load(list, block, abi::Table::number, abi::LifetimeEntry(), 1);
  Item commit = command(abi::CommandOp::commit, block);
  commit.info.config.generation = generation;
  list.push_back(commit);
  return list;
}

// Clocks until as many descriptions came out as went in; gives the packets, in order.
template <class Block>
std::vector<Item> run(const std::deque<Item>& items, Digest& digest) {
  Clock clock;
  Stream<PacketInfo> info_in(clock);
  Stream<Beat> beats_in(clock);
  Stream<PacketInfo> info_out(clock);
  Stream<Beat> beats_out(clock);
  Stream<EventWord> events(clock);
  const std::unique_ptr<Block> block(new Block(clock, info_in, beats_in, info_out, beats_out, events));
  std::vector<Item> out;
  std::deque<Bytes> packets;
  Bytes open;
  std::size_t sent = 0;
  std::size_t at = 0;
  bool announced = false;
  std::vector<PacketInfo> infos;
  for (int quiet = 0; quiet < 1000; ++quiet, clock.tick()) {
    if (sent < items.size()) {
      quiet = 0;
      const Item& item = items[sent];
      if (!announced && !info_in.full()) {
        info_in.write(item.info);
        announced = true;
      }
      if (announced) feed(beats_in, item.packet, at);
      if (announced && at >= item.packet.size()) {
        ++sent;
        at = 0;
        announced = false;
      }
    }
    block->tick();
    if (!events.empty()) events.read();
    if (!info_out.empty()) infos.push_back(info_out.read());
    if (!beats_out.empty()) {
      const Beat beat = beats_out.read();
      digest.add(beat);
      std::uint8_t bytes[beat_bytes];
      to_bytes(beat.data, bytes);
      open.insert(open.end(), bytes, bytes + beat.bytes);
      if (beat.last) {
        packets.push_back(open);
        open.clear();
      }
    }
  }
  for (const PacketInfo& info : infos) {
    digest.add(info.verdict);
    if (info.kind == Kind::command && info.config.refused) std::printf("a command was refused\n");
    if (info.kind != Kind::packet) continue;
    Item item = {info, Bytes()};
    if (info.length != 0 && !packets.empty()) {
      item.packet = packets.front();
      packets.pop_front();
    }
    out.push_back(item);
  }
  return out;
}

Item packet_of(const Bytes& packet, abi::Operation operation, std::uint16_t l2) {
  Item item = {no_info(), packet};
  item.info.kind = Kind::packet;
  item.info.length = static_cast<std::uint16_t>(packet.size());
  item.info.l2_length = l2;
  item.info.operation[0] = operation;
  item.info.stage[0].index = slot;
  item.info.stage[0].generation = generation;
  return item;
}

// Out and back: every packet returns as it was, whatever lies between.
template <class Egress, class Ingress>
bool both_ways(std::deque<Item> egress, std::deque<Item> ingress, const std::vector<Bytes>& packets, const char* name,
               abi::Operation out, abi::Operation back, std::uint16_t l2, Digest& digest) {
  for (const Bytes& packet : packets) egress.push_back(packet_of(packet, out, l2));
  const std::vector<Item> sealed = run<Egress>(egress, digest);
  if (sealed.size() != packets.size()) {
    std::printf("%s: %zu packets became %zu\n", name, packets.size(), sealed.size());
    return false;
  }
  for (const Item& one : sealed) ingress.push_back(packet_of(one.packet, back, l2));
  const std::vector<Item> opened = run<Ingress>(ingress, digest);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (i >= opened.size() || opened[i].packet != packets[i] || sealed[i].packet.size() <= packets[i].size() + 16) {
      std::printf("%s: packet %zu of %zu bytes did not come back, verdicts %u %u\n", name, i, packets[i].size(),
                  sealed[i].info.verdict, i < opened.size() ? opened[i].info.verdict : 0U);
      return false;
    }
  }
  return true;
}

abi::KeyEntry some_key() {
  abi::KeyEntry key = abi::KeyEntry();
  const Bytes bytes = random_bytes(sizeof key.round_key + sizeof key.power);
  std::memcpy(&key, bytes.data(), bytes.size());
  key.salt[0] = 0x5a;
  key.rounds = 14;
  return key;
}

// IPv4, UDP, `size` bytes of payload.
Bytes ipv4_packet(std::size_t size) {
  Bytes packet = random_bytes(28 + size);
  const Bytes header = {0x45,
                        0,
                        static_cast<std::uint8_t>((28 + size) >> 8U),
                        static_cast<std::uint8_t>(28 + size),
                        0,
                        1,
                        0x40,
                        0,
                        64,
                        17,
                        0,
                        0,
                        10,
                        1,
                        0,
                        1,
                        10,
                        2,
                        0,
                        1};
  std::copy(header.begin(), header.end(), packet.begin());
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 20; i += 2) sum += static_cast<std::uint32_t>(packet[i] << 8U) + packet[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16U);
  packet[10] = static_cast<std::uint8_t>(~sum >> 8U);
  packet[11] = static_cast<std::uint8_t>(~sum);
  return packet;
}

}  // namespace

std::uint64_t blocks_digest(std::size_t sizes) {
  Digest digest;
  std::vector<Bytes> packets;
  std::vector<Bytes> frames;
  for (std::size_t i = 0; i < sizes; ++i) {
    packets.push_back(ipv4_packet(i * 23));
    frames.push_back(random_bytes(60 + i * 23));
    // An ordinary frame: both addresses of single stations, an EtherType above 1535 that is not MACsec.
    frames.back()[0] = 2;
    frames.back()[6] = 2;
    frames.back()[12] = 8;
    frames.back()[13] = 0;
  }

  const abi::KeyEntry key = some_key();
  abi::EspRecord esp = abi::EspRecord();
  esp.spi = 0x12345678;
  const std::uint8_t ends[8] = {192, 0, 2, 1, 192, 0, 2, 2};
  std::memcpy(esp.source, ends, 4);
  std::memcpy(esp.destination, ends + 4, 4);
  esp.flags = abi::esp_flag::tunnel | abi::esp_flag::esn;
  esp.hop_limit = 64;
  esp.replay_window = 1024;
  bool good = both_ways<EspEncapsulate<8>, EspDecapsulate<8>>(
      install(abi::Block::esp_encapsulate, key, esp, 1, true),
      install(abi::Block::esp_decapsulate, key, esp, abi::record_words, false), packets, "ESP",
      abi::Operation::esp_encapsulate, abi::Operation::esp_decapsulate, 0, digest);

  abi::MacsecRecord macsec = abi::MacsecRecord();
  macsec.sci = 0x0200000000010001U;
  macsec.flags = abi::macsec_flag::xpn | abi::macsec_flag::encrypt | abi::macsec_flag::replay_protect;
  macsec.validate = 2;   // strict
  macsec.tci_an = 0x2c;  // SC, E, C, AN 0
  macsec.tag_size = 16;
  good = both_ways<MacsecProtect<8>, MacsecValidate<8>>(install(abi::Block::macsec_protect, key, macsec, 1, true),
                                                        install(abi::Block::macsec_validate, key, macsec, 1, false),
                                                        frames, "MACsec", abi::Operation::macsec_protect,
                                                        abi::Operation::macsec_validate, 14, digest) &&
         good;
  return good ? digest.value() : 0;
}

}  // namespace vectors
