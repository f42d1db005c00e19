// FragileDisk: a disk in memory that loses power at any operation. What was not synced is lost, kept, or torn, sector
// by sector and name by name, in any combination; what was synced stays.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "host/keys/state_files.hpp"

namespace linecrypt::test {

struct PowerLost {};  // thrown by the operation during which power went

class FragileDisk {
 public:
  explicit FragileDisk(std::uint64_t seed) : random_(seed) {}

  // A view for one process; views of the same disk see the same files until power goes.
  [[nodiscard]] std::unique_ptr<keys::StateFiles> open();

  // Power goes during the operation after `operations` more.
  void lose_power_after(std::uint64_t operations) {
    armed_ = true;
    operations_left_ = operations;
  }
  // The disk as it is found when power is back.
  void restart();

  // Planted faults: syncs that claim success and do nothing.
  void lie_about_syncs(bool lie) { lying_ = lie; }
  // One operation fails, after so many more that do not; what it was to do may be done or not.
  void fail_operation_after(std::uint64_t operations) { fail_at_ = operations_ + operations; }
  // Every operation fails, as on a full or broken disk.
  void fail_always(bool fail) { failing_ = fail; }
  [[nodiscard]] std::uint64_t operations() const { return operations_; }

  // For tests that put a disk back to an earlier state.
  [[nodiscard]] keys::Bytes content(const std::string& name) const;
  void set_content(const std::string& name, keys::Bytes bytes);
  void erase(const std::string& name);
  // As a restored backup has it: same bytes, another file.
  void replace_by_copy(const std::string& name);
  [[nodiscard]] bool exists(const std::string& name) const { return names_.count(name) != 0; }

 private:
  friend class FragileFiles;
  struct Write {
    std::uint64_t offset = 0;
    keys::Bytes bytes;
  };
  struct Inode {
    std::uint64_t number = 0;
    keys::Bytes seen;     // what a reader sees
    keys::Bytes durable;  // what a sync has covered
    std::vector<Write> pending;
  };
  using InodePointer = std::shared_ptr<Inode>;

  bool step();  // true: this operation fails
  void write(Inode& inode, std::uint64_t offset, std::span<const std::uint8_t> bytes);
  void sync(Inode& inode);
  static void apply(keys::Bytes& to, std::uint64_t offset, std::span<const std::uint8_t> bytes);
  std::uint64_t any(std::uint64_t largest) { return std::uniform_int_distribution<std::uint64_t>(0, largest)(random_); }
  void settle(Inode& inode);

  std::mt19937_64 random_;
  std::map<std::string, InodePointer> names_;
  std::map<std::string, std::vector<InodePointer>>
      unsynced_names_;  // what each name was since the last sync; null: none
  std::uint64_t next_inode_ = 1;
  bool armed_ = false;
  bool lying_ = false;
  std::uint64_t operations_left_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t fail_at_ = ~std::uint64_t{0};
  bool failing_ = false;
};

}  // namespace linecrypt::test
