// Random sequences of calls, most of them wrong somewhere: nothing crashes, every answer is one of the documented ones,
// and what lives is what was added and not removed.
#include <cstdlib>
#include <random>
#include <set>

#include "tests/host/capi/support.hpp"

using namespace capi_test;

namespace {

using Random = std::mt19937_64;

std::uint32_t below(Random& random, std::uint32_t n) {
  return static_cast<std::uint32_t>(random() % n);
}

// Now and then a byte of the struct that is no pointer, size or count is overwritten.
template <typename T>
void spoil(Random& random, T& sa) {
  if (below(random, 3) != 0) return;
  const T before = sa;
  auto* bytes = reinterpret_cast<std::uint8_t*>(&sa);
  for (std::uint32_t i = 0; i < 1 + below(random, 3); ++i)
    bytes[below(random, sizeof sa)] = static_cast<std::uint8_t>(random());
  sa.key = before.key;
  sa.salt = before.salt;
  if (sa.key_size > 32) sa.key_size = before.key_size;
  if (sa.salt_size > 12) sa.salt_size = before.salt_size;
  if (sa.size > sizeof sa) sa.size = before.size;  // more of it is not there to be read
}

}  // namespace

// LINECRYPT_LONG=1 runs 200 000 calls instead of 5000.
TEST_CASE("random calls with random faults are answered, never obeyed blindly") {
  const bool is_long = std::getenv("LINECRYPT_LONG") != nullptr;
  const std::uint64_t seed = 20240731;
  Random random(seed);
  Context context;
  std::vector<Key> keys;
  for (int i = 0; i < 12; ++i) keys.emplace_back(fresh_number());
  std::set<std::pair<std::uint32_t, std::uint32_t>> live;
  const auto any_id = [&]() -> lc_sa {
    if (live.empty() || below(random, 4) == 0) return {below(random, 80), below(random, 5)};
    auto at = live.begin();
    std::advance(at, below(random, static_cast<std::uint32_t>(live.size())));
    return {at->first, at->second};
  };
  std::uint64_t done = 0;
  std::array<char, 300> text{};
  for (int call = 0; call < (is_long ? 200000 : 5000); ++call) {
    const std::size_t room = below(random, 300);
    int status = LC_OK;
    bool has_text = true;
    text.fill('x');
    const Key& key = keys[below(random, 12)];
    lc_sa id = any_id();
    switch (below(random, 7)) {
      case 0: {
        lc_esp_sa sa = esp_sa(key, 250 + below(random, 30));
        sa.direction = static_cast<std::uint8_t>(below(random, 2));
        spoil(random, sa);
        sa.selectors = nullptr;
        status = lc_esp_sa_add(context, &sa, "esp", &id, text.data(), room);
        if (status == LC_OK) live.insert({id.index, id.generation});
        break;
      }
      case 1: {
        lc_macsec_sa sa = macsec_sa(key);
        sa.direction = static_cast<std::uint8_t>(below(random, 2));
        spoil(random, sa);
        status = lc_macsec_sa_add(context, &sa, "macsec", &id, text.data(), room);
        if (status == LC_OK) live.insert({id.index, id.generation});
        break;
      }
      case 2:
        status = lc_sa_remove(context, id, text.data(), room);
        REQUIRE((status == LC_OK) == (live.erase({id.index, id.generation}) == 1));
        break;
      case 3: {
        lc_sa_state state;
        state.size = below(random, 4) == 0 ? below(random, 200) : static_cast<std::uint32_t>(sizeof state);
        status = lc_sa_read(context, id, &state);
        has_text = false;
        break;
      }
      case 4:
        status = lc_service(context);
        break;
      case 5: {
        lc_address address{static_cast<std::uint8_t>(below(random, 8)), {static_cast<std::uint8_t>(random()), 1, 1, 1}};
        status = below(random, 2) == 0
                     ? lc_sa_set_peer(context, id, &address, 4500, text.data(), room)
                     : lc_sa_raise_lowest_pn(context, id, random() >> below(random, 64), text.data(), room);
        break;
      }
      default: {
        Bytes frame = ipv4_frame(below(random, 200));
        if (below(random, 2) == 0) frame[below(random, static_cast<std::uint32_t>(frame.size()))] ^= 0xff;
        frame.resize(1 + below(random, static_cast<std::uint32_t>(frame.size())));
        Buffer buffer(frame);
        if (below(random, 4) == 0) buffer.view.headroom = buffer.view.tailroom = below(random, 60);
        const std::string verdict = run(context, buffer, {{id, below(random, 6)}, {any_id(), below(random, 5)}});
        REQUIRE(lc_verdict_find(verdict.c_str()) != LC_VERDICT_NONE);
        REQUIRE(verdict != "pending");
        ++done;
      }
    }
    REQUIRE((status <= LC_OK && status >= LC_FAILED));
    REQUIRE(status != LC_FAILED);
    if (status != LC_OK && has_text && room > 0) REQUIRE(std::memchr(text.data(), 0, room) != nullptr);
  }
  REQUIRE(lc_sa_list(context, nullptr, 0) == live.size());
  std::uint64_t counted = 0;
  for (std::uint32_t v = 0; v < lc_verdict_count(); ++v) counted += lc_verdict_total(context, v);
  REQUIRE(counted == done);
}
