// The place of each field of the table words (sa_record.hpp, key_entry.hpp), held where host and kernels are compiled:
// a field that moved would be read as another one on the card. rings.hpp and classify.hpp hold theirs themselves.
#pragma once

#include "linecrypt/abi/sa_record.hpp"

namespace linecrypt {
namespace abi {

static_assert(offsetof(KeyEntry, round_key) == 0, "ABI");
static_assert(offsetof(KeyEntry, power) == 240, "ABI");
static_assert(offsetof(KeyEntry, salt) == 432, "ABI");
static_assert(offsetof(KeyEntry, rounds) == 444, "ABI");
static_assert(offsetof(KeyEntry, reserved) == 445, "ABI");

static_assert(offsetof(EspRecord, spi) == 0, "ABI");
static_assert(offsetof(EspRecord, flow_label) == 4, "ABI");
static_assert(offsetof(EspRecord, source) == 8, "ABI");
static_assert(offsetof(EspRecord, destination) == 24, "ABI");
static_assert(offsetof(EspRecord, source_port) == 40, "ABI");
static_assert(offsetof(EspRecord, destination_port) == 42, "ABI");
static_assert(offsetof(EspRecord, tfc_pad_to) == 44, "ABI");
static_assert(offsetof(EspRecord, flags) == 46, "ABI");
static_assert(offsetof(EspRecord, df) == 48, "ABI");
static_assert(offsetof(EspRecord, dscp) == 49, "ABI");
static_assert(offsetof(EspRecord, hop_limit) == 50, "ABI");
static_assert(offsetof(EspRecord, selectors) == 51, "ABI");
static_assert(offsetof(EspRecord, replay_window) == 52, "ABI");
static_assert(offsetof(EspRecord, reserved) == 54, "ABI");

static_assert(offsetof(SelectorRecord, local) == 0, "ABI");
static_assert(offsetof(SelectorRecord, remote) == 16, "ABI");
static_assert(offsetof(SelectorRecord, local_length) == 32, "ABI");
static_assert(offsetof(SelectorRecord, remote_length) == 33, "ABI");
static_assert(offsetof(SelectorRecord, protocol) == 34, "ABI");
static_assert(offsetof(SelectorRecord, flags) == 35, "ABI");
static_assert(offsetof(SelectorRecord, local_first) == 36, "ABI");
static_assert(offsetof(SelectorRecord, local_last) == 38, "ABI");
static_assert(offsetof(SelectorRecord, remote_first) == 40, "ABI");
static_assert(offsetof(SelectorRecord, remote_last) == 42, "ABI");
static_assert(offsetof(SelectorRecord, reserved) == 44, "ABI");

static_assert(offsetof(MacsecRecord, sci) == 0, "ABI");
static_assert(offsetof(MacsecRecord, clear_tag) == 8, "ABI");
static_assert(offsetof(MacsecRecord, replay_window) == 16, "ABI");
static_assert(offsetof(MacsecRecord, bitmap) == 20, "ABI");
static_assert(offsetof(MacsecRecord, flags) == 24, "ABI");
static_assert(offsetof(MacsecRecord, clear_tags) == 26, "ABI");
static_assert(offsetof(MacsecRecord, an) == 27, "ABI");
static_assert(offsetof(MacsecRecord, validate) == 28, "ABI");
static_assert(offsetof(MacsecRecord, tci_an) == 29, "ABI");
static_assert(offsetof(MacsecRecord, tag_size) == 30, "ABI");
static_assert(offsetof(MacsecRecord, reserved) == 31, "ABI");

static_assert(offsetof(NumberEntry, begin) == 0, "ABI");
static_assert(offsetof(NumberEntry, end) == 8, "ABI");
static_assert(offsetof(NumberEntry, window_top) == 16, "ABI");
static_assert(offsetof(NumberEntry, lowest) == 24, "ABI");
static_assert(offsetof(NumberEntry, soft_limit) == 32, "ABI");
static_assert(offsetof(NumberEntry, identification) == 40, "ABI");
static_assert(offsetof(NumberEntry, flags) == 42, "ABI");
static_assert(offsetof(NumberEntry, reserved) == 44, "ABI");

static_assert(offsetof(LifetimeEntry, soft_packets) == 0, "ABI");
static_assert(offsetof(LifetimeEntry, soft_bytes) == 8, "ABI");
static_assert(offsetof(LifetimeEntry, hard_packets) == 16, "ABI");
static_assert(offsetof(LifetimeEntry, hard_bytes) == 24, "ABI");
static_assert(offsetof(LifetimeEntry, reserved) == 32, "ABI");

static_assert(offsetof(HashEntry, key) == 0, "ABI");
static_assert(offsetof(HashEntry, an) == 8, "ABI");
static_assert(offsetof(HashEntry, index) == 12, "ABI");
static_assert(offsetof(HashEntry, generation) == 16, "ABI");
static_assert(offsetof(HashEntry, reserved) == 20, "ABI");

static_assert(offsetof(SaState, next_number) == 0, "ABI");
static_assert(offsetof(SaState, lease_end) == 8, "ABI");
static_assert(offsetof(SaState, packets) == 16, "ABI");
static_assert(offsetof(SaState, bytes) == 24, "ABI");
static_assert(offsetof(SaState, flags) == 32, "ABI");
static_assert(offsetof(SaState, reserved) == 40, "ABI");
static_assert(offsetof(VerdictCounts, count) == 0, "ABI");

}  // namespace abi
}  // namespace linecrypt
