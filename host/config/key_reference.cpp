#include "host/config/key_reference.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "host/config/hex.hpp"
#include "host/config/words.hpp"

namespace linecrypt::config {
namespace {

constexpr std::string_view allowed_sources = "allowed: \"file:/absolute/path\", {exec = [\"/absolute/program\", ...]}";

std::optional<std::string_view> after(std::string_view text, std::string_view scheme) {
  if (!text.starts_with(scheme)) return std::nullopt;
  return text.substr(scheme.size());
}

// `expected` bytes, of which `salt` are the salt; 0: not known.
std::optional<KeyReference> read_text(const Section& section, std::string_view key, const Value& value,
                                      const KeyPolicy& policy, std::size_t expected, std::string_view made_of) {
  const auto refuse = [&](std::string_view why) {
    section.report().error(value.at, fmt::format("{}: {}", key, why));
    return std::nullopt;
  };
  KeyReference reference;
  reference.place = section.report().place(value.at);
  if (const auto path = after(value.text, "file:")) {
    if (!is_absolute_path(*path)) return refuse("\"file:\" needs an absolute path");
    reference.source = KeyFile{std::filesystem::path(*path).lexically_normal().string()};
    return reference;
  }
  if (const auto hex = after(value.text, "inline:")) {
    if (!policy.allow_inline)
      return refuse(fmt::format("\"inline:\" needs allow_inline_keys = true in [gateway]; {}", allowed_sources));
    auto bytes = bytes_of_hex(*hex);
    if (!bytes) return refuse(fmt::format("in the inline value {}", bytes.error().message));
    if (expected != 0 && bytes->size() != expected)
      return refuse(fmt::format("the inline value has {} bytes, {} are needed ({})", bytes->size(), expected, made_of));
    reference.source = InlineKey{std::move(bytes).value()};
    return reference;
  }
  if (value.text.starts_with("env:"))
    return refuse(fmt::format("\"env:\" is refused, the environment is open to child processes and to dumps; {}",
                              allowed_sources));
  if (value.text.starts_with("exec:"))
    return refuse("\"exec:\" is written as a table: {exec = [\"/absolute/program\", \"argument\"]}");
  return refuse(fmt::format("the text names no source; {}", allowed_sources));
}

std::optional<KeyReference> read_helper(Section& section, std::string_view key, const Value& value) {
  Section table(section.report(), value, fmt::format("{} of {}", key, section.title()));
  KeyHelper helper;
  for (const Value& item : table.items("exec", 64, Need::required))
    if (table.of_kind("exec", item, Kind::string)) helper.arguments.push_back(item.text);
  table.finish();
  if (!table.sound() || helper.arguments.empty()) return std::nullopt;
  if (!is_absolute_path(helper.arguments.front())) {
    table.error("exec",
                fmt::format("{}: exec begins with an absolute path, no search is made and no shell is run", key));
    return std::nullopt;
  }
  for (const std::string& argument : helper.arguments) {
    if (argument.find('\0') != std::string::npos) {
      table.error("exec", fmt::format("{}: an argument of exec holds a zero byte", key));
      return std::nullopt;
    }
  }
  return KeyReference{std::move(helper), section.report().place(value.at)};
}

std::optional<KeyReference> read_reference(Section& section, std::string_view key, Need need, const KeyPolicy& policy,
                                           std::size_t expected, std::string_view made_of) {
  const Value* const value = section.find(key, need);
  if (value == nullptr) return std::nullopt;
  if (value->kind == Kind::table) return read_helper(section, key, *value);
  if (value->kind == Kind::string) return read_text(section, key, *value, policy, expected, made_of);
  section.report().error(value->at, fmt::format("{} is {}; {}", key, kind_name(value->kind), allowed_sources));
  return std::nullopt;
}

}  // namespace

KeyAndSaltReference read_key_and_salt(Section& section, const KeyPolicy& policy) {
  KeyAndSaltReference result;
  const bool separate = section.has("salt");
  if (separate && policy.key_bytes != 0 && policy.salt_bytes == 0) {
    section.find("salt");
    section.error("salt", "salt belongs to the XPN cipher suites only");
  } else {
    const std::string made_of = fmt::format("salt of {}", policy.salt_bytes);
    result.salt = read_reference(section, "salt", Need::optional, policy, policy.salt_bytes, made_of);
  }
  const bool together = !separate && policy.salt_bytes != 0;
  const std::size_t expected = policy.key_bytes == 0 ? 0 : policy.key_bytes + (together ? policy.salt_bytes : 0);
  const std::string made_of = together ? fmt::format("key of {} and salt of {}", policy.key_bytes, policy.salt_bytes)
                                       : fmt::format("key of {}", policy.key_bytes);
  result.key = read_reference(section, "key", Need::required, policy, expected, made_of);
  if (result.key && result.salt && same_source(*result.key, *result.salt)) {
    section.error("salt", fmt::format("salt and key are both {}; leave salt out where it follows the key",
                                      source_text(*result.key)));
  }
  return result;
}

std::string source_text(const KeyReference& reference) {
  if (const auto* file = std::get_if<KeyFile>(&reference.source)) return "file:" + file->path;
  if (const auto* helper = std::get_if<KeyHelper>(&reference.source)) return "exec of " + helper->arguments.front();
  return "an inline value";
}

bool same_source(const KeyReference& a, const KeyReference& b) {
  if (a.source.index() != b.source.index()) return false;
  if (const auto* file = std::get_if<KeyFile>(&a.source)) return file->path == std::get<KeyFile>(b.source).path;
  if (const auto* helper = std::get_if<KeyHelper>(&a.source))
    return helper->arguments == std::get<KeyHelper>(b.source).arguments;
  return std::get<InlineKey>(a.source).bytes.equals(std::get<InlineKey>(b.source).bytes);
}

}  // namespace linecrypt::config
