// KeyRegistry: which number spaces are in use on this host, and where each of them stands. One per host (state
// directory), shared by daemon and tools under a lock.
//
// Files in the state directory (mode 0700, owner root or the daemon's user); README.md has their formats:
//   host.key       32 random bytes that key the hash naming a space, bound to the machine-id
//   journal        append-only authenticated records: enrolled spaces, egress marks, ingress marks
//   witness        how far the journal had got when a lease was last returned
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
  std::uint64_t egress_sent = 0;   // highest number known to be sent
  Direction direction = Direction::egress;
  bool enrolled = false;  // false: forgotten by name; its numbers stay known, so that they cannot begin again
};

class KeyRegistry : public LeaseAuthority {
 public:
  // Opens or creates the state directory's files. Refuses, by name: wrong owner or mode, a damaged record, a journal of
  // another host (machine-id), a missing journal, one older than its own witness or copied (rolled back, as far as can
  // be known).
  static Result<std::unique_ptr<KeyRegistry>> open(const std::string& state_directory);
  ~KeyRegistry() override = default;

  // The nonce space of the SA's key, for either direction.
  [[nodiscard]] virtual NumberSpaceId egress_space(const EspSa& sa) const = 0;
  [[nodiscard]] virtual NumberSpaceId egress_space(const MacsecSa& sa) const = 0;

  // Claims the key of `sa` for its direction. Refused, naming the other user: a second egress user of a space; equal
  // key and salt for egress and ingress; equal SCI (XPN: SSCI) on both sides of a key; a key used by another protocol.
  // Persistent and not enrolled, or enrolled for the other direction: refused, naming the command.
  virtual Result<std::unique_ptr<Claim>> claim(const EspSa& sa, KeyLife life, const std::string& label) = 0;
  virtual Result<std::unique_ptr<Claim>> claim(const MacsecSa& sa, KeyLife life, const std::string& label) = 0;

  // `linecryptctl key enroll`: records a persistent key's space. Egress starts at `egress_next`; for an ingress key,
  // numbers below it count as seen. Refused when it is enrolled already. A space that was forgotten goes on no earlier
  // than where it stood.
  virtual Result<void> enroll(const EspSa& sa, const std::string& label, std::uint64_t egress_next) = 0;
  virtual Result<void> enroll(const MacsecSa& sa, const std::string& label, std::uint64_t egress_next) = 0;
  // `linecryptctl key forget`: the space is refused until it is enrolled again. Refused while it is in use.
  virtual Result<void> forget(const NumberSpaceId& space);

  // What an egress space has really sent, so that numbers leased and skipped stay below lead_largest ahead of the peer.
  // Remembered; written with the next lease or record_ingress().
  virtual void note_sent(const NumberSpaceId& space, std::uint64_t last_sent);

  // Ingress marks of persistent spaces, and what note_sent() was told: one fdatasync for all. At least once a second
  // while they move.
  struct IngressMark {
    NumberSpaceId space;
    std::uint64_t mark = 0;
  };
  virtual Result<void> record_ingress(std::span<const IngressMark> marks) = 0;
  [[nodiscard]] virtual Result<SpaceState> state(const NumberSpaceId& space) const = 0;
  // Every space with a record, in order of label; those of ephemeral keys have none.
  [[nodiscard]] virtual std::vector<SpaceState> spaces() const = 0;
  // What happened to the files that an operator should know (a torn tail was cut), moved out.
  [[nodiscard]] virtual std::vector<std::string> take_messages();
};

}  // namespace linecrypt::keys
