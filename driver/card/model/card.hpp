// One emulated card: what is in the slot. It outlives every opening (sessions) and ends with the process, so memory,
// bitstream and tables that one session leaves behind meet the next one, as on a card.
//
// One lock guards it all. Requests are short: the clock thread clocks the image in small pieces and lets a waiting
// request in between two of them; transfers let it go after each piece. Functions that answer XRT return 0 or -errno,
// with a log line for each refusal.
#pragma once

#include <fmt/core.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "driver/card/model/configuration.hpp"
#include "driver/card/model/control.h"
#include "driver/card/model/design.hpp"
#include "driver/card/model/faults.hpp"
#include "driver/card/model/image.hpp"
#include "driver/card/model/memory.hpp"
#include "driver/card/model/ports.hpp"
#include "driver/card/model/session.hpp"

struct ert_packet;

namespace linecrypt::card_model {

enum class Way : std::uint8_t { to_card, from_card };

class Card {
 public:
  Card(unsigned index, CardConfiguration configuration, std::uint64_t seed);
  Card(const Card&) = delete;
  Card& operator=(const Card&) = delete;
  ~Card();  // tests only; the process's cards are never destroyed

  [[nodiscard]] const CardConfiguration& configuration() const { return configuration_; }

  // --- card.cpp: sessions, loading, compute units' registers ---
  Session* open();  // null: the card is lost
  void close(Session& session);
  // Validates all of `top` and makes its card before the one that runs is touched.
  int load(const axlf* top);
  int hold_unit(Session& session, const std::uint8_t* uuid, std::uint32_t unit, bool exclusive);
  int let_go_unit(Session& session, std::uint32_t unit);
  int read_register(Session& session, std::uint32_t unit, std::uint32_t offset, std::uint32_t* value);
  int write_register(Session& session, std::uint32_t unit, std::uint32_t offset, std::uint32_t value);
  // Unit and offset of a bus address.
  int find_register(std::uint64_t address, std::uint32_t& unit, std::uint32_t& offset);
  int reset_by_host();

  // --- transfers.cpp: buffers and DMA ---
  int make_buffer(Session& session, void* host, std::uint64_t size, std::uint32_t flags, std::uint32_t& handle);
  void free_buffer(Session& session, std::uint32_t handle);
  std::shared_ptr<Buffer> buffer(Session& session, std::uint32_t handle);
  int sync(Session& session, std::uint32_t handle, Way way, std::uint64_t size, std::uint64_t offset);
  int copy(Session& session, std::uint32_t to, std::uint32_t from, std::uint64_t size, std::uint64_t to_offset,
           std::uint64_t from_offset);
  // Unmanaged: any bytes of the banks that were ever handed out.
  int move(std::uint64_t address, void* host, std::uint64_t size, Way way);

  // --- plain_units.cpp: kernels without an image ---
  int execute(Session& session, std::uint32_t handle);
  int wait(Session& session, int milliseconds);  // 1: a command ended; 0: time out

  // --- clock.cpp: virtual time and faults ---
  void plan(const Fault& fault);
  void forget_faults();
  std::uint64_t now();
  void hold();
  void release();
  std::uint64_t step(std::uint64_t cycles);
  void plug(std::uint32_t port, bool in);
  linecrypt_model_state state();
  std::string last_refusal();
  std::uint64_t find(std::span<const unsigned char> bytes);
  int read_chips(std::uint64_t address, void* to, std::uint64_t length);

  // Ends all threads, for good.
  void stop();

 private:
  enum class Link : std::uint8_t { well, hung, lost, killed };
  using Guard = std::unique_lock<std::mutex>;

  // A compute unit of a plain kernel: its register file and the thread that runs it.
  struct PlainUnit {
    Unit unit;
    PlainKernel function = nullptr;
    std::vector<unsigned char> registers;
    std::condition_variable wake;
    bool busy = false;
    bool done = false;
    bool quit = false;
    std::uint64_t life = 0;  // changes with each reset: what ran before is void
    std::shared_ptr<Buffer> packet;
    Session* session = nullptr;
  };
  struct Command {
    std::shared_ptr<Buffer> packet;
    Session* session = nullptr;
  };

  // Takes the lock before the clock thread takes it again.
  Guard enter();
  template <typename... Args>
  int refuse(int reason, fmt::format_string<Args...> format, Args&&... args) {
    return refuse_in_words(reason, fmt::format(format, std::forward<Args>(args)...));
  }
  int refuse_in_words(int reason, const std::string& why);

  // All of these: with the lock held.
  [[nodiscard]] bool gone() const { return link_ == Link::lost || link_ == Link::killed; }
  void drop_fabric();
  void restart_fabric();
  void stop_units();
  void tick();
  std::uint64_t time() const;
  void strike();
  void apply(const Fault& fault);
  std::uint64_t advance(std::uint64_t most, bool& idle);
  [[nodiscard]] bool ports_open() const;
  bool feed_ports(bool idle);
  void clock();
  void sleep(Guard& guard, int milliseconds);
  void wake();
  void start_clock();
  [[nodiscard]] bool can_clock() const { return card_ != nullptr && link_ == Link::well; }
  int move_pieces(Guard& guard, std::uint64_t address, unsigned char* host, std::uint64_t size, Way way);
  void flip_bit(unsigned char* data, std::uint64_t size, std::uint64_t argument);

  void serve(const std::shared_ptr<PlainUnit>& unit, const std::shared_ptr<Image>& image);
  bool start(const Command& command);
  void start_pending();
  void finish(Session* session, const std::shared_ptr<Buffer>& packet, std::uint32_t state);
  void abort_commands();
  int abort_command(std::uint32_t handle, Session& session);
  std::uint32_t read_plain(PlainUnit& unit, std::uint32_t offset);
  void write_plain(PlainUnit& unit, std::uint32_t offset, std::uint32_t value);

  const unsigned index_;
  const CardConfiguration configuration_;
  const std::uint64_t seed_;

  std::mutex mutex_;
  std::atomic<unsigned> waiting_{0};  // requests that want the lock

  std::list<Session> sessions_;  // those closed are used again: XRT remembers what it knows of a card by its handle
  CardMemory memory_;
  Ports ports_;

  // What is loaded.
  bool loaded_ = false;
  Design design_;
  std::shared_ptr<Image> image_;
  linecrypt_card_host host_{};
  const CardImage* interface_ = nullptr;
  void* card_ = nullptr;                     // the clocked card, where the image is one
  std::vector<std::uint32_t> image_kernel_;  // of each unit, its place in the image
  std::vector<std::shared_ptr<PlainUnit>> plain_;
  std::list<Command> pending_;
  std::condition_variable ended_;  // a command has

  // Time and faults.
  std::uint64_t base_ = 0;  // cycles before the clocked card was made; all of them without one
  FaultPlan faults_;
  std::mt19937_64 random_;
  Link link_ = Link::well;
  bool lost_reads_ones_ = false;
  std::uint64_t slow_ = 0;
  std::optional<std::uint64_t> flip_;
  std::optional<std::uint64_t> partial_;
  std::uint64_t fail_ = 0;

  // Threads.
  std::thread clock_thread_;
  int wake_event_ = -1;
  bool asleep_ = false;
  bool held_ = false;
  bool quit_ = false;
  unsigned unit_threads_ = 0;
  std::condition_variable threads_ended_;

  linecrypt_model_state counters_{};
  std::string last_refusal_;
};

}  // namespace linecrypt::card_model
