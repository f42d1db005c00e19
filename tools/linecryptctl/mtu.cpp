// linecryptctl mtu: what fits into a path after ESP and MACsec.
#include "linecrypt/mtu.hpp"

#include <fmt/format.h>

#include <memory>

#include "tools/linecryptctl/command.hpp"
#include "tools/linecryptctl/table.hpp"

namespace linecrypt::ctl {

namespace {

struct Options {
  std::uint32_t path_mtu = 1500;
  std::string mode;    // empty: both
  std::string family;  // empty: both
  std::optional<bool> nat_t;
  std::string macsec;  // empty: all
  std::uint32_t vlan = 0;
  std::string algorithm = "aes-gcm-256";
};

struct MacsecColumn {
  const char* word;  // of --macsec
  const char* key;   // in JSON
  const char* title;
  mtu::MacsecLayout layout;
};
inline constexpr MacsecColumn macsec_columns[] = {
    {"none", "none", "FRAME", mtu::MacsecLayout::none},
    {"no-sci", "no_sci", "FRAME+MACSEC", mtu::MacsecLayout::no_sci},
    {"sci", "sci", "FRAME+MACSEC(SCI)", mtu::MacsecLayout::sci},
};

bool wanted(const MacsecColumn& column, const Options& options) {
  return options.macsec.empty() || options.macsec == column.word;
}

// One row: what clear packet fits, and what leaves when it is as large as it may be.
struct Row {
  std::string layer;  // "tunnel", "transport", "none"
  int family = 0;     // 0: either
  bool nat_t = false;
  std::optional<std::uint32_t> largest;
  std::uint32_t packet = 0;
};

std::vector<Row> rows_of(const Options& options) {
  std::vector<Row> rows;
  for (const EspMode mode : {EspMode::tunnel, EspMode::transport}) {
    const char* word = mode == EspMode::tunnel ? "tunnel" : "transport";
    if (!options.mode.empty() && options.mode != word) continue;
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      const int number = family == Family::ipv4 ? 4 : 6;
      if (!options.family.empty() && options.family != std::to_string(number)) continue;
      for (const bool udp : {false, true}) {
        if (options.nat_t && *options.nat_t != udp) continue;
        const mtu::EspLayout layout{mode, family, udp, 0};
        Row row{word, number, udp, std::nullopt, 0};
        if (options.path_mtu >= mtu::path_mtu_smallest(family)) {
          row.largest = mtu::esp_largest_clear_packet(layout, options.path_mtu);
          if (const auto payload = mtu::esp_largest_payload(layout, options.path_mtu))
            row.packet = mtu::esp_packet_size(layout, *payload);
        }
        rows.push_back(row);
      }
    }
  }
  // Without ESP: what MACsec alone does.
  if (options.mode.empty() && options.family.empty() && !options.nat_t)
    rows.push_back({"none", 0, false, options.path_mtu, options.path_mtu});
  return rows;
}

Json to_json(const Options& options, const std::vector<Row>& rows) {
  Json list = Json::array();
  for (const Row& row : rows) {
    Json item = {{"esp", row.layer}, {"family", row.family == 0 ? Json() : Json(row.family)}, {"nat_t", row.nat_t}};
    item["largest_clear_packet"] = row.largest ? Json(*row.largest) : Json();
    item["packet"] = row.largest ? Json(row.packet) : Json();
    Json frames = Json::object();
    for (const MacsecColumn& column : macsec_columns) {
      if (!wanted(column, options)) continue;
      frames[column.key] = row.largest ? Json(mtu::frame_size(row.packet, options.vlan, column.layout)) : Json();
    }
    item["frame"] = frames;
    list.push_back(item);
  }
  return {{"path_mtu", options.path_mtu},
          {"vlan_tags", options.vlan},
          {"algorithm", options.algorithm},
          {"macsec_overhead", {{"none", 0}, {"no_sci", 24}, {"sci", 32}}},
          {"rows", list}};
}

std::string to_text(const Options& options, const std::vector<Row>& rows) {
  std::vector<Column> columns = {
      {"ESP"}, {"OUTER"}, {"NAT-T"}, {"CLEAR MTU", Align::right}, {"IP PACKET", Align::right}};
  for (const MacsecColumn& column : macsec_columns)
    if (wanted(column, options)) columns.push_back({column.title, Align::right});
  Table table(columns);
  for (const Row& row : rows) {
    const bool esp = row.family != 0;
    std::vector<std::string> cells = {row.layer, esp ? fmt::format("IPv{}", row.family) : "-",
                                      !esp        ? "-"
                                      : row.nat_t ? "yes"
                                                  : "no",
                                      row.largest ? std::to_string(*row.largest) : "-",
                                      row.largest ? std::to_string(row.packet) : "-"};
    for (const MacsecColumn& column : macsec_columns) {
      if (!wanted(column, options)) continue;
      cells.push_back(row.largest ? std::to_string(mtu::frame_size(row.packet, options.vlan, column.layout)) : "-");
    }
    table.add(cells);
  }
  return fmt::format(
      "Path MTU {} (IP layer), {} VLAN tag{}, {}\n\n{}\n\n"
      "CLEAR MTU   largest IP packet on the clear side: inner packet (tunnel), header and payload (transport)\n"
      "IP PACKET   what ESP makes of it; padding ends on 4 bytes, so it may stay below the path MTU\n"
      "FRAME       Ethernet frame without FCS; MACsec adds 24 bytes, 32 with the SCI, and leaves the path MTU alone\n"
      "The key size changes none of these: IV 8 and ICV 16 bytes for every AES-GCM and GMAC.",
      options.path_mtu, options.vlan, options.vlan == 1 ? "" : "s", options.algorithm, table.text());
}

Exit run(const Session& session, const Options& options) {
  if (options.family == "6" && options.path_mtu < mtu::path_mtu_smallest(Family::ipv6))
    return session.fail(Exit::usage,
                        fmt::format("--path-mtu {} with --family 6: allowed are 1280 to 65535", options.path_mtu));
  const std::vector<Row> rows = rows_of(options);
  if (session.json)
    session.print(to_json(options, rows));
  else
    session.say(to_text(options, rows));
  return Exit::ok;
}

}  // namespace

void add_mtu(CLI::App& app, Session& session) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, session, "mtu", "what fits into a path after ESP and MACsec",
                                  [&session, options] { return run(session, *options); });
  command->add_option("--path-mtu", options->path_mtu, "MTU of the path's IP layer")
      ->check(CLI::Range(68U, mtu::ip_packet_largest))
      ->capture_default_str();
  command->add_option("--mode", options->mode, "only this ESP mode")->check(CLI::IsMember({"tunnel", "transport"}));
  command->add_option("--family", options->family, "only this family of the header before ESP")
      ->check(CLI::IsMember({"4", "6"}));
  command->add_flag_function(
      "--nat-t,!--no-nat-t", [options](std::int64_t n) { options->nat_t = n > 0; },
      "only with (without) UDP encapsulation");
  command->add_option("--macsec", options->macsec, "only this form of SecTAG")
      ->check(CLI::IsMember({"none", "sci", "no-sci"}));
  command->add_option("--vlan", options->vlan, "VLAN tags of each frame")->check(CLI::Range(0U, 2U));
  command->add_option("--algorithm", options->algorithm, "ESP algorithm (all have the same overhead)")
      ->check(
          CLI::IsMember({"aes-gcm-128", "aes-gcm-192", "aes-gcm-256", "aes-gmac-128", "aes-gmac-192", "aes-gmac-256"}))
      ->capture_default_str();
}

}  // namespace linecrypt::ctl
