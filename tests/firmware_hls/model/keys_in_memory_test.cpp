// No key stays in the card's memory, in whatever form.
#include <openssl/evp.h>

#include <algorithm>
#include <cctype>
#include <functional>

#include "tests/firmware_hls/model/opened_card.hpp"

namespace linecrypt::firmware_test {
namespace {

// Of base64 of something that has these 16 bytes `before` bytes behind a group's start: what they alone decide.
Bytes in_base64(const Bytes& raw, std::size_t before) {
  Bytes whole(before);
  whole.insert(whole.end(), raw.begin(), raw.end());
  Bytes coded(whole.size() / 3 * 4 + 5);
  EVP_EncodeBlock(coded.data(), whole.data(), static_cast<int>(whole.size()));
  const auto digit = [&](std::size_t bits) { return coded.begin() + static_cast<std::ptrdiff_t>(bits / 6); };
  return {digit(before * 8 + 5), digit(whole.size() * 8)};
}

// How 16 bytes may lie in memory: as they are, turned around, by words of 8 and of 4, in hex, in base64.
std::vector<Bytes> forms_of(const std::uint8_t* part) {
  const Bytes raw(part, part + 16);
  std::vector<Bytes> forms{raw, Bytes(raw.rbegin(), raw.rend())};
  for (const std::ptrdiff_t word : {8, 4}) {
    Bytes inside = raw;
    for (auto at = inside.begin(); at != inside.end(); at += word) std::reverse(at, at + word);
    forms.emplace_back(inside.rbegin(), inside.rend());
    forms.push_back(std::move(inside));
  }
  Bytes hex;
  for (const std::uint8_t byte : raw)
    for (const int shift : {4, 0}) hex.push_back(static_cast<std::uint8_t>("0123456789abcdef"[byte >> shift & 15]));
  forms.push_back(hex);
  for (std::uint8_t& digit : hex) digit = static_cast<std::uint8_t>(std::toupper(digit));
  forms.push_back(std::move(hex));
  for (const std::size_t before : {0U, 1U, 2U}) forms.push_back(in_base64(raw, before));
  return forms;
}

TEST_CASE("the search for keys in memory knows their printed forms") {
  const Bytes raw = test::from_hex("000102030405060708090a0b0c0d0e0f");
  // As Python's base64 has these bytes, one byte 0 and these, two and these.
  const char* const known[] = {"AAECAwQFBgcICQoLDA0ODw==", "AAABAgMEBQYHCAkKCwwNDg8=", "AAAAAQIDBAUGBwgJCgsMDQ4P"};
  for (std::size_t before = 0; before < 3; ++before) {
    const Bytes coded = in_base64(raw, before);
    const std::string text(coded.begin(), coded.end());
    CHECK(text.size() >= 20);
    CHECK(std::string(known[before]).find(text) != std::string::npos);
  }
}

TEST_CASE("the card zeroes each command as it consumes it, and no key stays in its memory") {
  Opened opened;
  CHECK(all_zero(opened.memory.at(opened.host.command_ring(), CardHost::entries * sizeof(abi::Command)),
                 CardHost::entries * sizeof(abi::Command)));
  CHECK(opened.host.reg(abi::reg::command_head) == opened.host.command_tail());
  // Round keys, powers of H, salt: every 16 bytes of every word that was loaded.
  const auto list = card::install_commands(opened.id, make_sa({}, Direction::egress), {1, 100'000}, 0);
  const Bytes& all = opened.memory.all();
  std::size_t looked_for = 0;
  for (const abi::Command& one : list.commands()) {
    if (one.table != abi::Table::key) continue;
    for (const std::uint8_t* part = one.payload; part != one.payload + sizeof one.payload; part += 16) {
      if (all_zero(part, 16)) continue;
      ++looked_for;
      for (const Bytes& form : forms_of(part))
        REQUIRE(std::search(all.begin(), all.end(), std::boyer_moore_horspool_searcher(form.begin(), form.end())) ==
                all.end());
    }
  }
  CHECK(looked_for >= 27);
}

}  // namespace
}  // namespace linecrypt::firmware_test
