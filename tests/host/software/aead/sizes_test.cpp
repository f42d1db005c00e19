// Every size from 0 to 9216 bytes, in bursts that mix keys and key sizes: each provider against OpenSSL.
#include <catch2/catch.hpp>
#include <random>

#include "tests/support/aead.hpp"
#include "tests/support/long_form.hpp"

using namespace linecrypt;
using namespace linecrypt::test;

namespace {

constexpr std::size_t largest = 9216;
constexpr std::size_t burst = 61;  // prime, so that keys, places and sizes meet in all ways

// Bytes that do not repeat within a message.
const Bytes& noise() {
  static const Bytes bytes = [] {
    std::mt19937_64 random(1);
    Bytes all(largest + 512);
    std::ranges::generate(all, [&] { return static_cast<std::uint8_t>(random()); });
    return all;
  }();
  return bytes;
}

Bytes piece(std::size_t from, std::size_t size) {
  return {noise().begin() + static_cast<long>(from), noise().begin() + static_cast<long>(from + size)};
}

struct Keys {
  explicit Keys(software::AeadProvider& provider) {
    for (const std::size_t size : {16U, 24U, 32U, 32U, 16U})
      list.push_back(std::make_unique<ExpandedKey>(provider, piece(list.size() * 32, size)));
  }
  std::vector<std::unique_ptr<ExpandedKey>> list;
};

// One burst of messages of `first` bytes and up, sealed by `sealer`, opened by `opener`. Out of place where `in_place`
// says so.
class Round {
 public:
  Round(std::size_t first, bool in_place) : in_place_(in_place) {
    for (std::size_t size = first; size < std::min(first + burst, largest + 1); ++size) sizes_.push_back(size);
  }

  std::vector<Bytes> seal(software::AeadProvider& provider, const Keys& keys, std::vector<Bytes>& tags) {
    std::vector<Message> messages;
    for (const std::size_t size : sizes_)
      messages.emplace_back(piece(size % 256, size), aad(size), size % 5, in_place_);
    run(messages, keys, [&](auto ops) { provider.seal(ops); });
    std::vector<Bytes> sealed;
    for (const Message& message : messages) {
      sealed.push_back(message.output());
      tags.push_back(message.tag());
      if (!message.intact()) FAIL("seal wrote outside its buffers at " << sealed.back().size() << " bytes");
    }
    return sealed;
  }

  // Opens with `spoil` bits of the tag flipped, and requires the clear text, or zeros.
  void open(software::AeadProvider& provider, const Keys& keys, const std::vector<Bytes>& sealed,
            const std::vector<Bytes>& tags, bool spoil) {
    std::vector<Message> messages;
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      Bytes tag = tags[i];
      if (spoil) tag[sizes_[i] % 16] ^= static_cast<std::uint8_t>(1U << (sizes_[i] / 16 % 8));
      messages.emplace_back(sealed[i], aad(sizes_[i]), sizes_[i] % 5, in_place_);
      messages.back().set_tag(tag);
    }
    const auto good = run(messages, keys, [&](auto ops) { provider.open(ops); });
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      const std::size_t size = sizes_[i];
      const Bytes wanted = spoil ? Bytes(size) : piece(size % 256, size);
      if (good[i] == spoil) FAIL("open said " << good[i] << " at " << size << " bytes");
      if (messages[i].output() != wanted) FAIL("open left the wrong bytes at " << size << " bytes");
      if (!messages[i].intact()) FAIL("open wrote outside its buffers at " << size << " bytes");
    }
  }

 private:
  static Bytes aad(std::size_t size) { return piece(size % 97, 8 + size % 21); }

  template <typename Run>
  std::vector<bool> run(std::vector<Message>& messages, const Keys& keys, Run&& call) {
    std::vector<software::AeadOp> ops;
    for (std::size_t i = 0; i < messages.size(); ++i)
      ops.push_back(messages[i].op(keys.list[i % keys.list.size()]->get(), piece(sizes_[i] % 300, 12)));
    call(std::span(ops));
    std::vector<bool> good;
    for (const auto& op : ops) good.push_back(op.good);
    return good;
  }

  bool in_place_;
  std::vector<std::size_t> sizes_;
};

}  // namespace

TEST_CASE("Providers agree on every size, in place and out of place, and a wrong tag leaves zeros") {
  auto& provider = *all_providers()[GENERATE(range(std::size_t{0}, all_providers().size()))];
  auto& oracle = *all_providers().front();
  // Short form: places alternate from burst to burst. Long form (LINECRYPT_LONG=1): each size in both.
  const bool swapped = GENERATE(false, true);
  if (swapped && !long_form()) return;
  INFO(provider.name());
  const Keys keys(provider);
  const Keys oracle_keys(oracle);
  // On emulated instructions: every size up to 300, then each thirtieth burst.
  const auto next = [](std::size_t first) { return first + (vaes_emulated() && first > 200 ? 30 * burst : burst); };
  for (std::size_t first = 0; first <= largest; first = next(first)) {
    Round round(first, (first / burst % 2 == 0) != swapped);
    std::vector<Bytes> tags;
    std::vector<Bytes> oracle_tags;
    const auto sealed = round.seal(provider, keys, tags);
    const auto oracle_sealed = round.seal(oracle, oracle_keys, oracle_tags);
    if (sealed != oracle_sealed || tags != oracle_tags) FAIL("seal differs from the oracle from " << first << " bytes");
    round.open(provider, keys, oracle_sealed, oracle_tags, false);
    round.open(provider, keys, sealed, tags, true);
  }
}

TEST_CASE("One wrong message in a burst spoils no other") {
  auto& provider = *all_providers()[GENERATE(range(std::size_t{0}, all_providers().size()))];
  const ExpandedKey key(provider, piece(0, 32));
  std::vector<Message> messages;
  for (std::size_t i = 0; i < 32; ++i) messages.emplace_back(piece(i, 100), piece(0, 12), 12, true);
  std::vector<software::AeadOp> ops;
  for (Message& message : messages) ops.push_back(message.op(key.get(), piece(40, 12)));
  provider.seal(ops);
  for (std::size_t i = 0; i < ops.size(); i += 3) ops[i].tag[5] ^= 4U;
  provider.open(ops);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    CHECK(ops[i].good == (i % 3 != 0));
    CHECK(messages[i].output() == (i % 3 == 0 ? Bytes(100) : piece(i, 100)));
  }
}

TEST_CASE("Changing any bit of the text, associated data, nonce or tag is noticed") {
  auto& provider = *all_providers()[GENERATE(range(std::size_t{0}, all_providers().size()))];
  const ExpandedKey key(provider, piece(0, 32));
  const Bytes aad = piece(9, 20);
  const Bytes iv = piece(40, 12);
  Message message(piece(0, 33), aad, 8, false);
  software::AeadOp op = message.op(key.get(), iv);
  provider.seal({&op, 1});
  const Bytes sealed = message.output();
  const Bytes tag = message.tag();
  const auto flipped = [](Bytes bytes, std::size_t bit) {
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
    return bytes;
  };
  const auto opens = [&](const Bytes& text, const Bytes& data, const Bytes& nonce, const Bytes& icv) {
    Message trial(text, data, 8, true);
    trial.set_tag(icv);
    software::AeadOp one = trial.op(key.get(), nonce);
    provider.open({&one, 1});
    return one.good;
  };
  REQUIRE(opens(sealed, aad, iv, tag));
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) CHECK_FALSE(opens(flipped(sealed, bit), aad, iv, tag));
  for (std::size_t bit = 0; bit < aad.size() * 8; ++bit) CHECK_FALSE(opens(sealed, flipped(aad, bit), iv, tag));
  for (std::size_t bit = 0; bit < iv.size() * 8; ++bit) CHECK_FALSE(opens(sealed, aad, flipped(iv, bit), tag));
  for (std::size_t bit = 0; bit < tag.size() * 8; ++bit) CHECK_FALSE(opens(sealed, aad, iv, flipped(tag, bit)));
}
