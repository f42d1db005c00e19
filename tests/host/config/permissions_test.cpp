// Owners and modes of the configuration, its directory and the state directory (DESIGN 3.10).
#include <catch2/catch.hpp>

#include <unistd.h>

#include "host/config/permissions.hpp"
#include "tests/host/config/support.hpp"

namespace linecrypt::config::test {
namespace {

struct Place {
  Folder folder;
  std::string state = folder.path("state");
  std::string file;

  explicit Place(mode_t mode = 0600, const std::string& more = "") {
    std::filesystem::create_directory(state);
    chmod(state.c_str(), 0700);
    file = folder.write("gateway.toml", "[gateway]\nstate_directory = \"" + state + "\"\n" + more + ports, mode);
  }
  [[nodiscard]] std::vector<std::string> errors() const { return texts(load(file).errors); }
};

bool is_root() {
  return geteuid() == 0;
}

}  // namespace

TEST_CASE("a configuration that only its owner may write is loaded") {
  CHECK(Place(0600).errors().empty());
  CHECK(Place(0644).errors().empty());
  CHECK(Place(0400).errors().empty());
}

TEST_CASE("a configuration that others may write is refused, and its errors are still told") {
  for (const mode_t mode : {0620U, 0602U, 0666U}) {
    const auto errors = Place(mode, "max_sas = 0\n").errors();
    REQUIRE(errors.size() == 2);
    CHECK(errors[0].find("the configuration file has mode 0") == 0);
    CHECK(errors[0].find("others than its owner may write it; allowed: at most 0755") != std::string::npos);
    CHECK(errors[1] == "3:11: max_sas = 0, allowed: 1 to 1048576");
  }
}

TEST_CASE("a directory that others may write is refused") {
  const Place place;
  for (const mode_t mode : {0770U, 0707U, 01777U}) {
    chmod(place.folder.path().c_str(), mode);
    const auto errors = place.errors();
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].find("the directory " + place.folder.path() + " has mode") == 0);
  }
  chmod(place.folder.path().c_str(), 0755);
  CHECK(place.errors().empty());
}

TEST_CASE("a link to a configuration is judged by both directories") {
  const Place place;
  const Folder other;
  const std::string link = other.path("link.toml");
  std::filesystem::create_symlink(place.file, link);
  CHECK(load(link).errors.empty());
  chmod(other.path().c_str(), 0777);
  CHECK(load(link).errors.size() == 1);
  chmod(other.path().c_str(), 0700);
  chmod(place.folder.path().c_str(), 0777);
  CHECK(load(link).errors.size() == 1);
}

TEST_CASE("a state directory that others may write is refused at its line; a missing one is judged by its parent") {
  const Place place;
  chmod(place.state.c_str(), 0770);
  const auto errors = place.errors();
  REQUIRE(errors.size() == 1);
  CHECK(errors[0] == "2:19: the state directory " + place.state +
                         " has mode 0770, others than its owner may write it; allowed: at most 0755");
  std::filesystem::remove(place.state);
  CHECK(place.errors().empty());
  chmod(place.folder.path().c_str(), 0777);
  CHECK(place.errors().size() == 2);  // the file's directory and the parent
  std::ofstream(place.state) << "a file";
  chmod(place.folder.path().c_str(), 0700);
  CHECK(place.errors().at(0) == "2:19: the state directory " + place.state + " is not a directory");
}

TEST_CASE("files of other users are refused") {
  if (!is_root()) {
    // Without root no file can be given away, but one of another user than us and root can be looked for.
    WARN("run as root to see a file given to another user");
    return;
  }
  const Place place;
  REQUIRE(chown(place.file.c_str(), 65534, 65534) == 0);
  REQUIRE(chown(place.state.c_str(), 65534, 65534) == 0);
  const auto errors = place.errors();
  REQUIRE(errors.size() == 2);
  CHECK(errors[0] == "the configuration file belongs to user 65534, allowed: root");
  CHECK(errors[1] == "2:19: the state directory " + place.state + " belongs to user 65534, allowed: root");
}

TEST_CASE("inline keys need a file that others cannot read") {
  CHECK(Place(0600, "allow_inline_keys = true\n").errors().empty());
  for (const mode_t mode : {0640U, 0604U}) {
    const auto errors = Place(mode, "allow_inline_keys = true\n").errors();
    REQUIRE(errors.size() == 1);
    CHECK(errors[0] ==
          "3:21: allow_inline_keys = true in a file that others than its owner may read; allowed there: "
          "mode 0600 or 0400");
  }
}

TEST_CASE("what is no configuration file is refused without waiting") {
  const Folder folder;
  CHECK(texts(load(folder.path("none.toml")).errors) ==
        std::vector<std::string>{"cannot be opened: No such file or directory"});
  CHECK(texts(load(folder.path()).errors) == std::vector<std::string>{"is not a regular file"});
  REQUIRE(mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  CHECK(texts(load(folder.path("fifo")).errors) == std::vector<std::string>{"is not a regular file"});
  const std::string huge = folder.write("huge.toml", "");
  std::filesystem::resize_file(huge, ConfigurationText::largest + 1);
  CHECK(texts(load(huge).errors) == std::vector<std::string>{"has 8388609 bytes, allowed: at most 8388608"});
}

}  // namespace linecrypt::config::test
