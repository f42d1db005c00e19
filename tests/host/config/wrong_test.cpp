// Wrong configurations: each file of wrong/ begins with every message that it gets, with its line and column.
#include <catch2/catch.hpp>

#include "tests/host/config/support.hpp"

namespace linecrypt::config::test {
namespace {

const std::filesystem::path folder = LINECRYPT_TEST_DATA "/host/config/wrong";

std::vector<std::string> expected_of(const std::string& text) {
  constexpr std::string_view mark = "# expect ";
  std::vector<std::string> expected;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && line.starts_with(mark);)
    expected.push_back(line.substr(mark.size()));
  return expected;
}

TEST_CASE("each wrong configuration gets exactly its messages, at their lines and columns") {
  const auto files = toml_files(folder);
  REQUIRE(files.size() >= 60);
  for (const auto& file : files) {
    INFO(file.filename().string());
    const std::string text = read_text(file);
    const auto expected = expected_of(text);
    CHECK_FALSE(expected.empty());
    CHECK(texts(parse(text, file.filename().string()).errors) == expected);
  }
}

TEST_CASE("a message names the file, the line and the column") {
  const Loaded loaded =
      parse("[gateway]\nmax_sas = 0\n\n[[port]]\nname = \"a\"\nside = \"clear\"\ndevice = \"ring:a\"\n",
            "/etc/linecrypt/site-a.toml");
  REQUIRE(loaded.errors.size() == 1);
  CHECK(loaded.errors[0].text() == "/etc/linecrypt/site-a.toml:2:11: max_sas = 0, allowed: 1 to 1048576");
  CHECK(loaded.errors[0].place.line == 2);
  CHECK(loaded.errors[0].place.column == 11);
}

TEST_CASE("no message has more than one line, and each run has its errors in the file's order") {
  for (const auto& file : toml_files(folder)) {
    INFO(file.filename().string());
    std::uint32_t line = 0;
    for (const Diagnostic& error : parse(read_text(file), "x").errors) {
      CHECK(error.message.find('\n') == std::string::npos);
      CHECK(error.place.line >= line);
      line = error.place.line;
    }
  }
  const Loaded loaded = parse("[gateway]\nname = \"a\\nb\\u001b[31m\"\n", "x");
  REQUIRE(loaded.errors.size() == 2);
  CHECK(loaded.errors[1].message.starts_with("name = \"a\\x0ab\\x1b[31m\", allowed"));
}

TEST_CASE("hundreds of errors end in a count") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "[[neighbour]]\n";
  const Loaded loaded = parse(text, "x");
  REQUIRE(loaded.errors.size() == 201);
  // Three keys missing in each, and no port.
  CHECK(loaded.errors.back().message == "and 701 more from here on");
}

}  // namespace
}  // namespace linecrypt::config::test
