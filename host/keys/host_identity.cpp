#include "host/keys/host_identity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <string_view>

#include "host/keys/hmac.hpp"

namespace linecrypt::keys {
namespace {

constexpr const char* key_file = "host.key";
constexpr const char* id_file = "host.id";
constexpr std::string_view magic = "linecrypt host 1";
constexpr std::size_t key_size = 32;
constexpr std::size_t file_size = magic.size() + key_size + sizeof(Digest);  // magic, key, binding

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// 32 hex digits, or empty when the host has no usable one ("uninitialized" is systemd's word for none yet).
std::string read_machine_id(const std::string& path) {
  std::ifstream file(path);
  std::string id;
  file >> id;
  const bool hex = id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
  return hex ? id : std::string();
}

// Temporary name, durable content, then the name.
Result<void> create_durably(StateFiles& files, const std::string& name, std::span<const std::uint8_t> bytes) {
  if (auto made = files.create(name + ".new", bytes); !made) return made;
  if (auto renamed = files.rename(name + ".new", name); !renamed) return renamed;
  return files.sync_directory();
}

// What this host is called: host.id where the directory has one, else the machine-id, else a new host.id.
Result<std::string> host_name(StateFiles& files, const std::string& machine_id_path,
                              std::vector<std::string>& messages) {
  auto stored = files.read(id_file, 0);
  if (!stored) return stored.error();
  std::string id;
  if (stored->has_value()) {
    id.assign((*stored)->begin(), (*stored)->end());
  } else {
    id = read_machine_id(machine_id_path);
    if (!id.empty()) return "machine-id " + id;
    std::array<std::uint8_t, 16> random{};
    if (auto filled = fill_random(random); !filled) return filled.error();
    for (const std::uint8_t byte : random) id += fmt::format("{:02x}", byte);
    if (auto made = create_durably(files, id_file, bytes_of(id)); !made) return made.error();
  }
  messages.push_back(
      fmt::format("{}: this host had no machine-id ({}) when the directory was made; the journal is bound to {} "
                  "instead, and a copy of the directory on another host would not be recognised",
                  files.directory(), machine_id_path, id_file));
  return "host-id " + id;
}

HostIdentity derive(const Secret<32>& host_key) {
  Digest naming = hmac(host_key, "linecrypt number spaces 1", {});
  Digest journal = hmac(host_key, "linecrypt journal 1", {});
  HostIdentity identity{Secret<32>(naming), Secret<32>(journal)};
  cleanse(naming.data(), naming.size());
  cleanse(journal.data(), journal.size());
  return identity;
}

Result<HostIdentity> make_key(StateFiles& files, const std::string& name) {
  // A journal without its key cannot be checked, and a new key would name every space anew: numbers would begin again.
  for (const char* other : {"journal", "witness"}) {
    auto found = files.identity(other);
    if (!found) return found.error();
    if (found->has_value()) {
      return Error{fmt::format(
          "{0}/host.key: missing, while {0}/{1} exists; restore it. If it is lost, give each static key a new value, "
          "move {0}/journal and {0}/witness away, and enroll the keys again (linecryptctl key enroll)",
          files.directory(), other)};
    }
  }
  std::array<std::uint8_t, file_size> bytes{};
  std::memcpy(bytes.data(), magic.data(), magic.size());
  const std::span<std::uint8_t> key = std::span(bytes).subspan(magic.size(), key_size);
  if (auto filled = fill_random(key); !filled) return filled.error();
  const Secret<32> host_key(key);
  const Digest binding = hmac(host_key, "linecrypt host binding 1", {bytes_of(name)});
  std::copy(binding.begin(), binding.end(), bytes.end() - static_cast<std::ptrdiff_t>(binding.size()));
  auto made = create_durably(files, key_file, bytes);
  cleanse(bytes.data(), bytes.size());
  if (!made) return made.error();
  return derive(host_key);
}

}  // namespace

Result<HostIdentity> open_identity(StateFiles& files, const std::string& machine_id_path,
                                   std::vector<std::string>& messages) {
  // 1. Who this host is.
  const auto name = host_name(files, machine_id_path, messages);
  if (!name) return name.error();
  auto read = files.read(key_file, 0);
  if (!read) return read.error();
  if (!read->has_value()) return make_key(files, *name);
  // 2. The key's file as a whole.
  Bytes& bytes = **read;
  if (bytes.size() != file_size || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
    if (!bytes.empty()) cleanse(bytes.data(), bytes.size());
    return Error{fmt::format("{}/host.key: damaged (it is {} bytes, allowed are {} that begin with \"{}\"); restore it",
                             files.directory(), bytes.size(), file_size, magic)};
  }
  const Secret<32> host_key(std::span<const std::uint8_t>(bytes).subspan(magic.size(), key_size));
  Digest stored{};
  std::copy_n(bytes.end() - static_cast<std::ptrdiff_t>(stored.size()), stored.size(), stored.begin());
  cleanse(bytes.data(), bytes.size());
  // 3. Made here.
  const Digest binding = hmac(host_key, "linecrypt host binding 1", {bytes_of(*name)});
  if (!equal_constant_time(binding.data(), stored.data(), binding.size())) {
    return Error{fmt::format(
        "{0}: made on another host (its key is bound to another machine-id, or is damaged). Its numbers may have gone "
        "on there: give each static key a new value, move {0} away, and enroll the keys again (linecryptctl key "
        "enroll)",
        files.directory())};
  }
  return derive(host_key);
}

}  // namespace linecrypt::keys
