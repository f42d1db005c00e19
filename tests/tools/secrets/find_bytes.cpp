// Looks for many byte strings in large files at once: find_bytes FILE... < strings
//
// Each line of standard input is a label, a tab, and a string of 8 bytes or more in hex; each line of the output is a
// file, a tab, the label of a string that stands in it, a tab, and where. Exit 0, also where there are none; 2 for
// anything wrong.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

struct Wanted {
  std::string label;
  std::vector<std::uint8_t> bytes;
};

std::uint64_t first8(const std::uint8_t* p) {
  std::uint64_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

std::uint32_t slot_of(std::uint64_t value) {
  return static_cast<std::uint32_t>(value * 0x9e3779b97f4a7c15U >> 44U);
}

int wrong(const std::string& what) {
  std::fprintf(stderr, "find_bytes: %s\n", what.c_str());
  return 2;
}

}  // namespace

int main(int count, char** arguments) {
  // 1. What to look for, by its first eight bytes.
  std::unordered_multimap<std::uint64_t, Wanted> wanted;
  std::vector<bool> maybe(std::size_t{1} << 20U);
  for (std::string line; std::getline(std::cin, line);) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos || (line.size() - tab - 1) % 2 != 0 || line.size() - tab - 1 < 16)
      return wrong("a line without a tab, or with fewer than 8 bytes in hex");
    Wanted one{line.substr(0, tab), {}};
    for (std::size_t i = tab + 1; i < line.size(); i += 2)
      one.bytes.push_back(static_cast<std::uint8_t>(std::stoul(line.substr(i, 2), nullptr, 16)));
    const std::uint64_t key = first8(one.bytes.data());
    maybe[slot_of(key)] = true;
    wanted.emplace(key, std::move(one));
  }
  if (wanted.empty()) return wrong("nothing to look for");
  // 2. Each place of each file.
  for (int i = 1; i < count; ++i) {
    std::ifstream file(arguments[i], std::ios::binary | std::ios::ate);
    if (!file) return wrong(std::string(arguments[i]) + " cannot be read");
    std::vector<std::uint8_t> data(static_cast<std::size_t>(file.tellg()));
    file.seekg(0);
    if (!data.empty() && !file.read(reinterpret_cast<char*>(data.data()), static_cast<std::streamsize>(data.size())))
      return wrong(std::string(arguments[i]) + " cannot be read to its end");
    for (std::size_t at = 0; at + 8 <= data.size(); ++at) {
      const std::uint64_t key = first8(data.data() + at);
      if (!maybe[slot_of(key)]) continue;
      const auto [begin, end] = wanted.equal_range(key);
      for (auto one = begin; one != end; ++one) {
        const std::vector<std::uint8_t>& bytes = one->second.bytes;
        if (bytes.size() <= data.size() - at && std::memcmp(data.data() + at, bytes.data(), bytes.size()) == 0)
          std::printf("%s\t%s\t%zu\n", arguments[i], one->second.label.c_str(), at);
      }
    }
  }
  return 0;
}
