#include "host/config/helper_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>

#include "host/config/permissions.hpp"

namespace linecrypt::config {
namespace {

using Clock = std::chrono::steady_clock;

// A child in its own process group: killed and reaped at the latest when this ends.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    // What it started may live on in its group, also after its own orderly end.
    ::kill(-pid_, SIGKILL);
    if (reaped_) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  }

  // The wait status once it has ended, at most until `deadline`.
  std::optional<int> wait_until(Clock::time_point deadline) {
    while (true) {
      int status = 0;
      // WNOWAIT keeps the id, and with it the group's, from being used again before the group is killed.
      siginfo_t info{};
      if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_) {
        ::kill(-pid_, SIGKILL);
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
        reaped_ = true;
        return status;
      }
      if (Clock::now() >= deadline) return std::nullopt;
      const timespec pause{0, 1'000'000};
      ::nanosleep(&pause, nullptr);
    }
  }

 private:
  pid_t pid_;
  bool reaped_ = false;
};

// Reads until the end of `fd`, the deadline or one byte too many.
enum class ReadEnd : std::uint8_t { whole, late, too_much, failed };
ReadEnd read_until(int fd, Clock::time_point deadline, KeyText& out) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return ReadEnd::late;
    pollfd wait{fd, POLLIN, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(left));
    if (ready < 0 && errno != EINTR) return ReadEnd::failed;
    if (ready <= 0) continue;
    const ssize_t got = ::read(fd, out.bytes.data() + out.size, out.bytes.size() - out.size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ReadEnd::failed;
    if (got == 0) return ReadEnd::whole;
    out.size += static_cast<std::size_t>(got);
    if (out.size > key_text_largest) return ReadEnd::too_much;
  }
}

// posix_spawn's two argument objects, destroyed in each case.
struct SpawnArguments {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
  SpawnArguments() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  SpawnArguments(const SpawnArguments&) = delete;
  SpawnArguments& operator=(const SpawnArguments&) = delete;
  ~SpawnArguments() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
};

// 0, or the error number.
int spawn(const std::vector<std::string>& arguments, int output, pid_t& pid) {
  SpawnArguments spawn;
  // 1. Standard streams; nothing else of ours is inherited.
  //    The pipe first: it may itself be 0 or 2 in a process that was started with those closed.
  posix_spawn_file_actions_adddup2(&spawn.files, output, 1);
  posix_spawn_file_actions_addopen(&spawn.files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&spawn.files, 2, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&spawn.files, 3);
  posix_spawn_file_actions_addchdir_np(&spawn.files, "/");
  // 2. Its own process group, no signal blocked or ignored.
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&spawn.attributes, &none);
  posix_spawnattr_setsigdefault(&spawn.attributes, &all);
  posix_spawnattr_setpgroup(&spawn.attributes, 0);
  posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  // 3. A clean environment.
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char locale[] = "LC_ALL=C";
  char* const environment[] = {path, locale, nullptr};
  return ::posix_spawn(&pid, argv.front(), &spawn.files, &spawn.attributes, argv.data(), environment);
}

}  // namespace

Result<void> run_helper(const std::vector<std::string>& arguments, KeyText& out, std::chrono::milliseconds time) {
  const std::string& program = arguments.front();
  const auto refuse = [&](const std::string& why) { return Error{fmt::format("the helper {} {}", program, why)}; };
  // 1. No one else may have put the program there.
  struct stat status {};
  if (::stat(program.c_str(), &status) != 0) return refuse(fmt::format("cannot be run: {}", std::strerror(errno)));
  if (!S_ISREG(status.st_mode)) return refuse("is not a regular file");
  if (auto allowed = check_owner_and_mode(status, fmt::format("the helper {}", program), Others::may_read); !allowed)
    return allowed;
  if (auto allowed = check_directory_of(program); !allowed) return allowed;

  // 2. Start it.
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return refuse(fmt::format("cannot be run: {}", std::strerror(errno)));
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  const auto deadline = Clock::now() + time;
  pid_t pid = -1;
  if (const int error = spawn(arguments, to.get(), pid); error != 0)
    return refuse(fmt::format("cannot be run: {}", std::strerror(error)));
  Child child(pid);
  to.reset();

  // 3. Its output, then its end, both before the deadline.
  const auto seconds = std::chrono::duration<double>(time).count();
  switch (read_until(from.get(), deadline, out)) {
    case ReadEnd::whole:
      break;
    case ReadEnd::late:
      return refuse(fmt::format("did not finish within {:g} s and was killed", seconds));
    case ReadEnd::too_much:
      return refuse(fmt::format("wrote more than {} bytes and was killed", key_text_largest));
    case ReadEnd::failed:
      return refuse("could not be read from");
  }
  const std::optional<int> end = child.wait_until(deadline);
  if (!end) return refuse(fmt::format("did not finish within {:g} s and was killed", seconds));
  if (WIFSIGNALED(*end)) return refuse(fmt::format("was ended by signal {}", WTERMSIG(*end)));
  if (WEXITSTATUS(*end) != 0) return refuse(fmt::format("ended with status {}, 0 is needed", WEXITSTATUS(*end)));
  return {};
}

}  // namespace linecrypt::config
