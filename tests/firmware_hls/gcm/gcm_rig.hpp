// Packets through the GCM block, clocked, with pauses where a test wants them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <stdexcept>
#include <vector>

#include "firmware_hls/gcm/gcm.hpp"
#include "tests/firmware_hls/gcm/beats.hpp"
#include "tests/firmware_hls/gcm/reference.hpp"

namespace linecrypt::test {

struct GcmJob {
  abi::KeyEntry key;
  Bytes iv;
  Bytes aad;
  Bytes text;
  firmware::GcmMode mode = firmware::GcmMode::encrypt;
};

inline firmware::GcmKey key_of(const abi::KeyEntry& entry) {
  ap_uint<512> words[abi::key_entry_words];
  std::uint8_t bytes[sizeof entry];
  std::copy_n(reinterpret_cast<const std::uint8_t*>(&entry), sizeof entry, bytes);
  for (std::uint32_t i = 0; i < abi::key_entry_words; ++i)
    words[i] = firmware::from_bytes<512>(bytes + std::size_t{64} * i);
  return firmware::key_from_words(words);
}

class GcmRig {
 public:
  using Pause = std::function<bool()>;  // true: this side does nothing this cycle

  explicit GcmRig(
      Pause input_pauses = [] { return false; }, Pause output_pauses = [] { return false; })
      : input_pauses_(std::move(input_pauses)), output_pauses_(std::move(output_pauses)) {}

  void put(const GcmJob& job) {
    firmware::GcmCommand command{};
    command.key = key_of(job.key);
    std::uint8_t iv[16] = {};
    std::copy_n(job.iv.begin(), 12, iv);
    command.iv = ap_uint<96>(firmware::from_bytes<128>(iv));
    std::uint8_t aad[32] = {};
    std::copy_n(job.aad.begin(), job.aad.size(), aad);
    command.aad[0] = firmware::from_bytes<128>(aad);
    command.aad[1] = firmware::from_bytes<128>(aad + 16);
    command.aad_bytes = static_cast<std::uint8_t>(job.aad.size());
    command.text_bytes = static_cast<std::uint16_t>(job.text.size());
    command.mode = job.mode;
    waiting_commands_.push_back(command);
    for (const auto& beat : beats_of(job.text, 0xa5)) waiting_text_.push_back(beat);
    sizes_.push_back(job.text.size());
  }

  // Clocks until `packets` tags are out; throws when that does not come to pass.
  void run(std::size_t packets) {
    for (int idle = 0; results.size() < packets || !open_.empty();) {
      const std::size_t before = results.size() + open_.size();
      step();
      idle = results.size() + open_.size() == before ? idle + 1 : 0;
      if (idle > 2000) throw std::logic_error("rig: nothing comes out any more");
    }
  }

  void step() {
    if (!input_pauses_()) {
      if (!waiting_commands_.empty() && !commands.full()) {
        commands.write(waiting_commands_.front());
        waiting_commands_.pop_front();
      }
      if (!waiting_text_.empty() && !text.full()) {
        text.write(waiting_text_.front());
        waiting_text_.pop_front();
      }
    }
    gcm.tick();
    if (!output_pauses_()) {
      if (!out.empty()) {
        open_.push_back(out.read());
        if (open_.back().last) {
          texts_.push_back(bytes_of(open_));
          open_.clear();
        }
      }
      if (!tags.empty()) {
        Bytes tag(16);
        firmware::to_bytes(tags.read(), tag.data());
        tags_.push_back(tag);
        tag_cycles.push_back(clock.now());
      }
    }
    while (!tags_.empty() && (sizes_.front() == 0 || !texts_.empty())) {
      Sealed result;
      if (sizes_.front() != 0) {
        result.text = texts_.front();
        texts_.pop_front();
      }
      result.tag = tags_.front();
      tags_.pop_front();
      sizes_.pop_front();
      results.push_back(result);
    }
    clock.tick();
  }

  firmware::Clock clock;
  firmware::Stream<firmware::GcmCommand> commands{clock, 2, 1};
  firmware::Stream<firmware::Beat> text{clock, 2, 1};
  firmware::Stream<firmware::Beat> out{clock, 2, firmware::Gcm::text_latency()};
  firmware::Stream<ap_uint<128>> tags{clock, 2, firmware::Gcm::tag_latency()};
  firmware::Gcm gcm{clock, commands, text, out, tags};
  std::vector<Sealed> results;
  std::vector<std::uint64_t> tag_cycles;

 private:
  Pause input_pauses_;
  Pause output_pauses_;
  std::deque<firmware::GcmCommand> waiting_commands_;
  std::deque<firmware::Beat> waiting_text_;
  std::deque<std::size_t> sizes_;
  std::vector<firmware::Beat> open_;
  std::deque<Bytes> texts_;
  std::deque<Bytes> tags_;
};

}  // namespace linecrypt::test
