#include "host/gateway/api/views.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "host/gateway/live.hpp"
#include "linecrypt/linecrypt.h"

namespace linecrypt::gateway::api {

using nlohmann::json;

namespace {

const char* text_of(OffloadMode mode) {
  constexpr const char* texts[] = {"software", "auto", "card"};
  return texts[static_cast<std::size_t>(mode)];
}
const char* text_of(config::Side side) {
  return side == config::Side::clear ? "clear" : "black";
}
const char* text_of(PolicyAction action) {
  constexpr const char* texts[] = {"protect", "bypass", "discard"};
  return texts[static_cast<std::size_t>(action)];
}
const char* text_of(Requirement requirement) {
  return requirement == Requirement::require ? "require" : "request";
}
std::string text_of(const PortRange& range) {
  if (range.any()) return "any";
  return range.first == range.last ? fmt::format("{}", range.first) : fmt::format("{}-{}", range.first, range.last);
}

std::string device_text(const config::Device& device) {
  struct Visitor {
    std::string operator()(const config::PciDevice& d) const { return "pci:" + d.address; }
    std::string operator()(const config::AfPacketDevice& d) const { return "af_packet:" + d.netdev; }
    std::string operator()(const config::TapDevice& d) const { return "tap:" + d.netdev; }
    std::string operator()(const config::PcapDevice& d) const {
      return fmt::format("pcap:rx={},tx={}", d.receive, d.transmit);
    }
    std::string operator()(const config::RingDevice& d) const { return "ring:" + d.name; }
  };
  return std::visit(Visitor{}, device);
}

json sa_counters(const SaCounters& counters) {
  return {{"packets", counters.packets.get()},     {"bytes", counters.bytes.get()},
          {"unchecked", counters.unchecked.get()}, {"delayed", counters.delayed.get()},
          {"invalid", counters.invalid.get()},     {"late", counters.late.get()},
          {"duplicate", counters.duplicate.get()}, {"bad_icv", counters.bad_icv.get()},
          {"mismatch", counters.mismatch.get()},   {"malformed", counters.malformed.get()},
          {"exhausted", counters.exhausted.get()}};
}

json policy_counters(const tables::PolicyEntry& entry) {
  return {{"outbound_packets", entry.outbound_packets.get()}, {"outbound_bytes", entry.outbound_bytes.get()},
          {"inbound_packets", entry.inbound_packets.get()},   {"inbound_bytes", entry.inbound_bytes.get()},
          {"request_clear", entry.request_clear.get()},       {"discarded", entry.discarded.get()}};
}

json port_counters(const PortCounters& counters) {
  return {{"received_frames", counters.received_frames.get()},
          {"received_bytes", counters.received_bytes.get()},
          {"companion_frames", counters.companion_frames.get()},
          {"companion_bytes", counters.companion_bytes.get()},
          {"transmitted_frames", counters.transmitted_frames.get()},
          {"transmitted_bytes", counters.transmitted_bytes.get()},
          {"punted_frames", counters.punted_frames.get()},
          {"made_frames", counters.made_frames.get()}};
}

json verdicts(const VerdictCounters& counters) {
  json result = json::object();
  for (std::size_t i = 0; i < verdict_count; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    if (verdict != Verdict::pending) result[std::string(name(verdict))] = counters.get(verdict);
  }
  return result;
}

json device_stats(Device& device) {
  const DeviceStats stats = device.stats();
  json result{{"received_frames", stats.received_frames},
              {"received_bytes", stats.received_bytes},
              {"transmitted_frames", stats.transmitted_frames},
              {"transmitted_bytes", stats.transmitted_bytes},
              {"imissed", stats.missed},
              {"ierrors", stats.receive_errors},
              {"oerrors", stats.transmit_errors},
              {"rx_nombuf", stats.no_buffer},
              {"ring_dropped", nullptr}};
  if (stats.ring_dropped_known) result["ring_dropped"] = stats.ring_dropped;
  return result;
}

// Why a person should look: rules of the kernel that no longer hold, and the engine's self-test.
json problems(const Runtime& runtime) {
  json result = json::array();
  if (!runtime.self_test.passed) result.push_back("self-test failed: " + runtime.self_test.error);
  if (const engines::FailoverEngine* const engine = runtime.engine_choice.failover) {
    const engines::FailoverStatus status = engine->status();
    if (status.use != engines::PrimaryUse::used)
      result.push_back(fmt::format("the {} is {}: {}", status.primary, name(status.use), status.reason));
  }
  for (const kernel::LiveRule& rule : check_live(runtime))
    if (rule.state == kernel::RuleState::violated)
      result.push_back(fmt::format("port {}, {}: {} violated: {}", rule.port, rule.netdev, rule.rule, rule.found));
  return result;
}

// Times that software had to do what was meant for a card: at the start without one, and at each loss.
std::uint64_t fallbacks(const Runtime& runtime) {
  const engines::FailoverEngine* const engine = runtime.engine_choice.failover;
  if (engine == nullptr) return runtime.engine_choice.fallback.empty() ? 0 : 1;
  return engine->status().failovers;
}

// null: no card in the engine.
json failover(const Runtime& runtime) {
  const engines::FailoverEngine* const engine = runtime.engine_choice.failover;
  if (engine == nullptr) return nullptr;
  constexpr std::uint64_t ms = 1'000'000;
  const engines::FailoverStatus status = engine->status();
  return {{"primary", status.primary},
          {"secondary", status.secondary},
          {"state", name(status.use)},
          {"reason", status.reason},
          {"sas",
           {{"primary", status.sas_primary},
            {"secondary", status.sas_secondary},
            {"moving", status.sas_moving},
            {"nowhere", status.sas_nowhere},
            {"pinned", status.sas_pinned}}},
          {"failovers", status.failovers},
          {"renewals", status.renewals},
          {"returns", status.returns},
          {"moves", status.moves},
          {"jobs_redone", status.jobs_redone},
          {"jobs_lost", status.jobs_lost},
          {"jobs_busy", status.jobs_busy},
          {"jobs_punted", status.jobs_punted},
          {"jobs_refused", status.jobs_refused},
          {"jobs_split", status.jobs_split},
          {"numbers_skipped", status.numbers_skipped},
          {"away_ms", status.away_ns / ms},
          {"last_failover_ms", status.last_failover_ns / ms},
          {"longest_failover_ms", status.longest_failover_ns / ms}};
}

json selector(const Selector& from) {
  json result{{"local", from.local.text()},
              {"remote", from.remote.text()},
              {"protocol", "any"},
              {"local_port", text_of(from.local_port)},
              {"remote_port", text_of(from.remote_port)}};
  if (from.protocol) result["protocol"] = *from.protocol;
  return result;
}

json exemptions() {
  return json::array(
      {{{"name", "eapol"}, {"condition", "EtherType 0x888e to a PAE group address or the port's own MAC, untagged"}},
       {{"name", "arp"}, {"condition", "ARP of the link itself, own MAC and own address when sent"}},
       {{"name", "neighbour-discovery"}, {"condition", "ICMPv6 133-137, hop limit 255, link scope"}},
       {{"name", "ike"},
        {"condition",
         "UDP 500, or 4500 with the non-ESP marker or as a one-byte keepalive; from or to the port's own address"}}});
}

std::uint64_t seconds_since(std::chrono::steady_clock::time_point start) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start).count());
}

}  // namespace

json view_status(const Runtime& runtime) {
  const Capabilities& capabilities = runtime.engine->capabilities();
  json requests = json::array();
  for (const auto& entry : runtime.composition.spd->entries()) {
    const Policy& policy = entry->policy;
    if (policy.action != PolicyAction::protect) continue;
    if (policy.outbound == Requirement::request || policy.inbound == Requirement::request)
      requests.push_back({{"name", policy.name}, {"sealed", entry->sealed.load(std::memory_order_relaxed)}});
  }
  const std::size_t static_esp = runtime.config.tunnels.size();
  json result{{"name", runtime.config.gateway.name},
              {"version", fmt::format("{}.{}.{}", LC_VERSION_MAJOR, LC_VERSION_MINOR, LC_VERSION_PATCH)},
              {"pid", ::getpid()},
              {"uptime_seconds", seconds_since(runtime.started)},
              {"offload",
               {{"mode", text_of(runtime.config.gateway.offload)},
                {"engine", capabilities.engine},
                {"provider", capabilities.provider},
                {"fallbacks", fallbacks(runtime)},
                {"fallback_reason", runtime.engine_choice.fallback},
                {"failover", failover(runtime)}}},
              {"self_test", {{"passed", runtime.self_test.passed}, {"error", runtime.self_test.error}}},
              {"static_keys", static_esp != 0},
              {"request_policies", requests},
              {"key_memory",
               {{"locked", runtime.protection.locked},
                {"openssl_protected", runtime.protection.openssl_memory},
                {"not_dumpable", runtime.protection.not_dumpable}}},
              {"ports", runtime.config.ports.size()},
              {"sas", runtime.control->list().size()},
              {"max_sas", runtime.engine_choice.max_sas},
              {"buffers", {{"total", runtime.buffers->capacity()}, {"free", runtime.buffers->available()}}},
              {"worker",
               {{"loops", runtime.worker->counters().loops.get()},
                {"work", runtime.worker->counters().work.get()},
                {"sleeps", runtime.worker->counters().sleeps.get()},
                {"waits", runtime.worker->counters().waits.get()},
                {"in_flight", runtime.pipeline->in_flight()}}},
              {"fib_updates", runtime.fib_updates},
              {"forwarding_repairs", runtime.forwarding_repairs},
              {"notes", runtime.notes},
              {"warnings", json::array()},
              {"problems", problems(runtime)}};
  if (static_esp != 0)
    result["warnings"].push_back(
        fmt::format("{} tunnels use static ESP keys (static_keys = \"accept-risk\"): RFC 4106 and RFC 8221 forbid them",
                    static_esp));
  if (!runtime.engine_choice.room.empty()) result["warnings"].push_back(runtime.engine_choice.room);
  if (!runtime.protection.locked)
    result["warnings"].push_back("memory could not be locked (RLIMIT_MEMLOCK): keys might reach swap");
  return result;
}

json view_sas(const Runtime& runtime) {
  json result = json::array();
  for (const control::SaListing& sa : runtime.control->list()) {
    json entry{{"id", {{"index", sa.id.index}, {"generation", sa.id.generation}}},
               {"label", sa.label},
               {"protocol", sa.protocol},
               {"direction", sa.direction},
               {"engine", sa.engine},
               {"algorithm", sa.algorithm},
               {"age_seconds", sa.age_seconds},
               {"expired", sa.state.expired},
               {"replay_window", sa.replay_window},
               {"static_key", sa.static_key}};
    if (sa.protocol == "esp")
      entry["spi"] = sa.spi;
    else {
      entry["sci"] = sa.sci;
      entry["an"] = sa.an;
    }
    if (sa.direction == "egress") {
      entry["next_number"] = sa.state.next_number;
      entry["lease_end"] = sa.state.lease_end;
    } else {
      entry["highest_number"] = sa.state.window_top;
    }
    if (const engines::FailoverEngine* const engine = runtime.engine_choice.failover) {
      if (const auto placement = engine->placement(sa.id)) {
        entry["engine"] = placement->engine;
        entry["moving"] = placement->moving;
        entry["engine_reason"] = placement->reason;
      }
    }
    if (const SaSlot* slot = runtime.control->slot(sa.id); slot != nullptr)
      entry["counters"] = sa_counters(slot->counters);
    result.push_back(std::move(entry));
  }
  return {{"sas", std::move(result)}};
}

json view_policies(const Runtime& runtime) {
  json result = json::array();
  for (const auto& entry : runtime.composition.spd->entries()) {
    const Policy& policy = entry->policy;
    json selectors = json::array();
    for (const Selector& from : policy.selectors) selectors.push_back(selector(from));
    json item{{"name", policy.name},
              {"priority", policy.priority},
              {"action", text_of(policy.action)},
              {"selectors", std::move(selectors)},
              {"counters", policy_counters(*entry)}};
    if (policy.action == PolicyAction::protect) {
      item["tunnel"] = policy.tunnel;
      item["outbound"] = text_of(policy.outbound);
      item["inbound"] = text_of(policy.inbound);
      item["sealed"] = entry->sealed.load(std::memory_order_relaxed);
    }
    result.push_back(std::move(item));
  }
  json tunnels = json::array();
  for (const auto& tunnel : runtime.composition.tunnels)
    tunnels.push_back({{"name", tunnel->name},
                       {"source", tunnel->source.text()},
                       {"destination", tunnel->destination.text()},
                       {"mode", tunnel->mode == EspMode::tunnel ? "tunnel" : "transport"},
                       {"udp", tunnel->udp},
                       {"path_mtu", tunnel->path_mtu},
                       {"learnt_mtu", tunnel->learnt_mtu.load(std::memory_order_relaxed)},
                       {"up", tunnel->egress_sa.load(std::memory_order_relaxed) != 0}});
  return {{"policies", std::move(result)},
          {"default", "discard"},
          {"exemptions", exemptions()},
          {"tunnels", std::move(tunnels)}};
}

json view_ports(Runtime& runtime) {
  json result = json::array();
  for (PortIndex i = 0; i < runtime.config.ports.size(); ++i) {
    const config::Port& port = runtime.config.ports[i];
    Device& device = *runtime.devices[i];
    // The af_packet driver calls its link up always; the netdev knows better.
    bool up = device.link_up();
    if (runtime.wires[i]) {
      const auto link = kernel::find_link(*runtime.netlink, runtime.wires[i]->netdev());
      up = link && (link->flags & IFF_UP) != 0 && (link->flags & IFF_RUNNING) != 0;
    }
    result.push_back({{"name", port.name},
                      {"side", text_of(port.side)},
                      {"device", device_text(port.device)},
                      {"driver", device.driver()},
                      {"mac", device.mac().text()},
                      {"mtu", port.mtu},
                      {"link", up ? "up" : "down"},
                      {"macsec", runtime.composition.ports[i].secy != nullptr},
                      {"companion", runtime.companions[i]->netdev()},
                      {"counters", port_counters(runtime.pipeline->counters(i))},
                      {"device_counters", device_stats(device)}});
  }
  return {{"ports", std::move(result)}};
}

json view_counters(Runtime& runtime) {
  json ports = json::array();
  for (PortIndex i = 0; i < runtime.config.ports.size(); ++i) {
    const PortCounters& counters = runtime.pipeline->counters(i);
    json io{{"oversize", runtime.io->port(i).oversize.get()},
            {"refused_length", runtime.io->port(i).refused_length.get()}};
    ports.push_back({{"name", runtime.config.ports[i].name},
                     {"counters", port_counters(counters)},
                     {"verdicts", verdicts(counters.verdicts)},
                     {"before_pipeline", std::move(io)},
                     {"device_counters", device_stats(*runtime.devices[i])}});
  }
  json policies = json::array();
  for (const auto& entry : runtime.composition.spd->entries())
    policies.push_back({{"name", entry->policy.name}, {"counters", policy_counters(*entry)}});
  json secys = json::array();
  for (PortIndex i = 0; i < runtime.config.ports.size(); ++i) {
    const tables::Secy* secy = runtime.composition.ports[i].secy;
    if (secy == nullptr) continue;
    json scopes = json::object();
    for (const tables::Secy::Named& named : secy->counters(runtime.control->slots()))
      scopes[named.scope][named.name] = named.value;
    secys.push_back({{"port", runtime.config.ports[i].name},
                     {"sci", fmt::format("{}/{}", secy->transmit_sci().address.text(), secy->transmit_sci().port)},
                     {"counters", std::move(scopes)}});
  }
  json sas = json::array();
  for (const control::SaListing& sa : runtime.control->list())
    if (const SaSlot* slot = runtime.control->slot(sa.id); slot != nullptr)
      sas.push_back({{"label", sa.label}, {"counters", sa_counters(slot->counters)}});
  return {{"ports", std::move(ports)}, {"policies", std::move(policies)}, {"macsec", std::move(secys)},
          {"sas", std::move(sas)},     {"fallbacks", fallbacks(runtime)}, {"failover", failover(runtime)}};
}

json view_live(Runtime& runtime) {
  json result = json::array();
  bool ok = true;
  for (const kernel::LiveRule& rule : check_live(runtime)) {
    ok = ok && rule.state != kernel::RuleState::violated;
    result.push_back({{"port", rule.port},
                      {"netdev", rule.netdev},
                      {"rule", rule.rule},
                      {"state", std::string(kernel::name(rule.state))},
                      {"found", rule.found}});
  }
  return {{"ok", ok}, {"rules", std::move(result)}};
}

}  // namespace linecrypt::gateway::api
