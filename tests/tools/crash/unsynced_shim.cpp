// LD_PRELOAD shim that remembers what a disk would have kept: what was synced, and nothing else.
//
// For files in $SHIM_STATE: fsync and fdatasync of a file copy its contents to $SHIM_DURABLE/data.<inode>; fsync of the
// directory records its names in $SHIM_DURABLE/names. A hard link $SHIM_DURABLE/inode.<inode> keeps each file itself,
// so that it can come back under its inode. After a kill, crash_test.py builds from these what a power loss would have
// left. Copies are made before the real call returns and appear by rename, so that a kill in between leaves the older
// state.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using SyncCall = int (*)(int);

std::string path_of(int fd) {
  char link[64];
  char target[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, target, sizeof target - 1);
  return size < 0 ? std::string() : std::string(target, static_cast<std::size_t>(size));
}

// Writes `name` in the durable folder whole, by rename.
void publish(const std::string& name, const std::string& contents) {
  const char* folder = std::getenv("SHIM_DURABLE");
  const std::string final_path = std::string(folder) + "/" + name;
  const std::string temporary = final_path + ".new";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) std::abort();
  if (write(fd, contents.data(), contents.size()) != static_cast<ssize_t>(contents.size())) std::abort();
  close(fd);
  if (rename(temporary.c_str(), final_path.c_str()) != 0) std::abort();
}

std::string read_all(const std::string& path) {
  std::string contents;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return contents;
  char buffer[65536];
  for (ssize_t n = 0; (n = read(fd, buffer, sizeof buffer)) > 0;) contents.append(buffer, static_cast<std::size_t>(n));
  close(fd);
  return contents;
}

// Keeps the file itself alive; it may have been kept before.
void keep(const std::string& path, ino_t inode) {
  const std::string link = std::string(std::getenv("SHIM_DURABLE")) + "/inode." + std::to_string(inode);
  if (linkat(AT_FDCWD, path.c_str(), AT_FDCWD, link.c_str(), AT_SYMLINK_FOLLOW) != 0 && errno != EEXIST) std::abort();
}

void remember_file(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  keep(path, status.st_ino);
  publish("data." + std::to_string(status.st_ino), read_all(path));
}

void remember_names(const std::string& folder) {
  DIR* directory = opendir(folder.c_str());
  if (directory == nullptr) return;
  std::string names;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_type != DT_REG) continue;
    keep(folder + "/" + entry->d_name, entry->d_ino);
    names += std::to_string(entry->d_ino) + " " + entry->d_name + "\n";
  }
  closedir(directory);
  publish("names", names);
}

int sync_with(const char* call, int fd) {
  const auto real = reinterpret_cast<SyncCall>(dlsym(RTLD_NEXT, call));
  const char* state = std::getenv("SHIM_STATE");
  // The planted fault: a disk that says "synced" and keeps nothing.
  const bool lies = std::getenv("SHIM_LIES") != nullptr;
  if (state != nullptr && !lies) {
    const std::string path = path_of(fd);
    if (path == state) {
      remember_names(path);
    } else if (path.rfind(std::string(state) + "/", 0) == 0) {
      remember_file(fd);
    }
  }
  return real(fd);
}

}  // namespace

extern "C" int fsync(int fd) {
  return sync_with("fsync", fd);
}
extern "C" int fdatasync(int fd) {
  return sync_with("fdatasync", fd);
}
