// linecryptctl pcap protect|unprotect: the gateway's data path over a file, without a daemon.
#include <fmt/format.h>
#include <sys/stat.h>

#include <memory>

#include "host/gateway/pipeline/compose.hpp"
#include "tools/linecryptctl/command.hpp"
#include "tools/linecryptctl/configuration.hpp"
#include "tools/linecryptctl/pcap_run.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

struct Options {
  std::string config;
  std::string port;
  std::string in;
  std::string out;
};

bool same_file(const std::string& a, const std::string& b) {
  struct stat sa {};
  struct stat sb {};
  return ::stat(a.c_str(), &sa) == 0 && ::stat(b.c_str(), &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

std::string ports_of(const config::Config& config, config::Side side) {
  std::string names;
  for (const config::Port& port : config.ports)
    if (port.side == side) names += (names.empty() ? "" : ", ") + port.name;
  return names.empty() ? "none" : names;
}

void report(const Session& session, const Options& options, const PcapCounts& counts) {
  std::uint64_t drops = counts.truncated;
  Json verdicts = Json::object();
  Table table({{"FRAMES", Align::right}, {"VERDICT"}, {""}});
  for (const VerdictCount& one : counts.verdicts) {
    if (is_drop(one.verdict)) drops += one.frames;
    verdicts[std::string(name(one.verdict))] = one.frames;
    table.add({std::to_string(one.frames), std::string(name(one.verdict)),
               fmt::format("{}{}", is_drop(one.verdict) ? "dropped: " : "", describe(one.verdict))});
  }
  if (counts.truncated != 0)
    table.add({std::to_string(counts.truncated), "truncated", "dropped: cut by the capture's snap length"});
  Json others = Json::object();
  for (const auto& [port, frames] : counts.other_ports) others[port] = frames;
  if (session.json) {
    session.print({{"in", {{"file", options.in}, {"frames", counts.read}, {"truncated", counts.truncated}}},
                   {"out", {{"file", options.out}, {"frames", counts.written}}},
                   {"dropped", drops},
                   {"punted", counts.punted},
                   {"other_ports", others},
                   {"verdicts", verdicts}});
    return;
  }
  session.say(fmt::format("{}: {} frames in; {}: {} frames out; {} dropped", options.in, counts.read, options.out,
                          counts.written, drops));
  for (const auto& [port, frames] : counts.other_ports)
    session.say(
        fmt::format("{} frames left by port {} and are not in the file (answers to the same side)", frames, port));
  if (!table.empty()) session.say("\n" + table.text());
}

Exit run(Session& session, const Options& options, PcapWay way) {
  // 1. The configuration and the port.
  const std::optional<config::Config> config = load_configuration(session, options.config);
  if (!config) return session.exit;
  const config::Side side = way == PcapWay::protect ? config::Side::clear : config::Side::black;
  const char* side_name = way == PcapWay::protect ? "clear" : "black";
  const gateway::PortIndex port = gateway::port_index(*config, options.port);
  if (port == gateway::no_port || config->ports[port].side != side)
    return session.fail(Exit::usage, fmt::format("--port {}: {}, allowed are the {} side's ports: {}", options.port,
                                                 port == gateway::no_port ? "no such port" : "of the other side",
                                                 side_name, ports_of(*config, side)));
  // 2. The files.
  if (same_file(options.in, options.out))
    return session.fail(Exit::usage, fmt::format("{} and {} are one file", options.in, options.out));
  Result<CaptureReader> reader = CaptureReader::open(options.in);
  if (!reader) return session.fail(Exit::usage, reader.error().message);
  Result<CaptureWriter> writer = CaptureWriter::create(options.out, reader->nanoseconds());
  if (!writer) return session.fail(Exit::usage, writer.error().message);

  // 3. The work.
  PcapCounts counts;
  const PcapError error = run_pcap({*config, port, way}, *reader, *writer, counts);
  if (!error.message.empty()) return session.fail(error.refused ? Exit::refused : Exit::usage, error.message);
  if (Result<void> finished = writer->finish(); !finished) return session.fail(Exit::failed, finished.error().message);
  report(session, options, counts);
  return Exit::ok;
}

void add_way(CLI::App& group, Session& session, const char* name, const char* description, PcapWay way) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(group, session, name, description, [&session, options, way] { return run(session, *options, way); });
  command->add_option("--config", options->config, "configuration (TOML)")->required();
  command->add_option("--port", options->port, "the port that the frames come in on")->required();
  command->add_option("IN", options->in, "capture to read (pcap or pcapng, Ethernet)")->required();
  command->add_option("OUT", options->out, "capture to write (pcap)")->required();
}

}  // namespace

void add_pcap(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("pcap", "the gateway's data path over a file");
  group->require_subcommand(1);
  add_way(*group, session, "protect", "frames that came in on a clear port, as they leave on the black side",
          PcapWay::protect);
  add_way(*group, session, "unprotect", "frames that came in on a black port, as they leave on the clear side",
          PcapWay::unprotect);
}

}  // namespace linecrypt::ctl
