#include "driver/card/model/control.h"

#include <cerrno>
#include <span>

#include "driver/card/model/cards.hpp"

using linecrypt::card_model::Card;
using linecrypt::card_model::card_at;

extern "C" {

int linecrypt_model_fault(unsigned device, const char* name, uint64_t at_cycle, uint64_t argument) {
  Card* card = card_at(device);
  if (card == nullptr) return -ENODEV;
  const auto kind = linecrypt::card_model::fault_named(name);
  if (!kind) return -EINVAL;
  card->plan({*kind, at_cycle, argument});
  return 0;
}

int linecrypt_model_forget_faults(unsigned device) {
  Card* card = card_at(device);
  if (card == nullptr) return -ENODEV;
  card->forget_faults();
  return 0;
}

uint64_t linecrypt_model_now(unsigned device) {
  Card* card = card_at(device);
  return card == nullptr ? 0 : card->now();
}

int linecrypt_model_hold(unsigned device) {
  Card* card = card_at(device);
  if (card == nullptr) return -ENODEV;
  card->hold();
  return 0;
}

int linecrypt_model_release(unsigned device) {
  Card* card = card_at(device);
  if (card == nullptr) return -ENODEV;
  card->release();
  return 0;
}

int64_t linecrypt_model_step(unsigned device, uint64_t cycles) {
  Card* card = card_at(device);
  return card == nullptr ? -ENODEV : static_cast<int64_t>(card->step(cycles));
}

int linecrypt_model_cable(unsigned device, unsigned port, int plugged) {
  Card* card = card_at(device);
  if (card == nullptr) return -ENODEV;
  if (port >= linecrypt::card_model::ports_most) return -EINVAL;
  card->plug(port, plugged != 0);
  return 0;
}

int linecrypt_model_report(unsigned device, struct linecrypt_model_state* state) {
  Card* card = card_at(device);
  if (card == nullptr) return -ENODEV;
  *state = card->state();
  return 0;
}

int linecrypt_model_last_refusal(unsigned device, char* words, uint64_t room) {
  Card* card = card_at(device);
  if (card == nullptr) return -ENODEV;
  if (room == 0) return -EINVAL;
  const std::string last = card->last_refusal();
  words[last.copy(words, room - 1)] = '\0';
  return 0;
}

int64_t linecrypt_model_find(unsigned device, const void* bytes, uint64_t length) {
  Card* card = card_at(device);
  if (card == nullptr) return -ENODEV;
  return static_cast<int64_t>(card->find(std::span(static_cast<const unsigned char*>(bytes), length)));
}

int linecrypt_model_read(unsigned device, uint64_t address, void* to, uint64_t length) {
  Card* card = card_at(device);
  return card == nullptr ? -ENODEV : card->read_chips(address, to, length);
}

}  // extern "C"
