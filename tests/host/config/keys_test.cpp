// read_key(): key files and helpers, each refusal, and that no message shows a digit of a key.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

#include "host/config/helper_process.hpp"
#include "tests/host/config/support.hpp"

namespace linecrypt::config::test {
namespace {

const std::string hex = "5ca1ab1e0ddba11feedfacedeadbeef5ca1ab1e0ddba11feedfacedeadbeef77";

KeyReference file_key(const std::string& path) {
  return {KeyFile{path}, {"gw.toml", 7, 9}};
}
KeyReference helper_key(std::vector<std::string> arguments) {
  return {KeyHelper{std::move(arguments)}, {"gw.toml", 7, 9}};
}

// The refusal, without its place; empty when there was none. Fails when it shows four bytes of the key.
std::string refusal(const KeyReference& reference, std::size_t expected = 32) {
  const auto key = read_key<44>(reference, expected);
  if (key) return {};
  const std::string message = key.error().message;
  for (std::size_t i = 0; i + 8 <= hex.size(); ++i) CHECK(message.find(hex.substr(i, 8)) == std::string::npos);
  constexpr std::string_view place = "gw.toml:7:9: ";
  CHECK(message.starts_with(place));
  return message.substr(place.size());
}

std::string script(const Folder& folder, const std::string& body, mode_t mode = 0700) {
  return folder.write("helper", "#!/bin/sh\n" + body + "\n", mode);
}

using Seconds = std::chrono::duration<double>;
double seconds_of(const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return Seconds(std::chrono::steady_clock::now() - start).count();
}

// Within a second the process is gone, or a zombie that its new parent has not reaped yet.
bool ends(int process) {
  for (int i = 0; i < 100; ++i) {
    std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
    const std::string text((std::istreambuf_iterator<char>(stat)), std::istreambuf_iterator<char>());
    if (text.empty() || text.find(") Z ") != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace

TEST_CASE("a key file gives its bytes, with or without an end of line, in either case") {
  const Folder folder;
  for (const std::string end : {"", "\n", "\r\n", "\n\n"}) {
    const auto key = read_key<32>(file_key(folder.write("key", hex + end)), 32);
    REQUIRE(key);
    CHECK(key->size() == 32);
    CHECK(key->bytes()[0] == 0x5c);
    CHECK(key->bytes()[31] == 0x77);
  }
  std::string upper = hex;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto key = read_key<32>(file_key(folder.write("key", upper)), 32);
  REQUIRE(key);
  CHECK(key->bytes()[1] == 0xa1);
  CHECK(read_key<44>(file_key(folder.write("key", hex + "0102030405060708090a0b0c", 0400)), 44));
  CHECK(read_key<4>(file_key(folder.write("key", "01020304")), 4));
  CHECK(read_key<12>(file_key(folder.write("key", "0102030405060708090a0b0c")), 12));
}

TEST_CASE("a key file with anything but hex digits, or with too few or too many, is refused") {
  const Folder folder;
  const std::string name = "the key file " + folder.path("key");
  CHECK(refusal(file_key(folder.write("key", ""))) == name + " gives 0 hex digits, 64 are needed");
  CHECK(refusal(file_key(folder.write("key", hex.substr(2)))) == name + " gives 62 hex digits, 64 are needed");
  CHECK(refusal(file_key(folder.write("key", hex)), 36) == name + " gives 64 hex digits, 72 are needed");
  CHECK(refusal(file_key(folder.write("key", hex + "0"))) ==
        name + ": 65 hex digits are found, an even number is needed; hex digits are needed");
  CHECK(refusal(file_key(folder.write("key", " " + hex))) ==
        name + ": character 1 is not a hex digit; hex digits are needed");
  CHECK(refusal(file_key(folder.write("key", hex + " " + hex))) ==
        name + ": character 65 is not a hex digit; hex digits are needed");
  CHECK(refusal(file_key(folder.write("key", hex + hex))) ==
        name + ": 128 hex digits are found, allowed: at most 88; hex digits are needed");
  CHECK(refusal(file_key(folder.write("key", std::string(4097, 'a')))) ==
        name + " has more than 4096 bytes, which no key has");
}

TEST_CASE("a key file that others may use in any way is refused") {
  const Folder folder;
  for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0610U, 0644U, 0666U}) {
    const std::string message = refusal(file_key(folder.write("key", hex, mode)));
    CHECK(message.find("others than its owner may use it; allowed: 0600 or 0400") != std::string::npos);
  }
  const std::string file = folder.write("key", hex);
  chmod(folder.path().c_str(), 0777);
  CHECK(refusal(file_key(file)).find("the directory " + folder.path() + " has mode 0777") == 0);
  chmod(folder.path().c_str(), 0755);
  CHECK(refusal(file_key(file)).empty());
  if (geteuid() == 0) {
    REQUIRE(chown(file.c_str(), 65534, 0) == 0);
    CHECK(refusal(file_key(file)) == "the key file " + file + " belongs to user 65534, allowed: root");
  }
}

TEST_CASE("a link to a key file is judged by what it points at") {
  const Folder folder;
  const Folder open;
  const std::string link = folder.path("link");
  std::filesystem::create_symlink(open.write("key", hex), link);
  CHECK(refusal(file_key(link)).empty());
  open.write("key", hex, 0644);
  CHECK(refusal(file_key(link)).find("may use it") != std::string::npos);
  open.write("key", hex, 0600);
  chmod(open.path().c_str(), 0777);
  CHECK(refusal(file_key(link)).find("the directory " + open.path()) == 0);
  // From a directory of all to a good file: anyone could have made the link.
  std::filesystem::create_symlink(folder.write("key", hex), open.path("link"));
  CHECK(refusal(file_key(open.path("link"))).find("the directory " + open.path()) == 0);
}

TEST_CASE("what is no file is refused without waiting") {
  const Folder folder;
  CHECK(refusal(file_key(folder.path("none"))) ==
        "the key file " + folder.path("none") + " cannot be opened: No such file or directory");
  REQUIRE(mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  CHECK(refusal(file_key(folder.path("fifo"))) == "the key file " + folder.path("fifo") + " is not a regular file");
  std::filesystem::create_directory(folder.path("d"));
  CHECK(refusal(file_key(folder.path("d"))) == "the key file " + folder.path("d") + " is not a regular file");
}

TEST_CASE("an inline key gives its bytes once their number is right") {
  const std::uint8_t bytes[] = {1, 2, 3, 4};
  const KeyReference reference{InlineKey{Secret<44>(bytes)}, {"gw.toml", 7, 9}};
  const auto key = read_key<4>(reference, 4);
  REQUIRE(key);
  CHECK(key->bytes()[3] == 4);
  CHECK(refusal(reference, 32) == "the inline value has 4 bytes, 32 are needed");
  CHECK_FALSE(read_key<4>(reference, 5));
}

TEST_CASE("a helper's output is the key; its arguments arrive as they stand, no shell in between") {
  const Folder folder;
  CHECK(refusal(helper_key({script(folder, "echo " + hex)})).empty());
  const std::string echo = script(folder, "[ \"$#\" = 2 ] && [ \"$2\" = '$(id); x' ] && printf %s \"$1\"");
  CHECK(refusal(helper_key({echo, hex, "$(id); x"})).empty());
}

TEST_CASE("a helper runs with a clean environment, no inherited descriptor, in / and its own group") {
  const Folder folder;
  setenv("LINECRYPT_TEST_SECRET", "visible", 1);
  const int inherited = open("/dev/null", O_RDONLY);  // not O_CLOEXEC: as a library might leave it
  REQUIRE(inherited > 2);
  const std::string seen = folder.path("seen");
  const std::string body =
      "exec 3>" + seen + "\nenv >&3\nls /proc/self/fd | tr '\\n' ' ' >&3\npwd >&3\n" +
      "readlink /proc/$$/fd/0 /proc/$$/fd/2 >&3\necho pgid $(ps -o pgid= -p $$) pid $$ >&3\necho " + hex;
  CHECK(refusal(helper_key({script(folder, body)})).empty());
  close(inherited);
  unsetenv("LINECRYPT_TEST_SECRET");
  const std::string text = read_text(seen);
  INFO(text);
  CHECK(text.find("LINECRYPT_TEST_SECRET") == std::string::npos);
  CHECK(text.find("HOME=") == std::string::npos);
  CHECK(text.find("PATH=/usr/sbin:/usr/bin:/sbin:/bin\n") != std::string::npos);
  CHECK(text.find("LC_ALL=C\n") != std::string::npos);
  // 0, 1, 2, the script's own 3, and that of ls.
  CHECK(text.find("0 1 2 3 4 /\n") != std::string::npos);
  CHECK(text.find("/dev/null\n/dev/null\n") != std::string::npos);
}

TEST_CASE("a helper that fails is refused, and what it wrote to either stream is not repeated") {
  const Folder folder;
  const std::string name = "the helper " + folder.path("helper");
  CHECK(refusal(helper_key({script(folder, "echo " + hex + "; echo " + hex + " >&2; exit 3")})) ==
        name + " ended with status 3, 0 is needed");
  CHECK(refusal(helper_key({script(folder, "echo " + hex + "; kill -9 $$")})) == name + " was ended by signal 9");
  CHECK(refusal(helper_key({script(folder, "true")})) == name + " gives 0 hex digits, 64 are needed");
  CHECK(refusal(helper_key({script(folder, "echo error: no " + hex)})) ==
        name + ": character 2 is not a hex digit; hex digits are needed");
  CHECK(refusal(helper_key({folder.path("none")})) ==
        "the helper " + folder.path("none") + " cannot be run: No such file or directory");
  CHECK(refusal(helper_key({folder.write("plain", "text", 0600)})) ==
        "the helper " + folder.path("plain") + " cannot be run: Permission denied");
  CHECK(refusal(helper_key({folder.path()})) == "the helper " + folder.path() + " is not a regular file");
}

TEST_CASE("a helper that others may write is refused and not run") {
  const Folder folder;
  const std::string mark = folder.path("mark");
  for (const mode_t mode : {0720U, 0702U, 0777U}) {
    const std::string message = refusal(helper_key({script(folder, "touch " + mark + "; echo " + hex, mode)}));
    CHECK(message.find("others than its owner may write it") != std::string::npos);
  }
  const std::string good = script(folder, "touch " + mark + "; echo " + hex);
  chmod(folder.path().c_str(), 0777);
  CHECK(refusal(helper_key({good})).find("the directory " + folder.path() + " has mode 0777") == 0);
  CHECK_FALSE(std::filesystem::exists(mark));
  chmod(folder.path().c_str(), 0700);
  CHECK(refusal(helper_key({good})).empty());
  CHECK(std::filesystem::exists(mark));
}

TEST_CASE("a helper that writes too much is stopped") {
  const Folder folder;
  const std::string name = "the helper " + folder.path("helper");
  const double took = seconds_of([&] {
    CHECK(refusal(helper_key({script(folder, "while :; do echo " + hex + "; done")})) ==
          name + " wrote more than 4096 bytes and was killed");
  });
  CHECK(took < 2.0);
  KeyText text;
  CHECK(run_helper({script(folder, "head -c 4096 /dev/zero | tr '\\0' a")}, text));
  CHECK(text.size == 4096);
}

TEST_CASE("a helper that takes too long is killed with all that it started") {
  CHECK(helper_time == std::chrono::seconds(5));
  const Folder folder;
  const std::string pid = folder.path("pid");
  const std::string name = "the helper " + folder.path("helper");
  // Three ways to be late: a child holds the pipe, the helper itself sleeps with the pipe open, or with it closed.
  const std::string late = GENERATE("sleep 60 & echo $! > PID; echo HEX; exit 0", "echo $$ > PID; echo HEX; sleep 60",
                                    "echo $$ > PID; echo HEX; exec >&-; sleep 60");
  std::string body = late;
  body.replace(body.find("PID"), 3, pid);
  body.replace(body.find("HEX"), 3, hex);
  KeyText text;
  const std::vector<std::string> arguments{script(folder, body)};
  const double took = seconds_of([&] {
    const auto result = run_helper(arguments, text, std::chrono::milliseconds(300));
    REQUIRE_FALSE(result);
    CHECK(result.error().message == name + " did not finish within 0.3 s and was killed");
  });
  CHECK(took >= 0.3);
  CHECK(took < 2.0);
  CHECK(ends(std::stoi(read_text(pid))));
}

TEST_CASE("what a helper leaves running does not outlive it") {
  const Folder folder;
  const std::string pid = folder.path("pid");
  KeyText text;
  REQUIRE(run_helper({script(folder, "sleep 60 >&- & echo $! > " + pid + "; echo " + hex)}, text));
  CHECK(ends(std::stoi(read_text(pid))));
}

}  // namespace linecrypt::config::test
