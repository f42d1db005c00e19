#include "host/gateway/pipeline/pipeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "host/gateway/pipeline/l2_header.hpp"
#include "host/gateway/pipeline/worker.hpp"
#include "linecrypt/mtu.hpp"
#include "linecrypt/wire/sectag.hpp"

namespace linecrypt::gateway {

WorkerPort::WorkerPort(PortIndex own_index, const PortSettings& from)
    : index(own_index), settings(from), l2_length(gateway::l2_length(from.vlan.size())) {
  if (from.vlan.size() > wire::macsec_clear_tags_largest)
    throw std::invalid_argument(fmt::format("port {}: {} VLAN tags, allowed: at most {}", from.name, from.vlan.size(),
                                            wire::macsec_clear_tags_largest));
  longest_frame = l2_length + from.mtu;
  if (from.secy != nullptr)
    longest_frame += mtu::macsec_overhead(mtu::macsec_layout(from.secy->settings().sci_encoding));
  longest_frame = std::max(longest_frame, wire::ethernet_smallest);
}

Worker::Worker(const PipelineSetup& setup)
    : engine_(*setup.engine),
      queue_(setup.queue),
      spi_table_(*setup.spi_table),
      spd_(*setup.spd),
      tunnels_(setup.tunnels),
      io_(*setup.io),
      clock_(setup.clock),
      engine_burst_(std::clamp(setup.engine->capabilities().max_burst, 1U, burst_largest)),
      udp_ports_{wire::port_ike_nat},
      learnt_at_ns_(setup.tunnels.size()),
      empty_fib_(Fib::build({})),
      published_(empty_fib_.get()),
      fib_(empty_fib_.get()) {
  for (const PortSettings& settings : setup.ports) {
    const auto index = static_cast<PortIndex>(ports_.size());
    ports_.push_back(std::make_unique<WorkerPort>(index, settings));
    if (first_clear_ == no_port && ports_.back()->clear()) first_clear_ = index;
  }
  for (const auto& tunnel : tunnels_) {
    if (!tunnel->udp) continue;
    if (std::find(udp_ports_.begin(), udp_ports_.end(), tunnel->udp_source_port) == udp_ports_.end())
      udp_ports_.push_back(tunnel->udp_source_port);
  }
  now_ns_ = clock_.now_ns(clock_.self);
  last_scan_ns_ = now_ns_;
  for (const auto& port : ports_) port->icmp_tokens.refill(now_ns_);
}

struct Pipeline::Impl {
  Worker worker;
};

Pipeline::Pipeline(const PipelineSetup& setup) : impl_(new Impl{Worker(setup)}) {}
Pipeline::~Pipeline() = default;

void Pipeline::publish(const Fib* fib) noexcept {
  impl_->worker.publish(fib);
}
std::vector<Pipeline::Unresolved> Pipeline::take_unresolved() {
  return impl_->worker.take_unresolved();
}
const PortCounters& Pipeline::counters(PortIndex port) const noexcept {
  return impl_->worker.counters(port);
}
void Pipeline::process(PortIndex port, Origin origin, std::span<Frame* const> frames) noexcept {
  impl_->worker.process(port, origin, frames);
}
std::uint32_t Pipeline::poll() noexcept {
  return impl_->worker.poll();
}
void Pipeline::tick() noexcept {
  impl_->worker.tick();
}
std::uint32_t Pipeline::in_flight() const noexcept {
  return impl_->worker.in_flight();
}

}  // namespace linecrypt::gateway
