// check() over every SA of the file, against an engine that can do all that the standards allow: what a certain engine
// cannot do, it says when the SA is installed.
#pragma once

#include "host/config/config.hpp"
#include "host/config/report.hpp"

namespace linecrypt::config {

void check_rules(const Macsec& macsec, Report& report);
void check_rules(EspSaConfig& sa, Report& report);

}  // namespace linecrypt::config
