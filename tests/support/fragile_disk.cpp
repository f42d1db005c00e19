#include "tests/support/fragile_disk.hpp"

#include <algorithm>
#include <utility>

namespace linecrypt::test {
namespace {

constexpr std::uint64_t sector = 512;
const Error failed{"disk: planted failure"};

}  // namespace

class FragileFiles : public keys::StateFiles {
 public:
  explicit FragileFiles(FragileDisk& disk) : disk_(disk) {}
  [[nodiscard]] const std::string& directory() const noexcept override { return directory_; }

  Result<std::optional<keys::Bytes>> read(const std::string& name, std::uint64_t offset) override {
    const auto found = disk_.names_.find(name);
    if (found == disk_.names_.end()) return std::optional<keys::Bytes>();
    const keys::Bytes& seen = found->second->seen;
    const auto from = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(offset, seen.size()));
    return std::optional<keys::Bytes>(keys::Bytes(seen.begin() + from, seen.end()));
  }
  Result<void> create(const std::string& name, std::span<const std::uint8_t> bytes) override {
    auto inode = std::make_shared<FragileDisk::Inode>();
    inode->number = disk_.next_inode_++;
    bind(name, inode);
    disk_.write(*inode, 0, bytes);
    if (disk_.step()) return failed;
    disk_.sync(*inode);
    return disk_.step() ? Result<void>(failed) : Result<void>();
  }
  Result<void> write(const std::string& name, std::uint64_t offset, std::span<const std::uint8_t> bytes) override {
    const auto found = disk_.names_.find(name);
    if (found == disk_.names_.end()) return Error{name + ": no such file"};
    disk_.write(*found->second, offset, bytes);
    if (disk_.step()) return failed;
    disk_.sync(*found->second);
    return disk_.step() ? Result<void>(failed) : Result<void>();
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    const auto found = disk_.names_.find(from);
    if (found == disk_.names_.end()) return Error{from + ": no such file"};
    const auto inode = found->second;
    bind(to, inode);
    bind(from, nullptr);
    return disk_.step() ? Result<void>(failed) : Result<void>();
  }
  Result<void> remove(const std::string& name) override {
    bind(name, nullptr);
    return {};
  }
  Result<void> sync_directory() override {
    if (disk_.step()) return failed;
    if (!disk_.lying_) disk_.unsynced_names_.clear();
    return disk_.step() ? Result<void>(failed) : Result<void>();
  }
  Result<std::optional<std::uint64_t>> identity(const std::string& name) override {
    const auto found = disk_.names_.find(name);
    return found == disk_.names_.end() ? std::optional<std::uint64_t>() : found->second->number;
  }

 private:
  // The name stands for another file now; what it stood for before may come back.
  void bind(const std::string& name, const FragileDisk::InodePointer& inode) {
    const auto found = disk_.names_.find(name);
    disk_.unsynced_names_[name].push_back(found == disk_.names_.end() ? nullptr : found->second);
    if (inode == nullptr) {
      disk_.names_.erase(name);
    } else {
      disk_.names_[name] = inode;
    }
  }

  FragileDisk& disk_;
  std::string directory_ = "disk";
};

std::unique_ptr<keys::StateFiles> FragileDisk::open() {
  return std::make_unique<FragileFiles>(*this);
}

bool FragileDisk::step() {
  if (armed_ && operations_left_-- == 0) throw PowerLost{};
  return operations_++ == fail_at_ || failing_;
}

void FragileDisk::apply(keys::Bytes& to, std::uint64_t offset, std::span<const std::uint8_t> bytes) {
  if (to.size() < offset + bytes.size()) to.resize(offset + bytes.size(), 0);
  std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(offset));
}

void FragileDisk::write(Inode& inode, std::uint64_t offset, std::span<const std::uint8_t> bytes) {
  apply(inode.seen, offset, bytes);
  inode.pending.push_back({offset, keys::Bytes(bytes.begin(), bytes.end())});
}

void FragileDisk::sync(Inode& inode) {
  if (lying_) return;
  inode.durable = inode.seen;
  inode.pending.clear();
}

// What was written and not synced: each sector of each write is there, not there, or torn at a byte; the file's length
// may have grown all the same.
void FragileDisk::settle(Inode& inode) {
  keys::Bytes found = inode.durable;
  std::vector<Write> pieces;
  for (const Write& write : inode.pending) {
    for (std::uint64_t at = 0; at < write.bytes.size();) {
      const std::uint64_t room = sector - (write.offset + at) % sector;
      const auto length = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(room, write.bytes.size() - at));
      const auto from = write.bytes.begin() + static_cast<std::ptrdiff_t>(at);
      pieces.push_back({write.offset + at, keys::Bytes(from, from + length)});
      at += static_cast<std::uint64_t>(length);
    }
  }
  std::shuffle(pieces.begin(), pieces.end(), random_);
  const bool all_or_nothing = any(2) == 0;
  const bool all = any(1) == 0;
  for (Write& piece : pieces) {
    const std::uint64_t fate = all_or_nothing ? (all ? 0 : 1) : any(3);
    if (fate == 1) continue;                                                  // lost
    if (fate == 2) piece.bytes.resize(any(piece.bytes.size()));               // torn, its head is there
    if (fate == 3 && any(3) == 0) piece.bytes.assign(piece.bytes.size(), 0);  // length without content
    apply(found, piece.offset, piece.bytes);
  }
  inode.seen = inode.durable = std::move(found);
  inode.pending.clear();
}

void FragileDisk::restart() {
  armed_ = false;
  fail_at_ = ~std::uint64_t{0};
  failing_ = false;
  for (auto& [name, earlier] : unsynced_names_) {
    const std::uint64_t which = any(earlier.size());
    if (which == earlier.size()) continue;  // as last seen
    if (earlier[which] == nullptr) {
      names_.erase(name);
    } else {
      names_[name] = earlier[which];
    }
  }
  unsynced_names_.clear();
  // One file may have two names, as a rename that is half there.
  std::vector<Inode*> done;
  for (auto& [name, inode] : names_) {
    if (std::find(done.begin(), done.end(), inode.get()) != done.end()) continue;
    done.push_back(inode.get());
    settle(*inode);
  }
}

keys::Bytes FragileDisk::content(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? keys::Bytes() : found->second->seen;
}

void FragileDisk::set_content(const std::string& name, keys::Bytes bytes) {
  auto& inode = names_[name];
  if (inode == nullptr) {
    inode = std::make_shared<Inode>();
    inode->number = next_inode_++;
  }
  inode->seen = inode->durable = std::move(bytes);
  inode->pending.clear();
}

void FragileDisk::erase(const std::string& name) {
  names_.erase(name);
}

void FragileDisk::replace_by_copy(const std::string& name) {
  keys::Bytes bytes = content(name);
  erase(name);
  set_content(name, std::move(bytes));
}

}  // namespace linecrypt::test
