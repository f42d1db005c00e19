#include "tests/support/gcm_vectors.hpp"

#include <fstream>
#include <map>
#include <stdexcept>

namespace linecrypt::test {
namespace {

// "Key = 00ff" -> {"Key", "00ff"}.
std::pair<std::string, std::string> split(const std::string& line) {
  const std::size_t equals = line.find(" =");
  if (equals == std::string::npos) throw std::runtime_error("not understood: " + line);
  return {line.substr(0, equals), line.size() > equals + 3 ? line.substr(equals + 3) : ""};
}

}  // namespace

std::vector<GcmVector> read_gcm_vectors(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<GcmVector> vectors;
  std::map<std::string, std::string> section;
  std::map<std::string, std::string> fields;
  int first_line = 0;
  // A vector ends at an empty line.
  const auto finish = [&] {
    if (!fields.empty() && section["IVlen"] == "96" && section["Taglen"] == "128") {
      GcmVector one;
      one.where = path.substr(path.rfind('/') + 1) + ":" + std::to_string(first_line);
      one.key = from_hex(fields.at("Key"));
      one.iv = from_hex(fields.at("IV"));
      one.aad = from_hex(fields.at("AAD"));
      one.sealed = from_hex(fields.at("CT"));
      one.tag = from_hex(fields.at("Tag"));
      one.must_fail = fields.count("FAIL") != 0;
      if (!one.must_fail) one.clear = from_hex(fields.at("PT"));
      vectors.push_back(std::move(one));
    }
    fields.clear();
  };
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.pop_back();
    if (line.empty()) {
      finish();
    } else if (line[0] == '[') {
      const auto [name, value] = split(line.substr(1, line.size() - 2));
      section[name] = value;
    } else if (line == "FAIL") {
      fields["FAIL"] = "";
    } else if (line[0] != '#') {
      const auto [name, value] = split(line);
      if (name == "Count") first_line = number;
      fields[name] = value;
    }
  }
  finish();
  return vectors;
}

}  // namespace linecrypt::test
