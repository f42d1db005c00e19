// The nftables table that keeps the kernel's own stack off the netdev under an af_packet port: two netdev base chains,
// ingress and egress, whose policy is drop. AF_PACKET sockets see a frame before the ingress hook; on the way out they
// meet the egress hook also with qdisc_bypass (Linux 5.17 and later), so our socket carries a mark that its chain
// accepts. Our port works and nothing else does. Control thread.
#pragma once

#include <cstdint>
#include <string>

#include "linecrypt/result.hpp"

namespace linecrypt::gateway::kernel {

enum class DropState : std::uint8_t { present, absent, unavailable };  // unavailable: the kernel has no such hook

struct DropTable {
  DropState ingress = DropState::absent;
  DropState egress = DropState::absent;
};

// "linecrypt-<netdev>". It outlives a killed daemon on purpose (the netdev stays shut); the next start replaces it.
[[nodiscard]] std::string drop_table_name(const std::string& netdev);

// Replaces any table of that name. Frames whose socket mark (SO_MARK) is `mark` may leave. Hooks that this kernel lacks
// are `unavailable`; any other failure is an error.
Result<DropTable> install_drop_table(const std::string& netdev, std::uint32_t mark);
// No error when there is none.
Result<void> remove_drop_table(const std::string& netdev);
// What is there now, read from the kernel.
Result<DropTable> read_drop_table(const std::string& netdev);

}  // namespace linecrypt::gateway::kernel
