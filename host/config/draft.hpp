// Draft: the configuration while it is read, beside the tables that it came from, so that checks across sections can
// name places. Tables and configuration entries have equal indexes.
#pragma once

#include <vector>

#include "host/config/config.hpp"
#include "host/config/report.hpp"
#include "host/config/section.hpp"
#include "host/config/tree.hpp"

namespace linecrypt::config {

struct Draft {
  Config config;
  const Value* gateway = nullptr;  // null: no [gateway]
  const Value* card = nullptr;     // null: no [card]
  std::vector<const Value*> ports;
  std::vector<const Value*> macsecs;
  std::vector<const Value*> tunnels;
  std::vector<const Value*> policies;  // those of the file
  std::vector<const Value*> routes;
  std::vector<const Value*> neighbours;
  std::vector<Position> addresses;  // of Config::addresses
};

// One reader a section of the file. Each reports what is wrong and adds what it could read.
void read_gateway(Section section, Draft& draft);
void read_card(Section section, Draft& draft);
void read_port(Section section, Draft& draft);
void read_macsec(Section section, Draft& draft);
void read_tunnel(Section section, Draft& draft);
void read_policy(Section section, Draft& draft);
void read_route(Section section, Draft& draft);
void read_neighbour(Section section, Draft& draft);

// What only the whole file shows. In this order; the report sorts.
void check_card(Draft& draft, Report& report);
void check_ports(Draft& draft, Report& report);
void check_macsecs(Draft& draft, Report& report);
void check_tunnels(Draft& draft, Report& report);
void check_policies(Draft& draft, Report& report);
void check_routes(Draft& draft, Report& report);
void check_keys(Draft& draft, Report& report);

}  // namespace linecrypt::config
