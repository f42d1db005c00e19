// What stands behind an lc_context, and how the C functions hand out errors.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "host/control/sa_control.hpp"
#include "host/keys/registry.hpp"
#include "linecrypt/counters.hpp"
#include "linecrypt/engine.hpp"
#include "linecrypt/linecrypt.h"

namespace linecrypt::capi {

// One queue's state; one writer, its worker.
struct alignas(64) QueueState {
  VerdictCounters verdicts;
  Counter submitted;
  Counter finished;
};

// Copies a sentence into the caller's buffer, cut where it is too small.
inline void put_text(char* text, size_t text_size, std::string_view sentence) noexcept {
  if (text == nullptr || text_size == 0) return;
  const std::size_t n = sentence.size() < text_size - 1 ? sentence.size() : text_size - 1;
  std::memcpy(text, sentence.data(), n);
  text[n] = '\0';
}

// Runs `body` (which returns a status) so that no exception crosses the C interface.
template <typename Body>
int guarded(char* text, size_t text_size, Body&& body) noexcept {
  put_text(text, text_size, "");
  try {
    return body();
  } catch (const std::bad_alloc&) {
    put_text(text, text_size, "out of memory");
  } catch (const std::exception& e) {
    put_text(text, text_size, e.what());
  }
  return LC_FAILED;
}

inline int status_of(const Result<void>& result, int on_error, char* text, size_t text_size) noexcept {
  if (result.ok()) return LC_OK;
  put_text(text, text_size, result.error().message);
  return on_error;
}

}  // namespace linecrypt::capi

struct lc_context {
  void* user = nullptr;
  void (*wait_for_workers)(void* user) = nullptr;
  uint64_t (*now_ns)(void* user) = nullptr;
  uint32_t max_sas = 0;
  bool persistent_allowed = false;
  // In the order of their dependence: control ends before engine and registry do.
  std::unique_ptr<linecrypt::Engine> engine;
  std::unique_ptr<linecrypt::keys::KeyRegistry> registry;
  std::unique_ptr<linecrypt::control::SaControl> control;
  std::vector<linecrypt::capi::QueueState> queues;
  std::deque<std::string> messages;
};
