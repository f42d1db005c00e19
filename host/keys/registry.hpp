// KeyRegistry: which number spaces are in use on this host, and where each of them stands. One per host (state
// directory), shared by daemon and tools under a lock.
//
// Files in the state directory (mode 0700, owner root or the daemon's user):
//   host.key       32 random bytes that key the hash naming a space, bound to the machine-id
//   journal        append-only checksummed records: enrolled spaces, egress marks, ingress marks
//   lock, claims/  who uses which space now (flock: a claim dies with its process)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "linecrypt/esp_sa.hpp"
#include "linecrypt/lease.hpp"
#include "linecrypt/macsec.hpp"
#include "linecrypt/result.hpp"

namespace linecrypt::keys {

enum class KeyLife : std::uint8_t {
  ephemeral,   // made for this process (IKE, MKA): numbers live in memory, the claim on the space still holds
  persistent,  // outlives the process (configuration): numbers live in the journal, enrolment needed
};

// A space held by this process; released at destruction.
class Claim {
 public:
  virtual ~Claim() = default;
  [[nodiscard]] virtual const NumberSpaceId& space() const noexcept = 0;
};

struct SpaceState {
  NumberSpaceId space;
  std::string label;               // as enrolled: tunnel or port and AN, never key material
  std::uint64_t egress_next = 1;   // first number never lent
  std::uint64_t ingress_mark = 0;  // highest number known to be accepted
};

class KeyRegistry : public LeaseAuthority {
 public:
  // Opens or creates the state directory's files. Refuses, by name: wrong owner or mode, torn record in the middle,
  // checksum, a journal of another host (machine-id), a journal older than its own witness (rolled back, as far as can
  // be known).
  static Result<std::unique_ptr<KeyRegistry>> open(const std::string& state_directory);
  ~KeyRegistry() override = default;

  [[nodiscard]] virtual NumberSpaceId egress_space(const EspSa& sa) const = 0;
  [[nodiscard]] virtual NumberSpaceId egress_space(const MacsecSa& sa) const = 0;

  // Claims the key of `sa` for its direction. Refused, naming the other user: a second egress user of a space; equal
  // key and salt for egress and ingress; equal SCI (XPN: SSCI) on both sides of a key. Persistent and not enrolled:
  // refused, naming the command.
  virtual Result<std::unique_ptr<Claim>> claim(const EspSa& sa, KeyLife life, const std::string& label) = 0;
  virtual Result<std::unique_ptr<Claim>> claim(const MacsecSa& sa, KeyLife life, const std::string& label) = 0;

  // `linecryptctl key enroll`: records a persistent key's space, starting at `egress_next`. Refused when it is enrolled
  // already.
  virtual Result<void> enroll(const EspSa& sa, const std::string& label, std::uint64_t egress_next) = 0;
  virtual Result<void> enroll(const MacsecSa& sa, const std::string& label, std::uint64_t egress_next) = 0;

  // Ingress marks of persistent spaces, one fdatasync for all. At least once a second while they move.
  struct IngressMark {
    NumberSpaceId space;
    std::uint64_t mark;
  };
  virtual Result<void> record_ingress(std::span<const IngressMark> marks) = 0;
  [[nodiscard]] virtual Result<SpaceState> state(const NumberSpaceId& space) const = 0;
  [[nodiscard]] virtual std::vector<SpaceState> spaces() const = 0;
};

}  // namespace linecrypt::keys
