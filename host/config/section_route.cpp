// [[route]], [[neighbour]]
#include "host/config/draft.hpp"
#include "host/config/words.hpp"

namespace linecrypt::config {

void read_route(Section section, Draft& draft) {
  Route route;
  route.place = section.place();
  section.parsed("destination", Prefix::parse, route.destination, Need::required);
  section.text("port", route.port, Need::required);
  IpAddress via;
  if (section.parsed("via", parse_host, via)) route.via = via;
  section.finish();
  draft.routes.push_back(&section.table());
  draft.config.routes.push_back(std::move(route));
}

void read_neighbour(Section section, Draft& draft) {
  Neighbour neighbour;
  neighbour.place = section.place();
  section.text("port", neighbour.port, Need::required);
  section.parsed("address", parse_host, neighbour.address, Need::required);
  section.parsed("mac", parse_unicast_mac, neighbour.mac, Need::required);
  section.finish();
  draft.neighbours.push_back(&section.table());
  draft.config.neighbours.push_back(std::move(neighbour));
}

}  // namespace linecrypt::config
