#include "driver/card/model/memory.hpp"

#include <fmt/core.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

namespace linecrypt::card_model {

CardMemory::~CardMemory() {
  unmap();
}

void CardMemory::unmap() {
  for (Store& store : stores_)
    if (store.data != nullptr) munmap(store.data, store.size);
  stores_.clear();
  last_end_ = last_begin_ = 0;
}

void CardMemory::arrange(const std::vector<Bank>& banks) {
  if (holds(banks)) return;
  unmap();
  banks_ = banks;
  std::vector<Bank> sorted = banks;
  std::sort(sorted.begin(), sorted.end(), [](const Bank& a, const Bank& b) { return a.base < b.base; });
  for (const Bank& bank : sorted) {
    if (stores_.empty() || bank.base - stores_.back().base >= stores_.back().size)
      stores_.push_back(Store{bank.base, bank.size, nullptr, 0});
    else
      stores_.back().size = std::max(stores_.back().size, bank.base + bank.size - stores_.back().base);
  }
}

Result<std::uint64_t> CardMemory::allocate(std::uint32_t index, std::uint64_t size) {
  // 1. The bank must be there, and the size be one that fits.
  if (index >= banks_.size())
    return Error{fmt::format("memory bank {} does not exist; the xclbin has {}", index, banks_.size())};
  const Bank& bank = banks_[index];
  if (size == 0 || size > bank.size)
    return Error{fmt::format("a buffer of {} bytes in bank {} ({} bytes)", size, bank.tag, bank.size)};
  const std::uint64_t bytes = (size + page_bytes - 1) / page_bytes * page_bytes;

  // 2. The first gap that is long enough, after a buffer that reaches into the bank from below.
  std::uint64_t address = bank.base;
  auto next = live_.lower_bound(address);
  if (next != live_.begin()) address = std::max(address, std::prev(next)->first + std::prev(next)->second);
  for (; next != live_.end() && next->first < bank.base + bank.size; ++next) {
    if (next->first - address >= bytes) break;
    address = next->first + next->second;
  }
  if (address - bank.base > bank.size || bytes > bank.size - (address - bank.base))
    return Error{fmt::format("bank {} is full: {} bytes were asked for", bank.tag, size)};

  // 3. Pages come from the system as they are touched. They are a card's memory, so a core file of the host has none of
  // it.
  Store& store = *std::find_if(stores_.begin(), stores_.end(),
                               [&](const Store& one) { return address >= one.base && address - one.base < one.size; });
  if (store.data == nullptr) {
    void* data = mmap(nullptr, store.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED)
      return Error{fmt::format("bank {}: {} bytes of address space: {}; bank_mib makes banks smaller", bank.tag,
                               store.size, std::strerror(errno))};
    madvise(data, store.size, MADV_DONTDUMP);
    store.data = static_cast<unsigned char*>(data);
  }
  store.used = std::max(store.used, address - store.base + bytes);
  live_[address] = bytes;
  return address;
}

void CardMemory::release(std::uint64_t address) {
  live_.erase(address);
  last_end_ = last_begin_ = 0;
}

CardMemory::Store* CardMemory::store_of(std::uint64_t address) {
  for (Store& store : stores_)
    if (store.data != nullptr && address >= store.base && address - store.base < store.used) return &store;
  return nullptr;
}

unsigned char* CardMemory::live(std::uint64_t address, std::uint64_t length) {
  if (address < last_begin_ || address >= last_end_) {
    auto next = live_.upper_bound(address);
    if (next == live_.begin()) return nullptr;
    const auto& [begin, bytes] = *std::prev(next);
    if (address - begin >= bytes) return nullptr;
    last_begin_ = begin;
    last_end_ = begin + bytes;
    last_data_ = chips(begin, bytes);
  }
  if (length > last_end_ - address) return nullptr;
  return last_data_ + (address - last_begin_);
}

unsigned char* CardMemory::chips(std::uint64_t address, std::uint64_t length) {
  Store* store = store_of(address);
  if (store == nullptr || length > store->used - (address - store->base)) return nullptr;
  return store->data + (address - store->base);
}

std::uint64_t CardMemory::find(std::span<const unsigned char> bytes) const {
  std::uint64_t found = 0;
  for (const Store& store : stores_) {
    if (store.data == nullptr || bytes.empty()) continue;
    const unsigned char* at = store.data;
    const unsigned char* end = store.data + store.used;
    while ((at = static_cast<const unsigned char*>(
                memmem(at, static_cast<std::size_t>(end - at), bytes.data(), bytes.size()))) != nullptr) {
      ++found;
      ++at;
    }
  }
  return found;
}

void CardMemory::forget() {
  for (Store& store : stores_)
    if (store.data != nullptr) madvise(store.data, store.size, MADV_DONTNEED);
}

void keep_stack_out_of_cores() {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  void* lowest = nullptr;
  std::size_t size = 0;
  // A stack that glibc made: whole pages. It hands them to a later thread as they are, which does no harm.
  if (pthread_attr_getstack(&attributes, &lowest, &size) == 0) madvise(lowest, size, MADV_DONTDUMP);
  pthread_attr_destroy(&attributes);
}

}  // namespace linecrypt::card_model
