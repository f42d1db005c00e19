#include "driver/dpdk/common/log.hpp"

#include <rte_log.h>

namespace linecrypt::dpdk {
namespace {

RTE_LOG_REGISTER(log_type, pmd.linecrypt, NOTICE)

}  // namespace

void log_line(Severity severity, const std::string& text) {
  constexpr std::uint32_t levels[] = {RTE_LOG_ERR, RTE_LOG_WARNING, RTE_LOG_NOTICE, RTE_LOG_INFO};
  rte_log(levels[static_cast<std::size_t>(severity)], static_cast<std::uint32_t>(log_type), "linecrypt: %s\n",
          text.c_str());
}

}  // namespace linecrypt::dpdk
