// What the tests of the configuration share.
#pragma once

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <stdlib.h>
#include <sys/stat.h>

#include "host/config/load.hpp"

namespace linecrypt::config::test {

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::vector<std::filesystem::path> toml_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".toml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// "line:column: message" of each, as the files of wrong/ have them; ": message" without a line.
inline std::vector<std::string> texts(const std::vector<Diagnostic>& diagnostics) {
  std::vector<std::string> lines;
  for (const Diagnostic& d : diagnostics) {
    const std::string text = d.text();
    lines.push_back(text.substr(d.place.file.size() + 1 + (d.place.line == 0 ? 1 : 0)));
  }
  return lines;
}

inline IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}
inline Prefix net(std::string_view text) {
  return Prefix::parse(text).value();
}
inline MacAddress mac(std::string_view text) {
  return MacAddress::parse(text).value();
}

// Parses what must have no error.
inline Loaded good(const std::string& text) {
  Loaded loaded = parse(text, "good.toml");
  INFO(text);
  CHECK(texts(loaded.errors) == std::vector<std::string>{});
  return loaded;
}

// Two ports, so that a file has some.
inline const std::string ports = R"(
[[port]]
name = "inside"
side = "clear"
device = "ring:inside"
[[port]]
name = "circuit"
side = "black"
device = "ring:circuit"
)";

// A folder of this test alone, mode 0700, removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "linecrypt-config-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }
  // Writes a file of this mode; returns its path.
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::string file = path(name);
    std::ofstream(file, std::ios::binary) << text;
    if (chmod(file.c_str(), mode) != 0) throw std::runtime_error("chmod " + file);
    return file;
  }

 private:
  std::string path_;
};

}  // namespace linecrypt::config::test
