// No message repeats a key, wherever in the file it stands.
#include <catch2/catch.hpp>

#include "host/config/report.hpp"
#include "tests/host/config/support.hpp"

namespace linecrypt::config::test {
namespace {

const std::string test_key = "5ca1ab1e0ddba11feedfacedeadbeef5ca1ab1e0ddba11feedfacedeadbeef77";

// 12 digits of the key, in either case, anywhere in the text.
bool shows_key(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::size_t window = 12;
  for (std::size_t i = 0; i + window <= test_key.size(); ++i)
    if (text.find(test_key.substr(i, window)) != std::string::npos) return true;
  return false;
}

std::string all_messages(const Loaded& loaded) {
  std::string all;
  for (const auto* list : {&loaded.errors, &loaded.warnings})
    for (const Diagnostic& diagnostic : *list) all += diagnostic.text() + "\n";
  return all;
}

// A file with one of everything.
std::string whole_file() {
  const std::filesystem::path examples = LINECRYPT_TEST_DATA "/../tools/examples";
  std::string text = read_text(examples / "policies.toml");
  const std::string macsec = read_text(examples / "macsec-port.toml");
  text += macsec.substr(macsec.find("[[macsec]]"));
  text += "\n[[neighbour]]\nport = \"circuit\"\naddress = \"192.0.2.2\"\nmac = \"02:00:00:00:00:02\"\n";
  return text;
}

}  // namespace

TEST_CASE("the search for a key finds one") {
  CHECK(shows_key("key = " + test_key));
  CHECK(shows_key("x5CA1AB1E0DDBx"));
  CHECK_FALSE(shows_key("5ca1ab1e"));
}

TEST_CASE("a key in place of any value or any name of a file is in no message") {
  std::vector<std::string> lines;
  std::istringstream text(whole_file());
  for (std::string line; std::getline(text, line);) lines.push_back(line);

  const std::string spaced = [] {
    std::string out;
    for (std::size_t i = 0; i < test_key.size(); i += 2) out += (i == 0 ? "" : ":") + test_key.substr(i, 2);
    return out;
  }();
  const std::vector<std::string> values = {
      '"' + test_key + '"',
      "\"file:" + test_key + '"',
      "\"inline:" + test_key + '"',
      "\"inline:" + test_key + "zz\"",
      "\"env:" + test_key + '"',
      "\"exec:/bin/echo " + test_key + '"',
      '"' + spaced + '"',
      '"' + std::string(70, '.') + test_key + '"',
      test_key,
      "inline:" + test_key,
      "0x" + test_key,
      "0x" + test_key.substr(0, 15),
      "[\"" + test_key + "\"]",
      "{" + test_key + " = 1}",
      "{exec = [\"" + test_key + "\"]}",
      "{exec = [\"/bin/echo\", \"" + test_key + "\", 5]}",
      '"' + test_key,
      "'" + test_key + "'x",
  };
  std::size_t tried = 0;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t equals = lines[i].find(" = ");
    if (equals == std::string::npos || lines[i].starts_with('#')) continue;
    std::vector<std::string> changed;
    for (const std::string& value : values) changed.push_back(lines[i].substr(0, equals) + " = " + value);
    changed.push_back(test_key + lines[i].substr(equals));
    changed.push_back(test_key);
    for (const std::string& line : changed) {
      std::string file;
      for (std::size_t j = 0; j < lines.size(); ++j) file += (j == i ? line : lines[j]) + "\n";
      const Loaded loaded = parse(file, "x");
      ++tried;
      if (!loaded.errors.empty()) ++refused;
      const std::string messages = all_messages(loaded);
      if (shows_key(messages)) FAIL_CHECK("for " << line << "\n" << messages);
    }
  }
  CHECK(tried > 500);
  CHECK(refused > tried / 2);
}

TEST_CASE("key-like runs are withheld from messages, addresses are not") {
  CHECK(withhold_hex("a " + test_key + " b") == "a (withheld) b");
  CHECK(withhold_hex("0x0123456789abcdef0123.") == "0x(withheld).");
  CHECK(withhold_hex("0123 4567 89ab cdef 0123 4567") == "(withheld)");
  CHECK(withhold_hex("01:23:45:67:89:ab:cd:ef:01:23:45:67") == "(withheld)");
  for (const std::string harmless :
       {"mac 02:00:00:00:00:01, sci 02:00:00:00:00:01/513", "2001:0db8:0000:0000:0000:0000:0000:0001",
        "fe80:1234:5678:9abc:def0:1234:5678:9abc/128", "spi 0xffffffff", "0000:01:00.0",
        "allowed: 0 to 9223372036854775807", "a bad face, added"})
    CHECK(withhold_hex(harmless) == harmless);
}

}  // namespace linecrypt::config::test
