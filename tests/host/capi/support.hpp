// What the tests of the C interface share: contexts that close themselves, SAs that differ in their key, frames.
#pragma once

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "linecrypt/linecrypt.h"

namespace capi_test {

using Bytes = std::vector<std::uint8_t>;

// Keys are numbered; equal numbers are equal keys. Tests take fresh ones: the process remembers each.
struct Key {
  std::array<std::uint8_t, 32> key{};
  std::array<std::uint8_t, 12> salt{};
  explicit Key(std::uint32_t number) {
    for (std::size_t i = 0; i < key.size(); ++i)
      key[i] = static_cast<std::uint8_t>(number * 131 + i * 29 + (number >> 8));
    for (std::size_t i = 0; i < salt.size(); ++i) salt[i] = static_cast<std::uint8_t>(number * 17 + i * 3 + 1);
    std::memcpy(key.data(), &number, sizeof number);
  }
};
inline std::uint32_t fresh_number() {
  static std::uint32_t next = 0x4b000000;
  return next++;
}

class Context {
 public:
  explicit Context(std::uint32_t provider = LC_PROVIDER_AUTOMATIC, const char* state_directory = nullptr,
                   std::uint32_t queues = 1, std::uint32_t max_sas = 64) {
    lc_options options;
    lc_options_init(&options);
    options.provider = provider;
    options.state_directory = state_directory;
    options.queues = queues;
    options.max_sas = max_sas;
    INFO("provider " << provider);
    status = lc_context_open(&options, &context_, text.data(), text.size());
  }
  ~Context() { lc_context_close(context_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  operator lc_context*() const { return context_; }

  int status = LC_FAILED;
  std::array<char, 256> text{};

 private:
  lc_context* context_ = nullptr;
};

inline lc_esp_sa esp_sa(const Key& key, std::uint32_t spi = 0x1001) {
  lc_esp_sa sa;
  lc_esp_sa_init(&sa);
  sa.spi = spi;
  sa.key = key.key.data();
  sa.key_size = 32;
  sa.salt = key.salt.data();
  sa.salt_size = 4;
  lc_address_parse("192.0.2.1", &sa.source);
  lc_address_parse("192.0.2.2", &sa.destination);
  return sa;
}

lc_esp_sa esp_sa(Key&&, std::uint32_t = 0) = delete;  // the SA points at the key

inline lc_macsec_sa macsec_sa(const Key& key) {
  lc_macsec_sa sa;
  lc_macsec_sa_init(&sa);
  sa.sci_address[0] = 2;
  sa.sci_address[5] = 1;
  sa.key = key.key.data();
  sa.key_size = 32;
  sa.salt = key.salt.data();
  sa.salt_size = 12;
  sa.ssci = 1;
  return sa;
}

lc_macsec_sa macsec_sa(Key&&) = delete;

// Ethernet, IPv4, and `payload` bytes.
inline Bytes ipv4_frame(std::uint32_t payload) {
  Bytes frame = {2, 0, 0, 0,    0, 2,  2,   0, 0, 0,  0, 1, 8, 0,  0x45, 0, 0,
                 0, 0, 1, 0x40, 0, 64, 253, 0, 0, 10, 1, 0, 1, 10, 2,    0, 1};
  const std::uint32_t total = 20 + payload;
  frame[16] = static_cast<std::uint8_t>(total >> 8);
  frame[17] = static_cast<std::uint8_t>(total);
  std::uint32_t sum = 0;
  for (std::size_t i = 14; i < 34; i += 2) sum += static_cast<std::uint32_t>(frame[i] << 8 | frame[i + 1]);
  while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
  frame[24] = static_cast<std::uint8_t>(~sum >> 8);
  frame[25] = static_cast<std::uint8_t>(~sum);
  for (std::uint32_t i = 0; i < payload; ++i) frame.push_back(static_cast<std::uint8_t>(i * 7 + 13));
  return frame;
}

// A frame with room around it.
class Buffer {
 public:
  static constexpr std::uint32_t room = 256;
  Buffer(const Buffer&) = delete;  // `view` points into its own memory
  Buffer& operator=(const Buffer&) = delete;
  explicit Buffer(const Bytes& frame) : memory_(room + frame.size() + room) {
    std::copy(frame.begin(), frame.end(), memory_.begin() + room);
    view = {memory_.data() + room, static_cast<std::uint32_t>(frame.size()), room, room};
  }
  [[nodiscard]] Bytes bytes() const { return {view.data, view.data + view.length}; }
  lc_buffer view{};

 private:
  Bytes memory_;
};

// Runs one job to its end; the result is in `buffer`.
inline std::string run(lc_context* context, Buffer& buffer, std::vector<lc_stage> stages, std::uint32_t queue = 0) {
  lc_job job;
  lc_job_init(&job);
  job.source = buffer.view;
  for (std::size_t i = 0; i < stages.size(); ++i) job.stages[i] = stages[i];
  lc_job* list = &job;
  if (lc_submit(context, queue, &list, 1) != 1) return "not accepted";
  for (int i = 0; job.verdict == LC_VERDICT_PENDING && i < 1000000; ++i) lc_poll(context, queue, &list, 1);
  buffer.view = job.source;
  return lc_verdict_name(job.verdict);
}

}  // namespace capi_test
