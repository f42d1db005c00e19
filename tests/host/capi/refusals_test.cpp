// Every refusal of the C interface names its field, and nothing is installed.
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "tests/host/capi/support.hpp"

using namespace capi_test;

namespace {

struct Case {
  std::string what;
  std::function<void(lc_esp_sa&)> change;
  int status;
  std::string text;
};
struct MacsecCase {
  std::string what;
  std::function<void(lc_macsec_sa&)> change;
  int status;
  std::string text;
};

// A state directory of the test's own.
class StateDirectory {
 public:
  StateDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "linecrypt-capi-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~StateDirectory() { std::filesystem::remove_all(path); }
  StateDirectory(const StateDirectory&) = delete;
  StateDirectory& operator=(const StateDirectory&) = delete;
  std::string path;
};

}  // namespace

TEST_CASE("a wrong ESP SA is refused by the name of its field") {
  static lc_selector selector{};
  selector.local = {{4, {10, 0, 0, 0}}, 8};
  selector.remote = {{4, {10, 1, 0, 1}}, 8};
  selector.protocol = -1;
  const std::vector<Case> cases = {
      {"size 0", [](auto& sa) { sa.size = 0; }, LC_INVALID, "lc_esp_sa.size: 0"},
      {"size too small", [](auto& sa) { sa.size = 40; }, LC_INVALID, "lc_esp_sa.size: 40"},
      {"size never set", [](auto& sa) { sa.size = 0xcccccccc; }, LC_INVALID, "lc_esp_sa.size"},
      {"direction", [](auto& sa) { sa.direction = 2; }, LC_INVALID, "lc_esp_sa.direction: 2"},
      {"mode", [](auto& sa) { sa.mode = 9; }, LC_INVALID, "lc_esp_sa.mode: 9"},
      {"algorithm", [](auto& sa) { sa.algorithm = 6; }, LC_INVALID, "lc_esp_sa.algorithm: 6"},
      {"key life", [](auto& sa) { sa.key_life = 3; }, LC_INVALID, "lc_esp_sa.key_life: 3"},
      {"df", [](auto& sa) { sa.df = 3; }, LC_INVALID, "lc_esp_sa.df: 3"},
      {"flag", [](auto& sa) { sa.esn = 2; }, LC_INVALID, "lc_esp_sa.esn: 2"},
      {"reserved", [](auto& sa) { sa.reserved0 = 1; }, LC_INVALID, "lc_esp_sa.reserved0: 1"},
      {"key NULL", [](auto& sa) { sa.key = nullptr; }, LC_INVALID, "lc_esp_sa.key: NULL"},
      {"key short", [](auto& sa) { sa.key_size = 16; }, LC_INVALID, "lc_esp_sa.key: 16 bytes, allowed are 32"},
      {"key long", [](auto& sa) { sa.key_size = 64; }, LC_INVALID, "lc_esp_sa.key: 64 bytes"},
      {"key none", [](auto& sa) { sa.key_size = 0; }, LC_INVALID, "lc_esp_sa.key: 0 bytes"},
      {"salt short", [](auto& sa) { sa.salt_size = 3; }, LC_INVALID, "lc_esp_sa.salt: 3 bytes, allowed are 4"},
      {"salt NULL", [](auto& sa) { sa.salt = nullptr; }, LC_INVALID, "lc_esp_sa.salt: NULL"},
      {"family", [](auto& sa) { sa.source.family = 5; }, LC_INVALID, "source: address family 5"},
      {"IPv4 with a tail", [](auto& sa) { sa.source.bytes[7] = 1; }, LC_INVALID, "source: an IPv4 address"},
      {"selectors NULL", [](auto& sa) { sa.selector_count = 1; }, LC_INVALID, "lc_esp_sa.selectors: NULL"},
      {"selectors wild", [](auto& sa) { sa.selector_count = ~std::size_t{0}; }, LC_INVALID, "selector_count"},
      {"host bits",
       [](auto& sa) {
         sa.direction = LC_INGRESS;
         sa.selectors = &selector;
         sa.selector_count = 1;
       },
       LC_INVALID, "10.1.0.1/8 has host bits set"},
      {"SPI", [](auto& sa) { sa.spi = 255; }, LC_REFUSED, "spi"},
      {"window",
       [](auto& sa) {
         sa.direction = LC_INGRESS;
         sa.replay_window = 100;
       },
       LC_REFUSED, "window"},
      {"window off with ESN",
       [](auto& sa) {
         sa.direction = LC_INGRESS;
         sa.replay_disabled = 1;
         sa.replay_window = 0;
       },
       LC_REFUSED, ""},
      {"dscp",
       [](auto& sa) {
         sa.dscp_copy_out = 0;
         sa.dscp = 64;
       },
       LC_REFUSED, "dscp"},
      {"persistent without a directory", [](auto& sa) { sa.key_life = LC_KEY_PERSISTENT; }, LC_REFUSED,
       "state_directory"},
  };
  Context context;
  for (const Case& one : cases) {
    const Key key(fresh_number());
    lc_esp_sa sa = esp_sa(key);
    one.change(sa);
    lc_sa id{5, 5};
    INFO(one.what);
    REQUIRE(lc_esp_sa_add(context, &sa, "x", &id, context.text.data(), context.text.size()) == one.status);
    INFO(context.text.data());
    REQUIRE(std::string(context.text.data()).find(one.text) != std::string::npos);
    REQUIRE(context.text[0] != '\0');
    REQUIRE(id.generation == 0);
    REQUIRE(lc_esp_sa_check(context, &sa, nullptr, 0) == one.status);
    REQUIRE(lc_sa_list(context, nullptr, 0) == 0);
  }
}

TEST_CASE("a wrong MACsec SA is refused by the name of its field") {
  const std::vector<MacsecCase> cases = {
      {"size", [](auto& sa) { sa.size = 8; }, LC_INVALID, "lc_macsec_sa.size: 8"},
      {"direction", [](auto& sa) { sa.direction = 2; }, LC_INVALID, "lc_macsec_sa.direction: 2"},
      {"suite", [](auto& sa) { sa.suite = 4; }, LC_INVALID, "lc_macsec_sa.suite: 4"},
      {"sci encoding", [](auto& sa) { sa.sci_encoding = 4; }, LC_INVALID, "sci_encoding: 4"},
      {"validate", [](auto& sa) { sa.validate = 3; }, LC_INVALID, "validate: 3"},
      {"flag", [](auto& sa) { sa.encrypt = 7; }, LC_INVALID, "encrypt: 7"},
      {"tags", [](auto& sa) { sa.clear_tag_count = 3; }, LC_INVALID, "clear_tag_count: 3"},
      {"key", [](auto& sa) { sa.key_size = 16; }, LC_INVALID, "key: 16 bytes, allowed are 32"},
      {"salt missing", [](auto& sa) { sa.salt_size = 0; }, LC_INVALID, "salt: 0 bytes, allowed are 12"},
      {"salt without XPN", [](auto& sa) { sa.suite = LC_GCM_AES_256; }, LC_INVALID, "salt: 12 bytes, allowed are 0"},
      {"an", [](auto& sa) { sa.an = 4; }, LC_REFUSED, "an"},
      {"offset with XPN", [](auto& sa) { sa.confidentiality_offset = 30; }, LC_REFUSED, "confidentiality_offset"},
      {"offset",
       [](auto& sa) {
         sa.suite = LC_GCM_AES_256;
         sa.salt_size = 0;
         sa.ssci = 0;
         sa.confidentiality_offset = 31;
       },
       LC_REFUSED, "confidentiality_offset"},
      {"XPN window",
       [](auto& sa) {
         sa.direction = LC_INGRESS;
         sa.replay_window = 1U << 30;
       },
       LC_REFUSED, "window"},
      {"persistent without a directory", [](auto& sa) { sa.key_life = LC_KEY_PERSISTENT; }, LC_REFUSED,
       "state_directory"},
  };
  Context context;
  for (const MacsecCase& one : cases) {
    const Key key(fresh_number());
    lc_macsec_sa sa = macsec_sa(key);
    one.change(sa);
    lc_sa id{5, 5};
    INFO(one.what);
    REQUIRE(lc_macsec_sa_add(context, &sa, "x", &id, context.text.data(), context.text.size()) == one.status);
    INFO(context.text.data());
    REQUIRE(std::string(context.text.data()).find(one.text) != std::string::npos);
    REQUIRE(id.generation == 0);
    REQUIRE(lc_sa_list(context, nullptr, 0) == 0);
  }
}

TEST_CASE("wrong options are refused by the name of their field") {
  lc_options options;
  lc_options_init(&options);
  lc_context* context = nullptr;
  std::array<char, 256> text{};
  std::string expected;
  SECTION("provider") {
    options.provider = 4;
    expected = "lc_options.provider: 4";
  }
  SECTION("no SA") {
    options.max_sas = 0;
    expected = "lc_options.max_sas: 0";
  }
  SECTION("many SAs") {
    options.max_sas = 65537;
    expected = "lc_options.max_sas: 65537";
  }
  SECTION("no queue") {
    options.queues = 0;
    expected = "lc_options.queues: 0";
  }
  SECTION("many queues") {
    options.queues = 65;
    expected = "lc_options.queues: 65";
  }
  SECTION("empty directory") {
    options.state_directory = "";
    expected = "lc_options.state_directory: empty";
  }
  REQUIRE(lc_context_open(&options, &context, text.data(), text.size()) == LC_INVALID);
  REQUIRE(context == nullptr);
  REQUIRE(std::string(text.data()).find(expected) != std::string::npos);
}

TEST_CASE("the table's capacity is named when it is full") {
  Context context(LC_PROVIDER_AUTOMATIC, nullptr, 1, 2);
  lc_sa id{};
  for (int i = 0; i < 2; ++i) {
    const Key key(fresh_number());
    const lc_esp_sa sa = esp_sa(key);
    REQUIRE(lc_esp_sa_add(context, &sa, nullptr, &id, nullptr, 0) == LC_OK);
  }
  const Key key(fresh_number());
  const lc_esp_sa sa = esp_sa(key);
  REQUIRE(lc_esp_sa_add(context, &sa, nullptr, &id, context.text.data(), context.text.size()) == LC_REFUSED);
  REQUIRE(std::string(context.text.data()).find('2') != std::string::npos);
  REQUIRE(lc_sa_list(context, nullptr, 0) == 2);
}

TEST_CASE("labels are printable and short") {
  Context context;
  const Key key(fresh_number());
  const lc_esp_sa sa = esp_sa(key);
  lc_sa id{};
  REQUIRE(lc_esp_sa_add(context, &sa, "a\x1b[2J", &id, context.text.data(), context.text.size()) == LC_INVALID);
  REQUIRE(lc_esp_sa_add(context, &sa, std::string(128, 'a').c_str(), &id, nullptr, 0) == LC_INVALID);
  REQUIRE(lc_esp_sa_add(context, &sa, std::string(127, 'a').c_str(), &id, nullptr, 0) == LC_OK);
}

TEST_CASE("one SPI, one ingress SA") {
  Context context;
  const Key key(fresh_number());
  const Key other(fresh_number());
  lc_esp_sa sa = esp_sa(key);
  sa.direction = LC_INGRESS;
  lc_sa id{};
  REQUIRE(lc_esp_sa_add(context, &sa, nullptr, &id, nullptr, 0) == LC_OK);
  REQUIRE(lc_find_spi(context, sa.spi).generation == id.generation);
  lc_esp_sa second = esp_sa(other);
  second.direction = LC_INGRESS;
  lc_sa again{};
  REQUIRE(lc_esp_sa_add(context, &second, nullptr, &again, context.text.data(), context.text.size()) == LC_REFUSED);
  REQUIRE(lc_find_spi(context, sa.spi).generation == id.generation);
  REQUIRE(lc_sa_remove(context, id, nullptr, 0) == LC_OK);
  REQUIRE(lc_find_spi(context, sa.spi).generation == 0);
}

TEST_CASE("a key encrypts once in a process, whatever context asks") {
  const Key key(fresh_number());
  const bool esp = GENERATE(true, false);
  Context a;
  Context b;
  lc_sa id{};
  lc_sa other{};
  const auto add = [&](lc_context* context, std::uint8_t direction, lc_sa* out, Context& texts) {
    lc_esp_sa e = esp_sa(key);
    lc_macsec_sa m = macsec_sa(key);
    e.direction = m.direction = direction;
    return esp ? lc_esp_sa_add(context, &e, "first", out, texts.text.data(), texts.text.size())
               : lc_macsec_sa_add(context, &m, "first", out, texts.text.data(), texts.text.size());
  };
  REQUIRE(add(a, LC_EGRESS, &id, a) == LC_OK);
  // 1. Not twice in one context, nor in another.
  REQUIRE(add(a, LC_EGRESS, &other, a) == LC_REFUSED);
  REQUIRE(std::string(a.text.data()).find("first") != std::string::npos);
  REQUIRE(add(b, LC_EGRESS, &other, b) == LC_REFUSED);
  // 2. Not for the other direction beside it.
  REQUIRE(add(a, LC_INGRESS, &other, a) == LC_REFUSED);
  // 3. The peer's end in another context is right.
  REQUIRE(add(b, LC_INGRESS, &other, b) == LC_OK);
  REQUIRE(add(b, LC_EGRESS, &other, b) == LC_REFUSED);
  // 4. Removed and installed again, numbers go on.
  Buffer buffer(ipv4_frame(40));
  REQUIRE(run(a, buffer, {{id, static_cast<std::uint32_t>(esp ? LC_ESP_ENCAPSULATE : LC_MACSEC_PROTECT)}}) == "ok");
  lc_sa_state before;
  before.size = sizeof before;
  REQUIRE(lc_sa_read(a, id, &before) == LC_OK);
  REQUIRE(lc_sa_remove(a, id, nullptr, 0) == LC_OK);
  REQUIRE(add(a, LC_EGRESS, &id, a) == LC_OK);
  lc_sa_state after;
  after.size = sizeof after;
  REQUIRE(lc_sa_read(a, id, &after) == LC_OK);
  REQUIRE(after.next_number >= before.lease_end);
}

TEST_CASE("one key is not used by two protocols, nor by GCM and GMAC at once") {
  const Key key(fresh_number());
  Context a;
  Context b;
  lc_sa id{};
  lc_esp_sa esp = esp_sa(key);
  const lc_macsec_sa macsec = macsec_sa(key);
  REQUIRE(lc_esp_sa_add(a, &esp, nullptr, &id, nullptr, 0) == LC_OK);
  REQUIRE(lc_macsec_sa_add(b, &macsec, nullptr, &id, b.text.data(), b.text.size()) == LC_REFUSED);
  esp.algorithm = LC_AES_GMAC_256;
  esp.spi = 0x2002;
  REQUIRE(lc_esp_sa_add(b, &esp, nullptr, &id, b.text.data(), b.text.size()) == LC_REFUSED);
}

TEST_CASE("a persistent key is enrolled once, used by one context, and its numbers survive the context") {
  const StateDirectory state;
  const Key key(fresh_number());
  lc_esp_sa sa = esp_sa(key);
  sa.key_life = LC_KEY_PERSISTENT;
  lc_sa id{};
  std::uint64_t lent = 0;
  {
    Context a(LC_PROVIDER_AUTOMATIC, state.path.c_str());
    INFO(a.text.data());
    REQUIRE(a.status == LC_OK);
    REQUIRE(lc_esp_sa_add(a, &sa, "out", &id, a.text.data(), a.text.size()) == LC_REFUSED);
    REQUIRE(std::string(a.text.data()).find("enroll") != std::string::npos);
    REQUIRE(lc_esp_sa_enroll(a, &sa, "out", 0, a.text.data(), a.text.size()) == LC_INVALID);
    REQUIRE(lc_esp_sa_enroll(a, &sa, "out", 1, a.text.data(), a.text.size()) == LC_OK);
    REQUIRE(lc_esp_sa_enroll(a, &sa, "out", 1, a.text.data(), a.text.size()) == LC_REFUSED);
    REQUIRE(lc_esp_sa_add(a, &sa, "out", &id, a.text.data(), a.text.size()) == LC_OK);
    Context b(LC_PROVIDER_AUTOMATIC, state.path.c_str());
    REQUIRE(b.status == LC_OK);
    lc_sa other{};
    REQUIRE(lc_esp_sa_add(b, &sa, "again", &other, b.text.data(), b.text.size()) == LC_REFUSED);
    Buffer buffer(ipv4_frame(40));
    REQUIRE(run(a, buffer, {{id, LC_ESP_ENCAPSULATE}}) == "ok");
    lc_sa_state at;
    at.size = sizeof at;
    REQUIRE(lc_sa_read(a, id, &at) == LC_OK);
    lent = at.next_number;
  }
  Context next(LC_PROVIDER_AUTOMATIC, state.path.c_str());
  REQUIRE(next.status == LC_OK);
  REQUIRE(lc_esp_sa_add(next, &sa, "out", &id, next.text.data(), next.text.size()) == LC_OK);
  lc_sa_state at;
  at.size = sizeof at;
  REQUIRE(lc_sa_read(next, id, &at) == LC_OK);
  REQUIRE(at.next_number >= lent);
  const Key other_key(fresh_number());
  const lc_esp_sa ephemeral = esp_sa(other_key);
  REQUIRE(lc_esp_sa_enroll(next, &ephemeral, "x", 1, next.text.data(), next.text.size()) != LC_OK);
}

TEST_CASE("a state directory that others may write is refused") {
  const StateDirectory state;
  std::filesystem::permissions(state.path, std::filesystem::perms::all);
  const Context context(LC_PROVIDER_AUTOMATIC, state.path.c_str());
  REQUIRE(context.status == LC_REFUSED);
  REQUIRE(context == nullptr);
  REQUIRE(std::string(context.text.data()).find(state.path) != std::string::npos);
}

TEST_CASE("a peer's move and a raised lowest PN reach the SA of their kind only") {
  const Key esp_key(fresh_number());
  const Key macsec_key(fresh_number());
  Context context;
  lc_esp_sa esp = esp_sa(esp_key);
  esp.udp = 1;
  lc_macsec_sa macsec = macsec_sa(macsec_key);
  macsec.direction = LC_INGRESS;
  lc_sa out{};
  lc_sa in{};
  REQUIRE(lc_esp_sa_add(context, &esp, nullptr, &out, nullptr, 0) == LC_OK);
  REQUIRE(lc_macsec_sa_add(context, &macsec, nullptr, &in, nullptr, 0) == LC_OK);
  lc_address peer;
  REQUIRE(lc_address_parse("192.0.2.77", &peer) == LC_OK);
  auto& text = context.text;
  REQUIRE(lc_sa_set_peer(context, in, &peer, 4501, text.data(), text.size()) == LC_REFUSED);
  REQUIRE(lc_sa_raise_lowest_pn(context, out, 9, text.data(), text.size()) == LC_REFUSED);
  REQUIRE(lc_sa_raise_lowest_pn(context, in, 9, text.data(), text.size()) == LC_OK);
  REQUIRE(lc_sa_set_peer(context, out, &peer, 4501, text.data(), text.size()) == LC_OK);
  Buffer buffer(ipv4_frame(40));
  REQUIRE(run(context, buffer, {{out, LC_ESP_ENCAPSULATE}}) == "ok");
  REQUIRE(buffer.view.data[14 + 19] == 77);
  REQUIRE((buffer.view.data[14 + 20 + 2] << 8 | buffer.view.data[14 + 20 + 3]) == 4501);
}

TEST_CASE("OpenSSL's memory cannot be protected once it has allocated") {
  const Context context(LC_PROVIDER_OPENSSL);
  REQUIRE(context.status == LC_OK);
  REQUIRE(lc_protect_openssl_memory() == LC_REFUSED);
}

TEST_CASE("self-tests pass through the C interface") {
  std::array<char, 256> text{};
  REQUIRE(lc_self_test(GENERATE(0U, 1U, 2U), text.data(), text.size()) == LC_OK);
  REQUIRE(lc_self_test(4, text.data(), text.size()) == LC_INVALID);
  Context context;
  REQUIRE(lc_context_self_test(context, text.data(), text.size()) == LC_OK);
  lc_capabilities has;
  has.size = sizeof has;
  REQUIRE(lc_capabilities_get(context, &has) == LC_OK);
  REQUIRE(std::string(has.engine) == "software");
  REQUIRE(has.provider[0] != '\0');
  REQUIRE(has.max_sas == 64);
  REQUIRE(has.esp_esn == 1);
  REQUIRE(has.macsec_xpn == 1);
  has.size = 4;
  REQUIRE(lc_capabilities_get(context, &has) == LC_INVALID);
}
