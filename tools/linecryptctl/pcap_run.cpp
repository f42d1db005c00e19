#include "tools/linecryptctl/pcap_run.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstring>
#include <memory>

#include "host/control/sa_control.hpp"
#include "host/gateway/pipeline/compose.hpp"
#include "host/gateway/pipeline/pipeline.hpp"
#include "host/keys/registry.hpp"
#include "host/software/engine.hpp"

namespace linecrypt::ctl {

namespace {

inline constexpr std::uint32_t burst_size = 32;
inline constexpr std::uint32_t buffer_count = 4 * burst_size;
inline constexpr std::uint32_t headroom = 256;
inline constexpr std::uint32_t room = 262144;  // libpcap's largest record
inline constexpr std::uint32_t tailroom = 512;
// The software engine finishes in submit; a frame that many polls do not bring back never comes.
inline constexpr std::uint32_t polls_most = 1000000;

std::uint64_t now_ns(void*) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

void no_workers(void*) {}

struct Buffer {
  gateway::Frame frame;
  RecordTime time;
  std::unique_ptr<std::uint8_t[]> memory;
};

// The pipeline's surroundings: a pool of buffers and the file that is written.
class FileIo : public gateway::FrameIo {
 public:
  FileIo(const PcapRun& run, CaptureWriter& writer, PcapCounts& counts)
      : run_(run), writer_(writer), counts_(counts), buffers_(buffer_count) {
    for (Buffer& buffer : buffers_) {
      buffer.memory = std::make_unique<std::uint8_t[]>(headroom + room + tailroom);
      free_.push_back(&buffer);
    }
  }

  std::uint32_t transmit(gateway::PortIndex port, std::span<gateway::Frame* const> frames) override {
    const config::Port& to = run_.config.ports[port];
    const bool wanted = to.side != run_.config.ports[run_.port].side;
    for (gateway::Frame* frame : frames) {
      if (wanted) {
        writer_.write(buffer_of(frame)->time, {frame->packet.data, frame->packet.length});
        ++counts_.written;
      } else {
        ++counts_.other_ports[to.name];
      }
    }
    release(frames);
    return static_cast<std::uint32_t>(frames.size());
  }

  std::uint32_t punt(gateway::PortIndex, std::span<gateway::Frame* const> frames) override {
    counts_.punted += frames.size();
    release(frames);
    return static_cast<std::uint32_t>(frames.size());
  }

  void release(std::span<gateway::Frame* const> frames) override {
    for (gateway::Frame* frame : frames) free_.push_back(buffer_of(frame));
  }

  gateway::Frame* allocate() override {
    if (free_.empty()) return nullptr;
    Buffer* buffer = free_.back();
    free_.pop_back();
    buffer->frame = {};
    buffer->frame.buffer = buffer;
    buffer->frame.packet.data = buffer->memory.get() + headroom;
    buffer->frame.packet.headroom = headroom;
    buffer->frame.packet.tailroom = room + tailroom;
    buffer->time = time_;
    return &buffer->frame;
  }

  // A frame that holds the record; null when the pipeline kept every buffer.
  gateway::Frame* load(const Record& record) {
    time_ = record.time;
    gateway::Frame* frame = allocate();
    if (frame == nullptr) return nullptr;
    frame->packet.set_length(static_cast<std::uint32_t>(record.bytes.size()));
    std::memcpy(frame->packet.data, record.bytes.data(), record.bytes.size());
    return frame;
  }

 private:
  static Buffer* buffer_of(gateway::Frame* frame) { return static_cast<Buffer*>(frame->buffer); }

  const PcapRun& run_;
  CaptureWriter& writer_;
  PcapCounts& counts_;
  std::vector<Buffer> buffers_;
  std::vector<Buffer*> free_;
  RecordTime time_;  // of the last record read: the time of what the gateway makes itself
};

software::ProviderChoice provider_of(config::AeadChoice choice) {
  switch (choice) {
    case config::AeadChoice::vaes:
      return software::ProviderChoice::vaes;
    case config::AeadChoice::ipsec_mb:
      return software::ProviderChoice::ipsec_mb;
    case config::AeadChoice::openssl:
      return software::ProviderChoice::openssl;
    case config::AeadChoice::automatic:
      break;
  }
  return software::ProviderChoice::automatic;
}

// Reads a burst of records; false at the end of the file.
Result<bool> read_burst(CaptureReader& reader, FileIo& io, PcapCounts& counts, std::vector<gateway::Frame*>& frames) {
  frames.clear();
  Record record;
  while (frames.size() < burst_size) {
    Result<bool> more = reader.next(record);
    if (!more || !*more) return more;
    ++counts.read;
    if (record.bytes.size() < record.wire_length) {
      ++counts.truncated;
      continue;
    }
    gateway::Frame* frame = io.load(record);
    if (frame == nullptr) return Error{"out of packet buffers"};
    frames.push_back(frame);
  }
  return true;
}

}  // namespace

// 1. The engine and the registry, as in the daemon. 2. SAs, policies and tables of the way asked. 3. Bursts through the
// pipeline, leases renewed between them. 4. SAs removed, so that the registry knows where they stopped.
PcapError run_pcap(const PcapRun& run, CaptureReader& reader, CaptureWriter& writer, PcapCounts& counts) {
  const config::Config& config = run.config;
  auto engine = software::make_software_engine({provider_of(config.gateway.aead)});
  if (!engine) return {false, engine.error().message};
  auto registry = keys::KeyRegistry::open(config.gateway.state_directory);
  if (!registry) return {true, registry.error().message};
  control::SaControlOptions options;
  options.engine = engine->get();
  options.registry = registry->get();
  options.max_sas = config::places_for_sas(config);
  options.reclamation = {nullptr, no_workers};
  options.clock = {nullptr, now_ns};
  auto control = control::SaControl::open(options);
  if (!control) return {true, control.error().message};

  const Result<std::vector<MacAddress>> macs = gateway::offline_macs(config);
  if (!macs) return {false, macs.error().message};
  for (std::size_t i = 0; i < config.ports.size(); ++i) {
    if ((*macs)[i] == MacAddress{})
      return {false, fmt::format("port '{}': its MAC address is not known without its device; give it a 'mac'",
                                 config.ports[i].name)};
  }
  const bool protect = run.way == PcapWay::protect;
  auto composition = gateway::compose(config, **control, *macs, {protect, !protect});
  if (!composition) return {true, composition.error().message};

  PcapError error;
  {
    FileIo io(run, writer, counts);
    gateway::PipelineSetup setup;
    setup.engine = engine->get();
    setup.spi_table = &(*control)->spi_table();
    setup.spd = composition->spd.get();
    setup.tunnels = composition->tunnels;
    setup.ports = composition->ports;
    setup.io = &io;
    setup.clock = options.clock;
    const std::unique_ptr<const gateway::Fib> fib = gateway::Fib::build(gateway::static_fib(config));
    gateway::Pipeline pipeline(setup);
    pipeline.publish(fib.get());

    std::vector<gateway::Frame*> frames;
    bool more = true;
    while (more && error.message.empty()) {
      const Result<bool> read = read_burst(reader, io, counts, frames);
      if (!read) error.message = read.error().message;
      more = read.ok() && *read;
      if (!frames.empty()) pipeline.process(run.port, gateway::Origin::wire, frames);
      std::uint32_t polls = 0;
      while (pipeline.in_flight() != 0 && ++polls < polls_most) static_cast<void>(pipeline.poll());
      if (pipeline.in_flight() != 0) error.message = "the engine did not give back every frame";
      pipeline.tick();
      (*control)->service();
    }
    for (std::size_t v = 0; v < verdict_count; ++v) {
      const auto verdict = static_cast<Verdict>(v);
      const std::uint64_t n = pipeline.counters(run.port).verdicts.get(verdict);
      if (n != 0) counts.verdicts.push_back({verdict, n});
    }
  }
  gateway::decompose(*composition, **control);
  return error;
}

}  // namespace linecrypt::ctl
