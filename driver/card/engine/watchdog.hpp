// Watchdog: sees a transfer thread that hangs in a call to the card, declares the card lost and has the jobs given back
// without that thread.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "driver/card/engine/sa_table.hpp"

namespace linecrypt::card {

class Watchdog {
 public:
  Watchdog(const Lanes& lanes, std::shared_ptr<Loss> loss, Patience patience);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void run();

  Lanes lanes_;
  std::shared_ptr<Loss> loss_;
  Patience patience_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::thread thread_;
};

}  // namespace linecrypt::card
