// read_key(): the bytes behind a key reference.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "host/config/helper_process.hpp"
#include "host/config/hex.hpp"
#include "host/config/load.hpp"
#include "host/config/permissions.hpp"

namespace linecrypt::config {
namespace {

Result<void> read_file(const std::string& path, KeyText& out) {
  const auto refuse = [&](const std::string& why) { return Error{fmt::format("the key file {} {}", path, why)}; };
  // 1. Through a link of someone else's directory anything could be read as our key.
  if (auto allowed = check_directory_of(path); !allowed) return allowed;
  // 2. What is checked is what is read: one descriptor. O_NONBLOCK: a FIFO must not hang us.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0)
    return refuse(fmt::format("cannot be opened: {}", std::strerror(errno)));
  if (!S_ISREG(status.st_mode)) return refuse("is not a regular file");
  if (auto allowed = check_owner_and_mode(status, fmt::format("the key file {}", path), Others::may_do_nothing);
      !allowed)
    return allowed;
  // 3. The bytes.
  while (out.size < out.bytes.size()) {
    const ssize_t got = ::read(file.get(), out.bytes.data() + out.size, out.bytes.size() - out.size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refuse(fmt::format("cannot be read: {}", std::strerror(errno)));
    if (got == 0) return {};
    out.size += static_cast<std::size_t>(got);
  }
  return refuse(fmt::format("has more than {} bytes, which no key has", key_text_largest));
}

// A trailing end of line is what editors and shells add.
std::string_view without_line_end(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

Result<Secret<key_bytes_largest>> read_any(const KeyReference& reference, std::size_t expected) {
  if (const auto* inline_key = std::get_if<InlineKey>(&reference.source)) {
    if (inline_key->bytes.size() != expected)
      return Error{fmt::format("the inline value has {} bytes, {} are needed", inline_key->bytes.size(), expected)};
    return inline_key->bytes.duplicate();
  }
  KeyText text;
  std::string source;
  if (const auto* file = std::get_if<KeyFile>(&reference.source)) {
    source = fmt::format("the key file {}", file->path);
    if (auto read = read_file(file->path, text); !read) return read.error();
  } else {
    const auto& arguments = std::get<KeyHelper>(reference.source).arguments;
    source = fmt::format("the helper {}", arguments.front());
    if (auto run = run_helper(arguments, text); !run) return run.error();
  }
  auto bytes = bytes_of_hex(without_line_end(text.text()));
  if (!bytes) return Error{fmt::format("{}: {}; hex digits are needed", source, bytes.error().message)};
  if (bytes->size() != expected)
    return Error{fmt::format("{} gives {} hex digits, {} are needed", source, 2 * bytes->size(), 2 * expected)};
  return bytes;
}

}  // namespace

template <std::size_t N>
Result<Secret<N>> read_key(const KeyReference& reference, std::size_t expected) {
  const auto refuse = [&](const std::string& why) { return Error{Diagnostic{reference.place, why}.text()}; };
  if (expected > N) return refuse(fmt::format("{} bytes are asked for, allowed: at most {}", expected, N));
  auto bytes = read_any(reference, expected);
  if (!bytes) return refuse(bytes.error().message);
  return Secret<N>(bytes->bytes());
}

template Result<Secret<4>> read_key<4>(const KeyReference&, std::size_t);
template Result<Secret<12>> read_key<12>(const KeyReference&, std::size_t);
template Result<Secret<32>> read_key<32>(const KeyReference&, std::size_t);
template Result<Secret<36>> read_key<36>(const KeyReference&, std::size_t);
template Result<Secret<44>> read_key<44>(const KeyReference&, std::size_t);

}  // namespace linecrypt::config
