// Telemetry: what dpdk-telemetry.py shows of the devices of this process.
//   /linecrypt/engine      engine, provider, mode, card, why software does the work
//   /linecrypt/sas         SAs in use, room, created, removed, leases
//   /linecrypt/failovers   losses, returns, moves, jobs redone and lost
// A device's name as parameter shows that one; without, all.
#pragma once

namespace linecrypt::dpdk {

class DeviceContext;

void list_device(DeviceContext& device);
void unlist_device(DeviceContext& device);

}  // namespace linecrypt::dpdk
