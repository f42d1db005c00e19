#include "driver/dpdk/common/telemetry.hpp"

#include <rte_common.h>
#include <rte_telemetry.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "driver/dpdk/common/device_context.hpp"

namespace linecrypt::dpdk {
namespace {

struct Devices {
  std::mutex mutex;
  std::vector<DeviceContext*> all;
};

Devices& devices() {
  static Devices the_devices;
  return the_devices;
}

using Status = DeviceContext::Status;
using Fill = void (*)(rte_tel_data* data, const Status& status);

// One dictionary a device, under its name.
int answer(const char* parameters, rte_tel_data* data, Fill fill) {
  const std::string wanted = parameters == nullptr ? "" : parameters;
  rte_tel_data_start_dict(data);
  const std::lock_guard lock(devices().mutex);
  for (DeviceContext* device : devices().all) {
    if (!wanted.empty() && wanted != device->name()) continue;
    rte_tel_data* const one = rte_tel_data_alloc();
    if (one == nullptr) return -1;
    rte_tel_data_start_dict(one);
    fill(one, device->status());
    rte_tel_data_add_dict_container(data, device->name().c_str(), one, 0);
  }
  return 0;
}

int engine(const char* /*command*/, const char* parameters, rte_tel_data* data) {
  return answer(parameters, data, [](rte_tel_data* one, const Status& status) {
    rte_tel_data_add_dict_string(one, "mode", status.mode.c_str());
    rte_tel_data_add_dict_string(one, "engine", status.engine.c_str());
    rte_tel_data_add_dict_string(one, "provider", status.provider.c_str());
    rte_tel_data_add_dict_string(one, "card", status.card.c_str());
    rte_tel_data_add_dict_string(one, "card_state", status.card_state.c_str());
    rte_tel_data_add_dict_string(one, "fallback", status.fallback.c_str());
  });
}

int sas(const char* /*command*/, const char* parameters, rte_tel_data* data) {
  return answer(parameters, data, [](rte_tel_data* one, const Status& status) {
    rte_tel_data_add_dict_u64(one, "sas", status.sas);
    rte_tel_data_add_dict_u64(one, "max_sas", status.max_sas);
    rte_tel_data_add_dict_u64(one, "created", status.created);
    rte_tel_data_add_dict_u64(one, "removed", status.removed);
    rte_tel_data_add_dict_u64(one, "leases", status.leases);
  });
}

int failovers(const char* /*command*/, const char* parameters, rte_tel_data* data) {
  return answer(parameters, data, [](rte_tel_data* one, const Status& status) {
    const engines::FailoverStatus& failover = status.failover;
    rte_tel_data_add_dict_string(one, "primary", status.has_failover ? failover.primary.c_str() : "");
    rte_tel_data_add_dict_string(one, "use", status.has_failover ? engines::name(failover.use) : "none");
    rte_tel_data_add_dict_string(one, "reason", failover.reason.c_str());
    rte_tel_data_add_dict_u64(one, "failovers", failover.failovers);
    rte_tel_data_add_dict_u64(one, "returns", failover.returns);
    rte_tel_data_add_dict_u64(one, "moves", failover.moves);
    rte_tel_data_add_dict_u64(one, "sas_primary", failover.sas_primary);
    rte_tel_data_add_dict_u64(one, "sas_secondary", failover.sas_secondary);
    rte_tel_data_add_dict_u64(one, "jobs_redone", failover.jobs_redone);
    rte_tel_data_add_dict_u64(one, "jobs_lost", failover.jobs_lost);
  });
}

RTE_INIT(register_telemetry) {
  rte_telemetry_register_cmd("/linecrypt/engine", engine, "Engine of linecrypt devices. Parameter: a device's name");
  rte_telemetry_register_cmd("/linecrypt/sas", sas, "SAs of linecrypt devices. Parameter: a device's name");
  rte_telemetry_register_cmd("/linecrypt/failovers", failovers,
                             "Failovers of linecrypt devices. Parameter: a device's name");
}

}  // namespace

void list_device(DeviceContext& device) {
  const std::lock_guard lock(devices().mutex);
  devices().all.push_back(&device);
}

void unlist_device(DeviceContext& device) {
  const std::lock_guard lock(devices().mutex);
  std::erase(devices().all, &device);
}

}  // namespace linecrypt::dpdk
