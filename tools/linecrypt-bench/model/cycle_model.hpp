// CycleModel: one kernel with its SAs installed, and what a load of packets of one size shows. The chain is the text of
// firmware_hls, clocked; SAs are written as the driver writes them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "firmware_hls/model/cycle_rig.hpp"

namespace linecrypt::bench {

inline constexpr const char* modelled = "modelled at 300 MHz, not synthesized with Vitis";
inline constexpr double clock_assumed = 300e6;
inline constexpr std::uint32_t table_size = 4096;    // SAs a block has room for
inline constexpr std::uint32_t sas_most = 4000;      // the others are for the words that come meanwhile
inline constexpr std::uint32_t frame_smallest = 64;  // with FCS, as frames are counted on the wire
inline constexpr std::uint32_t frame_largest = 9216;

enum class Kernel : std::uint8_t { esp_encapsulate, esp_decapsulate, macsec_protect, macsec_validate };
enum class Variant : std::uint8_t { tunnel_ipv4, tunnel_ipv6, xpn };  // the last is MACsec's

struct Subject {
  Kernel kernel = Kernel::esp_encapsulate;
  Variant variant = Variant::tunnel_ipv4;
};
[[nodiscard]] const char* name(Kernel kernel) noexcept;
[[nodiscard]] const char* name(Variant variant) noexcept;
[[nodiscard]] std::vector<Subject> subjects();

// Bytes that a frame takes on the wire: FCS, preamble, gap; padded to the smallest.
[[nodiscard]] std::uint64_t wire_bytes(std::uint64_t frame_without_fcs) noexcept;

// One row of the report.
struct Row {
  Subject subject;
  std::uint32_t size = 0;  // of the clear frame, FCS included
  std::uint32_t sas = 0;
  firmware::CycleFigures figures;        // packets alone
  firmware::CycleFigures with_commands;  // while configuration words always wait
  std::uint64_t wire = 0;                // bytes on the wire of the protected side
  [[nodiscard]] double mpps() const;
  [[nodiscard]] double gbps() const;                // of the protected side's wire
  [[nodiscard]] double gbps_with_commands() const;  // the same, forced configuration cycles included
};

class CycleModel {
 public:
  virtual ~CycleModel() = default;
  // Packets of clear frames of `size` bytes (FCS included), over the first `sas` SAs in turn.
  virtual firmware::CycleFigures run(std::uint32_t size, std::uint32_t sas, const firmware::Load& load) = 0;
  // Words that install and remove a spare SA, for Load::commands.
  [[nodiscard]] virtual std::vector<firmware::ConfigWord> background() const = 0;
  // Stream bytes of the protected frame of the last run.
  [[nodiscard]] virtual std::uint64_t protected_bytes() const = 0;
};

// With SAs 0..sas-1 installed. `cut`: for tests.
[[nodiscard]] std::unique_ptr<CycleModel> make_cycle_model(Subject subject, std::uint32_t sas,
                                                           firmware::DepthCut cut = {});

// Both runs of one row.
[[nodiscard]] Row measure(CycleModel& model, Subject subject, std::uint32_t size, std::uint32_t sas);

}  // namespace linecrypt::bench
