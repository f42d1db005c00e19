// Vitis: hls::burst_maxi. ready() and answered() are true as soon as something was asked for: the calls behind them
// wait for the bus, and the pipeline stands still that long.
#pragma once

#include <hls_burst_maxi.h>

#include "firmware_hls/base/ap_uint.hpp"
#include "firmware_hls/base/stream.hpp"

namespace linecrypt {
namespace firmware {

constexpr unsigned memory_word = 64;
constexpr unsigned memory_outstanding = 256;

using Memory = hls::burst_maxi<ap_uint<512>>;

struct MemoryWord {
  ap_uint<512> data;
  bool good;
};

class ReadPort {
 public:
  ReadPort(const Clock&, const Memory& memory) : memory_(memory), count_(0) {}
  bool room(unsigned words) const { return count_ + words <= memory_outstanding; }
  void request(unsigned long address, unsigned words) {
    memory_.read_request(address / memory_word, words);
    count_ += words;
  }
  bool ready() const { return count_ != 0; }
  MemoryWord read() {
    MemoryWord word;
    word.data = memory_.read();
    word.good = true;
    --count_;
    return word;
  }
  bool quiet() const { return count_ == 0; }

 private:
  Memory memory_;
  unsigned count_;
};

class WritePort {
 public:
  WritePort(const Clock&, const Memory& memory) : memory_(memory), count_(0) {}
  bool room(unsigned) const { return count_ < memory_outstanding; }
  void request(unsigned long address, unsigned words) {
    memory_.write_request(address / memory_word, words);
    ++count_;
  }
  void write(const ap_uint<512>& data, unsigned bytes = memory_word) {
    const ap_uint<64> all = ~ap_uint<64>(0);
    memory_.write(data, bytes >= memory_word ? all : ap_uint<64>(~(all << bytes)));
  }
  bool answered() const { return count_ != 0; }
  bool take_answer() {
    memory_.write_response();
    --count_;
    return true;
  }
  bool quiet() const { return count_ == 0; }

 private:
  Memory memory_;
  unsigned count_;
};

}  // namespace firmware
}  // namespace linecrypt
