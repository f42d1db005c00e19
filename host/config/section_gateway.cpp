// [gateway]
#include <fmt/format.h>

#include "host/config/draft.hpp"
#include "host/config/words.hpp"

namespace linecrypt::config {
namespace {

constexpr Word<OffloadMode> offload_words[] = {
    {"software", OffloadMode::software}, {"auto", OffloadMode::automatic}, {"card", OffloadMode::card}};
constexpr Word<AeadChoice> aead_words[] = {{"auto", AeadChoice::automatic},
                                           {"vaes", AeadChoice::vaes},
                                           {"ipsec-mb", AeadChoice::ipsec_mb},
                                           {"openssl", AeadChoice::openssl}};
constexpr Word<PollMode> poll_words[] = {{"adaptive", PollMode::adaptive}, {"always", PollMode::always}};
constexpr Word<StaticKeys> static_keys_words[] = {{"refuse", StaticKeys::refuse},
                                                  {"accept-risk", StaticKeys::accept_risk}};
constexpr Word<LogLevel> log_level_words[] = {
    {"error", LogLevel::error}, {"warning", LogLevel::warning}, {"info", LogLevel::info}, {"debug", LogLevel::debug}};

constexpr std::size_t socket_path_longest = 107;  // sun_path with its zero byte

}  // namespace

void read_gateway(Section section, Draft& draft) {
  Gateway& gateway = draft.config.gateway;
  gateway.place = section.place();
  draft.gateway = &section.table();

  read_name(section, gateway.name, Need::optional);
  section.word("offload", offload_words, gateway.offload);
  section.word("aead", aead_words, gateway.aead);
  section.word("poll", poll_words, gateway.poll);
  section.word("static_keys", static_keys_words, gateway.static_keys);
  section.boolean("allow_inline_keys", gateway.allow_inline_keys);
  section.boolean("hugepages", gateway.hugepages);
  if (section.integer("memory_mb", 32, 65536, gateway.memory_mb) && gateway.hugepages)
    section.error("memory_mb", "memory_mb does nothing with hugepages = true");
  std::uint32_t core = 0;
  if (section.integer("worker_core", 0, 1023, core)) gateway.worker_core = core;
  std::uint32_t max_sas = 0;
  if (section.integer("max_sas", 1, 1 << 20, max_sas)) gateway.max_sas = max_sas;
  section.integer("buffers", 512, 1 << 22, gateway.buffers);
  read_absolute_path(section, "state_directory", gateway.state_directory);
  if (read_absolute_path(section, "control_socket", gateway.control_socket) &&
      gateway.control_socket.size() > socket_path_longest)
    section.error("control_socket", fmt::format("control_socket has {} characters, allowed: at most {}",
                                                gateway.control_socket.size(), socket_path_longest));
  section.word("log_level", log_level_words, gateway.log_level);
  section.finish();
}

}  // namespace linecrypt::config
