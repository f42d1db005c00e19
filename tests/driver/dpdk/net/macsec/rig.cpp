#include "tests/driver/dpdk/net/macsec/rig.hpp"

#include <rte_eal.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "driver/dpdk/common/devargs.hpp"
#include "driver/dpdk/net/macsec_job.hpp"
#include "tests/support/waiting.hpp"

namespace linecrypt::test {
namespace {

using namespace linecrypt::dpdk;

struct Eal {
  char* text = nullptr;
  std::size_t size = 0;
  FILE* stream = nullptr;

  Eal() {
    std::vector<std::string> words = {"test",
                                      "-l",
                                      "0",
                                      "--no-huge",
                                      "-m",
                                      "256",
                                      "--no-pci",
                                      "--no-telemetry",
                                      "--file-prefix",
                                      "linecrypt-macsec-"};
    words.back() += std::to_string(::getpid());
    std::vector<char*> arguments;
    cpu_set_t cpus;
    ::sched_getaffinity(0, sizeof cpus, &cpus);
    for (std::string& word : words) arguments.push_back(word.data());
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0)
      throw std::runtime_error("the EAL does not start");
    // The EAL ties this thread, and with it those that it starts, to one CPU.
    ::sched_setaffinity(0, sizeof cpus, &cpus);
    stream = ::open_memstream(&text, &size);
    rte_openlog_stream(stream);
  }
  ~Eal() {
    rte_openlog_stream(nullptr);
    rte_eal_cleanup();
    std::fclose(stream);
    std::free(text);
  }
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;
};

Eal& eal() {
  static Eal the_eal;
  return the_eal;
}

// Workers call what follows, and Catch2's assertions are for one thread.
void must(bool good, const char* what) {
  if (!good) throw std::runtime_error(what);
}

// A pool for each thread: how DPDK hands memory from one to another, ThreadSanitizer does not see.
rte_mempool* pool() {
  struct Pool {
    rte_mempool* mbufs = nullptr;
    Pool() {
      static std::atomic<int> made{0};
      eal();
      const std::string name = "frames" + std::to_string(made++);
      mbufs = rte_pktmbuf_pool_create(name.c_str(), 511, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
      must(mbufs != nullptr, "no mbufs");
    }
    ~Pool() { rte_mempool_free(mbufs); }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
  };
  thread_local Pool mine;
  return mine.mbufs;
}

rte_mbuf* mbuf_of(const Bytes& bytes, const Layout& layout) {
  rte_mbuf* first = nullptr;
  rte_mbuf* last = nullptr;
  std::size_t at = 0;
  for (std::size_t i = 0; i <= layout.segments.size(); ++i) {
    const std::size_t left = bytes.size() - at;
    const std::size_t size = i < layout.segments.size() ? std::min<std::size_t>(layout.segments[i], left) : left;
    rte_mbuf* const segment = rte_pktmbuf_alloc(pool());
    must(segment != nullptr, "no mbuf");
    std::memset(segment->buf_addr, 0, segment->buf_len);
    segment->data_off = layout.tight ? static_cast<std::uint16_t>(segment->buf_len - size) : layout.headroom;
    must(size <= static_cast<std::size_t>(segment->buf_len - segment->data_off), "the segment is too long");
    std::memcpy(rte_pktmbuf_mtod(segment, void*), bytes.data() + at, size);
    segment->data_len = static_cast<std::uint16_t>(size);
    segment->pkt_len = static_cast<std::uint32_t>(size);
    at += size;
    if (first == nullptr) {
      first = segment;
    } else {
      last->next = segment;
      ++first->nb_segs;
      first->pkt_len += segment->data_len;
    }
    last = segment;
  }
  return first;
}

Came came_from(rte_mbuf* mbuf) {
  Came came;
  came.flags = mbuf->ol_flags;
  for (const rte_mbuf* one = mbuf; one != nullptr; one = one->next) {
    const auto* const data = rte_pktmbuf_mtod(one, const std::uint8_t*);
    came.bytes.insert(came.bytes.end(), data, data + one->data_len);
    const auto* const memory = static_cast<const std::uint8_t*>(one->buf_addr);
    came.memory.insert(came.memory.end(), memory, memory + one->buf_len);
  }
  must(came.bytes.size() == mbuf->pkt_len, "pkt_len is not the sum of the segments");
  return came;
}

const char* asked_devargs() {
  return std::getenv("LINECRYPT_DPDK_DEVARGS");
}

DriverOptions options_of(const std::string& devargs, std::uint32_t queues, Port::Engine engine = Port::Engine::asked) {
  const char* const asked = engine == Port::Engine::asked ? asked_devargs() : nullptr;
  DriverOptions options;
  const DevargTable table{common_devargs(), &options};
  const std::string text =
      std::string(asked == nullptr ? "engine=software" : asked) + (devargs.empty() ? "" : "," + devargs);
  const auto good = parse_devargs(text, {&table, 1});
  INFO((good.ok() ? std::string() : good.error().message));
  REQUIRE(good.ok());
  options.queues = queues;
  return options;
}

}  // namespace

struct Session {
  MacsecHandle handle{};
};

std::string said() {
  Eal& log = eal();
  std::fflush(log.stream);
  std::string text(log.text, log.size);
  std::fseek(log.stream, 0, SEEK_SET);
  return text;
}

bool ports_are_slow() {
  return asked_devargs() != nullptr && std::string(asked_devargs()).find("xclbin=") != std::string::npos;
}

// ---- Port: the queues of an ethdev, in short ----

struct Port::Impl {
  std::unique_ptr<DeviceContext> device;
  std::unique_ptr<MacsecSessions> sessions;
  std::vector<std::unique_ptr<Session>> made;

  // No event comes any more once the device is gone.
  ~Impl() { device.reset(); }
  std::vector<std::unique_ptr<BounceRing>> bounces;
  std::mutex mutex;
  std::vector<rte_eth_event_macsec_desc> told;

  // A frame that waits for its engine. Bounce buffers come back in order, so frames leave in order.
  struct Record {
    MacsecJob macsec;  // first: poll() finds it by its job
    bool done = false;
    bool delivered = false;
  };

  // Those at the front that are for the same engine queue: an SC that came meanwhile may have another.
  std::uint32_t submit(std::vector<Record*>& batch) {
    EngineQueue& queue = device->queue(batch.front()->macsec.queue);
    std::vector<Job*> jobs;
    for (Record* one : batch) {
      if (one->macsec.queue != batch.front()->macsec.queue) break;
      jobs.push_back(&one->macsec.job);
    }
    std::vector<MacsecRenewal> renewals;
    queue.lock.lock();
    const std::uint32_t taken = device->engine().submit(queue.id, jobs);
    for (std::uint32_t i = 0; i < taken; ++i) {
      if (MacsecRenewal renewal; macsec_lease_due(batch[i]->macsec, renewal)) renewals.push_back(renewal);
      if (batch[i]->macsec.job.verdict != Verdict::pending) finish(*batch[i]);
    }
    queue.lock.unlock();
    for (const MacsecRenewal& one : renewals) renew_macsec(one, *device);
    return taken;
  }

  static void finish(Record& record) {
    const MacsecEnd end = finish_macsec(record.macsec);
    record.delivered = end == MacsecEnd::good || record.macsec.flagged;
    record.done = true;
  }

  bool poll(std::uint32_t index) {
    std::array<Job*, 32> jobs;
    EngineQueue& queue = device->queue(index);
    queue.lock.lock();
    const std::uint32_t count = device->engine().poll(queue.id, jobs);
    for (std::uint32_t i = 0; i < count; ++i) finish(*reinterpret_cast<Record*>(jobs[i]));
    queue.lock.unlock();
    device->help();
    return count != 0;
  }

  // 1. Begun, as many as there are bounce buffers for. 2. Into their engine queue; what it does not take is undone and
  // begun again. 3. Out in order.
  std::vector<Came> run(const std::vector<Bytes>& frames, const Layout& layout, std::uint32_t mine, bool egress) {
    constexpr std::size_t burst = 32;
    std::vector<Came> out;
    std::vector<rte_mbuf*> mbufs;
    for (const Bytes& frame : frames) {
      mbufs.push_back(mbuf_of(frame, layout));
      if (egress) mbufs.back()->ol_flags |= RTE_MBUF_F_TX_MACSEC;
    }
    std::size_t next = 0;
    Waiting waiting;
    while (next < mbufs.size()) {
      std::vector<std::unique_ptr<Record>> records;
      std::vector<Record*> batch;
      bool full = false;
      const auto flush = [&] {
        while (!batch.empty()) {
          const std::uint32_t taken = submit(batch);
          // Backwards, so that their numbers are those of the next ones.
          for (std::size_t i = batch.size(); i-- > taken;) undo_macsec(batch[i]->macsec);
          batch.erase(batch.begin(), batch.begin() + taken);
          if (batch.empty()) return;
          const std::uint32_t queue = batch.front()->macsec.queue;
          for (Record* one : batch) {
            // Begun again, as the application would send it again: in the same bounce buffer or none.
            if (one->macsec.bounce != nullptr) bounces[mine]->untake();
          }
          const bool came = poll(queue);
          std::vector<Record*> again;
          for (Record* one : batch) {
            rte_mbuf* const mbuf = one->macsec.mbuf;
            const MacsecBegin begun = begin(one->macsec, mbuf, mine, egress);
            // Rules may have changed meanwhile.
            must(begun != MacsecBegin::no_bounce, "the buffers that were given back are gone");
            if (begun == MacsecBegin::ready) {
              again.push_back(one);
            } else {
              one->done = true;
              one->delivered = begun == MacsecBegin::pass;
            }
          }
          batch = std::move(again);
          must(waiting.turn(came || taken != 0), "the engine takes no more jobs");
        }
      };
      while (next < mbufs.size() && records.size() < burst && !full) {
        auto record = std::make_unique<Record>();
        rte_mbuf* const mbuf = mbufs[next];
        switch (begin(record->macsec, mbuf, mine, egress)) {
          case MacsecBegin::ready:
            batch.push_back(record.get());
            break;
          case MacsecBegin::pass:
            record->done = record->delivered = true;
            break;
          case MacsecBegin::drop:
            record->done = true;
            break;
          case MacsecBegin::no_bounce:
            full = true;
            continue;
        }
        records.push_back(std::move(record));
        ++next;
      }
      flush();
      for (const auto& record : records) {
        while (!record->done) must(waiting.turn(poll(record->macsec.queue)), "the engine finishes no more jobs");
        if (record->macsec.bounce != nullptr) bounces[mine]->give_back();
        if (record->delivered) {
          must((record->macsec.mbuf->ol_flags & RTE_MBUF_F_TX_MACSEC) == 0, "a frame is still flagged");
          out.push_back(came_from(record->macsec.mbuf));
        }
        rte_pktmbuf_free(record->macsec.mbuf);
      }
    }
    return out;
  }

  MacsecBegin begin(MacsecJob& macsec, rte_mbuf* mbuf, std::uint32_t mine, bool egress) {
    const MacsecBegin begun = egress ? begin_macsec_tx(macsec, *sessions, mbuf, mine, *bounces[mine])
                                     : begin_macsec_rx(macsec, *sessions, mbuf, mine, *bounces[mine]);
    // What is sent in clear by the session's will is no longer ours.
    if (egress && begun == MacsecBegin::pass) mbuf->ol_flags &= ~RTE_MBUF_F_TX_MACSEC;
    return begun;
  }
};

void Port::make(const std::string& devargs, std::uint32_t queues, Engine engine) {
  static int ports = 0;
  auto device = DeviceContext::open("port" + std::to_string(ports++), options_of(devargs, queues, engine));
  INFO((device.ok() ? std::string() : device.error().message));
  REQUIRE(device.ok());
  impl_->device = std::move(device).value();
  auto sessions = MacsecSessions::make(*impl_->device);
  REQUIRE(sessions.ok());
  impl_->sessions = std::move(sessions).value();
  impl_->device->on_event([impl = impl_.get()](const Event& event) {
    rte_eth_event_macsec_desc desc{};
    if (!impl->sessions->event(event, desc)) return;
    const std::lock_guard lock(impl->mutex);
    impl->told.push_back(desc);
  });
  for (std::uint32_t i = 0; i < queues; ++i) {
    impl_->bounces.push_back(std::make_unique<BounceRing>());
    REQUIRE(impl_->bounces.back()->allocate(SOCKET_ID_ANY));
  }
}

// ---- what is kept, and what a test leaves behind ----

std::pair<std::string, std::unique_ptr<Port::Impl>>& Port::kept() {
  eal();  // it ends later
  static std::pair<std::string, std::unique_ptr<Impl>> the_one;
  return the_one;
}

Port::Port(const std::string& devargs, std::uint32_t queues, Engine engine)
    : words_(devargs + " " + std::to_string(queues)), is_kept_(engine == Engine::asked && ports_are_slow()) {
  auto& [words, impl] = kept();
  if (is_kept_ && impl != nullptr && words == words_) {
    impl_ = std::move(impl);
    (void)said();
    return;
  }
  // A card serves one.
  if (is_kept_) impl.reset();
  impl_ = std::make_unique<Impl>();
  make(devargs, queues, engine);
}

Port::~Port() {
  if (!is_kept_) return;
  clear();
  kept() = {words_, std::move(impl_)};
}

void Port::clear() {
  while (!left_.sessions.empty()) destroy(*left_.sessions.begin());
  while (!left_.scs.empty()) destroy_sc(*left_.scs.begin());
  while (!left_.sas.empty()) destroy_sa(*left_.sas.begin());
  (void)events(0);
}

std::vector<rte_security_capability> Port::capabilities() const {
  return MacsecSessions::capability_entries(impl_->device->capabilities(), impl_->device->max_sas());
}
int Port::create_sa(const rte_security_macsec_sa& conf) {
  const int id = impl_->sessions->create_sa(conf);
  if (id > 0) left_.sas.insert(id);
  return id;
}
int Port::destroy_sa(int id) {
  const int code = impl_->sessions->destroy_sa(static_cast<std::uint16_t>(id));
  if (code != -EBUSY) left_.sas.erase(id);
  return code;
}
int Port::create_sc(const rte_security_macsec_sc& conf) {
  const int id = impl_->sessions->create_sc(conf);
  if (id > 0) left_.scs.insert(id);
  return id;
}
int Port::destroy_sc(int id) {
  const int code = impl_->sessions->destroy_sc(static_cast<std::uint16_t>(id));
  if (code != -EBUSY) left_.scs.erase(id);
  return code;
}
int Port::sa_stats(int id, rte_security_macsec_sa_stats& out) {
  return impl_->sessions->sa_stats(static_cast<std::uint16_t>(id), out);
}
int Port::sc_stats(int id, rte_security_macsec_sc_stats& out) {
  return impl_->sessions->sc_stats(static_cast<std::uint16_t>(id), out);
}
int Port::create(const rte_security_session_conf& conf, Session*& session) {
  auto made = std::make_unique<Session>();
  const int code = impl_->sessions->create(conf, made->handle);
  session = made.get();
  if (code != 0) {
    session = nullptr;
    return code;
  }
  impl_->made.push_back(std::move(made));
  left_.sessions.insert(session);
  return code;
}
int Port::update(const rte_security_session_conf& conf, Session* session) {
  return impl_->sessions->update(conf, session->handle);
}
int Port::destroy(Session* session) {
  left_.sessions.erase(session);
  return impl_->sessions->destroy(session->handle);
}
int Port::stats(Session* session, rte_security_macsec_secy_stats& out) {
  return impl_->sessions->stats(session->handle, out);
}
Rule* Port::add_rule(const rte_flow_attr& attr, const rte_flow_item* pattern, Session* session, rte_flow_error* error) {
  const int checked = impl_->sessions->check_rule(attr, pattern, session->handle, error);
  auto* const rule = impl_->sessions->add_rule(attr, pattern, session->handle, error);
  CHECK((checked == 0) == (rule != nullptr));
  return reinterpret_cast<Rule*>(rule);
}
void Port::remove_rule(Rule* rule) {
  impl_->sessions->remove_rule(reinterpret_cast<MacsecSessions::Rule*>(rule));
}

std::vector<Came> Port::transmit(const std::vector<Bytes>& frames, const Layout& layout, std::uint32_t queue) {
  return impl_->run(frames, layout, queue, true);
}
std::vector<Came> Port::receive(const std::vector<Bytes>& frames, const Layout& layout, std::uint32_t queue) {
  return impl_->run(frames, layout, queue, false);
}

std::vector<rte_eth_event_macsec_desc> Port::events(std::size_t count) {
  using Clock = std::chrono::steady_clock;
  const auto give_up = Clock::now() + std::chrono::seconds(10);
  const auto late = std::chrono::milliseconds(50);
  std::vector<rte_eth_event_macsec_desc> all;
  const auto collect = [&] {
    std::array<rte_eth_event_macsec_desc, 2> some{};
    for (;;) {
      const std::uint32_t n = impl_->sessions->take_events(some);
      all.insert(all.end(), some.begin(), some.begin() + n);
      if (n < some.size()) break;
    }
    const std::lock_guard lock(impl_->mutex);
    all.insert(all.end(), impl_->told.begin(), impl_->told.end());
    impl_->told.clear();
  };
  for (collect(); all.size() < count && Clock::now() < give_up; collect())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(late);
  collect();
  return all;
}

}  // namespace linecrypt::test
