// The clocked model of a memory port: requests are answered `latency` cycles later, in order, one word a cycle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "firmware_hls/base/ap_uint.hpp"
#include "firmware_hls/base/emulation/clock.hpp"

namespace linecrypt {
namespace firmware {

constexpr unsigned memory_word = 64;

// The card's memory as whoever emulates it gives it (firmware_hls/model/image.h has the same two members).
struct MemoryHost {
  void* self;
  unsigned char* (*memory)(void* self, std::uint64_t address, std::uint64_t length);  // null: nothing lives there
};

// What a kernel's memory argument is: under Vitis hls::burst_maxi.
using Memory = MemoryHost;

struct MemoryWord {
  ap_uint<512> data;
  bool good;  // false: there was no memory at the address
};

constexpr unsigned memory_latency = 64;  // cycles from a request to its first word or its answer: HBM behind a switch
constexpr unsigned memory_outstanding = 256;  // words on their way: latency, a maximum packet and a batch's descriptors

class ReadPort {
 public:
  ReadPort(const Clock& clock, const MemoryHost& host, unsigned latency = memory_latency)
      : clock_(&clock), host_(&host), latency_(latency), words_(memory_outstanding) {}
  ReadPort(const ReadPort&) = delete;
  ReadPort& operator=(const ReadPort&) = delete;
  ~ReadPort() = default;

  bool room(unsigned words) const { return count_ + words <= words_.size(); }
  void request(std::uint64_t address, unsigned words) {
    if (!room(words)) throw std::logic_error("memory: request without room");
    const unsigned char* memory = host_->memory(host_->self, address, std::uint64_t{words} * memory_word);
    for (unsigned i = 0; i < words; ++i) {
      Slot& slot = words_[(head_ + count_) % words_.size()];
      const std::uint64_t first = clock_->now() + latency_;
      slot.when = first > last_ ? first : last_ + 1;
      last_ = slot.when;
      slot.good = memory != nullptr;
      if (memory != nullptr) std::memcpy(slot.bytes, memory + std::size_t{i} * memory_word, memory_word);
      ++count_;
    }
  }
  bool ready() const { return count_ != 0 && words_[head_].when <= clock_->now(); }
  MemoryWord read() {
    if (!ready()) throw std::logic_error("memory: read before the word is there");
    Slot& slot = words_[head_];
    MemoryWord word{};
    word.good = slot.good;
    if (slot.good) word.data = from_bytes<512>(slot.bytes);
    std::memset(slot.bytes, 0, sizeof(slot.bytes));  // commands carry keys
    head_ = (head_ + 1) % words_.size();
    --count_;
    return word;
  }
  bool quiet() const { return count_ == 0; }

 private:
  struct Slot {
    std::uint8_t bytes[memory_word] = {};
    std::uint64_t when = 0;
    bool good = false;
  };
  const Clock* clock_;
  const MemoryHost* host_;
  unsigned latency_;
  std::vector<Slot> words_;
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  std::uint64_t last_ = 0;  // one word a cycle
};

// The words of a request land together, `latency` after the last was written, and its answer is there in that cycle.
class WritePort {
 public:
  WritePort(const Clock& clock, const MemoryHost& host, unsigned latency = memory_latency)
      : clock_(&clock), host_(&host), latency_(latency), words_(memory_outstanding), requests_(memory_outstanding) {}
  WritePort(const WritePort&) = delete;
  WritePort& operator=(const WritePort&) = delete;
  ~WritePort() = default;

  bool room(unsigned words) const { return used_ + words <= words_.size() && count_ < requests_.size(); }
  void request(std::uint64_t address, unsigned words) {
    if (!room(words) || words == 0 || missing_ != 0) throw std::logic_error("memory: request without room");
    Request& request = requests_[(head_ + count_) % requests_.size()];
    request.address = address;
    request.words = words;
    request.bytes = 0;
    request.first = (first_word_ + used_) % words_.size();
    request.when = ~std::uint64_t{0};
    used_ += words;
    missing_ = words;
    ++count_;
  }
  // The request's next word, of which `bytes` (1..64; 64 but for the last) are written.
  void write(const ap_uint<512>& data, unsigned bytes = memory_word) {
    if (missing_ == 0) throw std::logic_error("memory: more words than requested");
    Request& request = requests_[(head_ + count_ - 1) % requests_.size()];
    to_bytes(data, words_[(request.first + request.words - missing_) % words_.size()].bytes);
    request.bytes += bytes;
    if (--missing_ == 0) request.when = clock_->now() + latency_;
  }
  // An answer can be taken: the oldest request's data is in memory.
  bool answered() const { return count_ != 0 && requests_[head_].when <= clock_->now(); }
  // False: there was no memory at the address.
  bool take_answer() {
    if (!answered()) throw std::logic_error("memory: answer taken before it is there");
    const Request& request = requests_[head_];
    unsigned char* memory = host_->memory(host_->self, request.address, request.bytes);
    for (unsigned i = 0, at = 0; i < request.words && memory != nullptr; ++i, at += memory_word) {
      const unsigned rest = request.bytes - at;
      std::memcpy(memory + at, words_[(request.first + i) % words_.size()].bytes,
                  rest < memory_word ? rest : memory_word);
    }
    first_word_ = (first_word_ + request.words) % words_.size();
    used_ -= request.words;
    head_ = (head_ + 1) % requests_.size();
    --count_;
    return memory != nullptr;
  }
  bool quiet() const { return count_ == 0; }

 private:
  struct Word {
    std::uint8_t bytes[memory_word] = {};
  };
  struct Request {
    std::uint64_t address = 0;
    std::uint64_t when = 0;
    unsigned words = 0;
    unsigned bytes = 0;
    std::size_t first = 0;
  };
  const Clock* clock_;
  const MemoryHost* host_;
  unsigned latency_;
  std::vector<Word> words_;
  std::vector<Request> requests_;
  std::size_t first_word_ = 0;
  std::size_t used_ = 0;
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  unsigned missing_ = 0;  // words of the newest request that were not written yet
};

}  // namespace firmware
}  // namespace linecrypt
