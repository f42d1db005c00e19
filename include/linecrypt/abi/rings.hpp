// Rings in card memory: commands (host to card), responses and events (card to host), and batches of packets.
//
// Words written by the host and by the card never share a 4 KiB page. Every entry carries the session's epoch; an entry
// of another epoch is skipped and counted, so nothing an earlier process left behind is acted on.
#pragma once

#include <cstddef>
#include <cstdint>

#include "linecrypt/abi/version.hpp"

namespace linecrypt {
namespace abi {

// The four places that hold tables: each chain's blocks in the order packets meet them.
enum class Block : std::uint8_t { esp_encapsulate = 0, macsec_protect = 1, macsec_validate = 2, esp_decapsulate = 3 };
constexpr std::uint32_t blocks = 4;
// Bump-in-the-wire: the policy and the counters of each direction (abi/classify.hpp), in the same streams of commands.
constexpr Block egress_port = static_cast<Block>(4);
constexpr Block ingress_port = static_cast<Block>(5);

// What one table word is; the owner of each table is the process of that name.
enum class Table : std::uint8_t {
  none = 0,
  key = 1,       // KeyEntry, 8 words
  record = 2,    // EspRecord / MacsecRecord
  number = 3,    // egress: the first lease; ingress: the window's start
  hash = 4,      // SPI or (SCI, AN) to index; `index` is the bucket, placed by the host
  classify = 5,  // in-line policy entries
  verdicts = 6,  // read only: the block's count of each verdict, 8 a word
};

enum class CommandOp : std::uint8_t {
  none = 0,
  load = 1,  // one word of a table entry whose generation is 0
  commit =
      2,  // every owner sets its word's generation (0: removes; key words are zeroed): one token, in order with packets
  grant = 3,   // NumberGrant: the next lease, the accept ceiling or the lowest PN
  drain = 4,   // nothing but its response: all packets before it have left the last process
  read = 5,    // response carries the SA's SaState words
  expire = 6,  // stops the SA (hard lifetime in seconds)
};

constexpr std::uint32_t word_bytes = 64;

// Command ring entry. `load`: payload is word `word` of `table`[index]. The card zeroes the entry as it consumes it.
struct Command {
  std::uint32_t epoch;
  std::uint32_t cookie;  // comes back in the response
  CommandOp op;
  Block block;
  Table table;
  std::uint8_t word;
  std::uint32_t index;
  std::uint32_t generation;
  std::uint32_t respond;  // 0: none; 1: one response when it has left the last process of its chain
  std::uint8_t reserved[40];
  std::uint8_t payload[word_bytes];
};
static_assert(sizeof(Command) == 128, "ABI");
static_assert(offsetof(Command, epoch) == 0, "ABI");
static_assert(offsetof(Command, cookie) == 4, "ABI");
static_assert(offsetof(Command, op) == 8, "ABI");
static_assert(offsetof(Command, block) == 9, "ABI");
static_assert(offsetof(Command, table) == 10, "ABI");
static_assert(offsetof(Command, word) == 11, "ABI");
static_assert(offsetof(Command, index) == 12, "ABI");
static_assert(offsetof(Command, generation) == 16, "ABI");
static_assert(offsetof(Command, respond) == 20, "ABI");
static_assert(offsetof(Command, payload) == 64, "ABI");

// Payload of `grant`.
struct NumberGrant {
  std::uint64_t begin;  // egress: the next lease [begin, end); ingress under MACsec: lowest acceptable number
  std::uint64_t end;    // in-line ingress: the accept ceiling, first number not accepted; 0 on look-aside
  std::uint8_t reserved[48];
};
static_assert(sizeof(NumberGrant) == 64, "ABI");
static_assert(offsetof(NumberGrant, begin) == 0, "ABI");
static_assert(offsetof(NumberGrant, end) == 8, "ABI");

enum class ResponseKind : std::uint8_t { none = 0, done = 1, state = 2, event = 3, refused = 4 };

// Response ring entry.
struct Response {
  std::uint32_t epoch;
  std::uint32_t cookie;
  ResponseKind kind;
  std::uint8_t event;  // linecrypt::EventKind
  Block block;
  std::uint8_t reserved0;
  std::uint32_t index;
  std::uint32_t generation;
  std::uint32_t reserved1;
  std::uint64_t next_number;  // kind state: egress next number, ingress window top
  std::uint64_t lease_end;
  std::uint64_t packets;
  std::uint64_t bytes;
  std::uint64_t flags;  // bit 0 expired
};
static_assert(sizeof(Response) == 64, "ABI");
static_assert(offsetof(Response, epoch) == 0, "ABI");
static_assert(offsetof(Response, cookie) == 4, "ABI");
static_assert(offsetof(Response, kind) == 8, "ABI");
static_assert(offsetof(Response, event) == 9, "ABI");
static_assert(offsetof(Response, block) == 10, "ABI");
static_assert(offsetof(Response, index) == 12, "ABI");
static_assert(offsetof(Response, generation) == 16, "ABI");
static_assert(offsetof(Response, next_number) == 24, "ABI");
static_assert(offsetof(Response, lease_end) == 32, "ABI");
static_assert(offsetof(Response, packets) == 40, "ABI");
static_assert(offsetof(Response, bytes) == 48, "ABI");
static_assert(offsetof(Response, flags) == 56, "ABI");

enum class Operation : std::uint8_t {
  none = 0,
  esp_encapsulate = 1,
  esp_decapsulate = 2,
  macsec_protect = 3,
  macsec_validate = 4
};

struct JobStage {
  std::uint32_t index;
  std::uint32_t generation;
};
static_assert(sizeof(JobStage) == 8, "ABI");
static_assert(offsetof(JobStage, index) == 0, "ABI");
static_assert(offsetof(JobStage, generation) == 4, "ABI");

// One packet of a batch, in the input slab's first page(s).
struct JobDescriptor {
  std::uint32_t epoch;
  std::uint32_t cookie;         // unique in the session; comes back in the completion
  std::uint32_t input_offset;   // of the packet in the input slab, a multiple of 64
  std::uint32_t output_offset;  // of its room in the output slab, a multiple of 64
  std::uint16_t length;         // bytes of the frame
  std::uint16_t output_room;    // bytes
  std::uint16_t l2_length;
  Operation operation[2];
  JobStage stage[2];
  std::uint8_t reserved[22];
};
static_assert(sizeof(JobDescriptor) == 64, "ABI");
static_assert(offsetof(JobDescriptor, epoch) == 0, "ABI");
static_assert(offsetof(JobDescriptor, cookie) == 4, "ABI");
static_assert(offsetof(JobDescriptor, input_offset) == 8, "ABI");
static_assert(offsetof(JobDescriptor, output_offset) == 12, "ABI");
static_assert(offsetof(JobDescriptor, length) == 16, "ABI");
static_assert(offsetof(JobDescriptor, output_room) == 18, "ABI");
static_assert(offsetof(JobDescriptor, l2_length) == 20, "ABI");
static_assert(offsetof(JobDescriptor, operation) == 22, "ABI");
static_assert(offsetof(JobDescriptor, stage) == 24, "ABI");

// Its result, in the output slab's first page(s), at the descriptor's place.
struct Completion {
  std::uint32_t epoch;
  std::uint32_t cookie;
  std::uint16_t length;  // bytes written at output_offset; 0 for a drop
  std::uint8_t verdict;  // linecrypt::Verdict
  std::uint8_t verdict_stage;
  std::uint32_t inner_length;      // what lifetimes count (LifetimeLimit::bytes) of the last stage that ran
  std::uint64_t number[2];         // full sequence or packet number of each stage run
  std::uint32_t inner_lengths[2];  // as inner_length, of each stage
  // Bit 0/1, of stage 0/1. Egress: it consumed its number. Ingress: its tag was good and its number was taken into the
  // card's own window; not a duplicate, one that came too late, or, without replay protection, one below the window.
  std::uint8_t flags;
  std::uint8_t reserved[23];
};
static_assert(sizeof(Completion) == 64, "ABI");
static_assert(offsetof(Completion, epoch) == 0, "ABI");
static_assert(offsetof(Completion, cookie) == 4, "ABI");
static_assert(offsetof(Completion, length) == 8, "ABI");
static_assert(offsetof(Completion, verdict) == 10, "ABI");
static_assert(offsetof(Completion, verdict_stage) == 11, "ABI");
static_assert(offsetof(Completion, inner_length) == 12, "ABI");
static_assert(offsetof(Completion, number) == 16, "ABI");
static_assert(offsetof(Completion, inner_lengths) == 32, "ABI");
static_assert(offsetof(Completion, flags) == 40, "ABI");

// Work ring entry: one batch.
struct Batch {
  std::uint32_t epoch;
  std::uint32_t number;  // free running
  std::uint64_t input;   // address of the input slab, 4 KiB aligned
  std::uint64_t output;  // address of the output slab, 4 KiB aligned
  std::uint32_t input_bytes;
  std::uint32_t output_bytes;
  std::uint32_t jobs;  // 1..batch_jobs
  std::uint8_t reserved[28];
};
static_assert(sizeof(Batch) == 64, "ABI");
static_assert(offsetof(Batch, epoch) == 0, "ABI");
static_assert(offsetof(Batch, number) == 4, "ABI");
static_assert(offsetof(Batch, input) == 8, "ABI");
static_assert(offsetof(Batch, output) == 16, "ABI");
static_assert(offsetof(Batch, input_bytes) == 24, "ABI");
static_assert(offsetof(Batch, output_bytes) == 28, "ABI");
static_assert(offsetof(Batch, jobs) == 32, "ABI");

constexpr std::uint32_t batch_jobs = 256;
constexpr std::uint32_t page = 4096;
constexpr std::uint32_t frame_largest = 9728;

}  // namespace abi
}  // namespace linecrypt
