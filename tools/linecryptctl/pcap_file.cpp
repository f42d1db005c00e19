#include "tools/linecryptctl/pcap_file.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace linecrypt::ctl {

namespace {

inline constexpr int snap_length = 262144;  // libpcap's largest

// Of the first four bytes: does the file tell nanoseconds? pcapng may; classic pcap has a magic number for each.
bool has_nanoseconds(const std::array<unsigned char, 4>& magic) {
  constexpr std::array<unsigned char, 4> nanoseconds_big = {0xa1, 0xb2, 0x3c, 0x4d};
  constexpr std::array<unsigned char, 4> nanoseconds_little = {0x4d, 0x3c, 0xb2, 0xa1};
  constexpr std::array<unsigned char, 4> pcapng = {0x0a, 0x0d, 0x0d, 0x0a};
  return magic == nanoseconds_big || magic == nanoseconds_little || magic == pcapng;
}

std::string link_type_text(int type) {
  const char* name = pcap_datalink_val_to_name(type);
  const char* description = pcap_datalink_val_to_description(type);
  return fmt::format("{} ({})", name != nullptr ? name : std::to_string(type),
                     description != nullptr ? description : "unknown");
}

struct CloseFile {
  void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
};

}  // namespace

Result<CaptureReader> CaptureReader::open(const std::string& path) {
  if (path == "-") return Error{"-: standard input is not supported, a file is needed"};
  CaptureReader reader;
  reader.path_ = path;
  std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (!file) return Error{fmt::format("{}: {}", path, std::strerror(errno))};
  std::array<unsigned char, 4> magic{};
  if (std::fread(magic.data(), 1, magic.size(), file.get()) != magic.size())
    return Error{fmt::format("{}: {}, a pcap or pcapng file is needed", path,
                             std::ferror(file.get()) != 0 ? std::strerror(errno) : "shorter than a file header")};
  reader.nanoseconds_ = has_nanoseconds(magic);
  std::rewind(file.get());
  std::array<char, PCAP_ERRBUF_SIZE> reason{};
  reader.handle_.reset(pcap_fopen_offline_with_tstamp_precision(
      file.get(), reader.nanoseconds_ ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO, reason.data()));
  if (!reader.handle_) return Error{fmt::format("{}: {}, a pcap or pcapng file is needed", path, reason.data())};
  static_cast<void>(file.release());  // closed with the handle
  if (const int type = pcap_datalink(reader.handle_.get()); type != DLT_EN10MB)
    return Error{fmt::format("{}: link type {}, allowed is EN10MB (Ethernet)", path, link_type_text(type))};
  return reader;
}

Result<bool> CaptureReader::next(Record& record) {
  pcap_pkthdr* header = nullptr;
  const unsigned char* bytes = nullptr;
  const int got = pcap_next_ex(handle_.get(), &header, &bytes);
  if (got == PCAP_ERROR_BREAK) return false;
  if (got != 1) return Error{fmt::format("{}: {}", path_, pcap_geterr(handle_.get()))};
  record.time = {header->ts.tv_sec, header->ts.tv_usec};
  record.bytes = {bytes, header->caplen};
  record.wire_length = header->len;
  return true;
}

Result<CaptureWriter> CaptureWriter::create(const std::string& path, bool nanoseconds) {
  if (path == "-") return Error{"-: standard output is not supported, a file is needed"};
  CaptureWriter writer;
  writer.path_ = path;
  writer.handle_.reset(pcap_open_dead_with_tstamp_precision(
      DLT_EN10MB, snap_length, nanoseconds ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO));
  if (!writer.handle_) return Error{"out of memory"};
  const std::string partial = path + ".partial";
  // "x": a file that is there already is not ours to overwrite.
  std::unique_ptr<std::FILE, CloseFile> file(std::fopen(partial.c_str(), "wbx"));
  if (!file) return Error{fmt::format("{}: {}", partial, std::strerror(errno))};
  writer.partial_ = partial;
  writer.dumper_.reset(pcap_dump_fopen(writer.handle_.get(), file.get()));
  if (!writer.dumper_) return Error{fmt::format("{}: {}", partial, pcap_geterr(writer.handle_.get()))};
  static_cast<void>(file.release());
  return writer;
}

CaptureWriter::~CaptureWriter() {
  if (!dumper_) return;  // moved from, or finished
  dumper_.reset();
  static_cast<void>(std::remove(partial_.c_str()));
}

void CaptureWriter::write(const RecordTime& time, std::span<const std::uint8_t> bytes) {
  pcap_pkthdr header{};
  header.ts.tv_sec = time.seconds;
  header.ts.tv_usec = time.fraction;
  header.caplen = static_cast<bpf_u_int32>(bytes.size());
  header.len = header.caplen;
  pcap_dump(reinterpret_cast<unsigned char*>(dumper_.get()), &header, bytes.data());
}

Result<void> CaptureWriter::finish() {
  const bool written = pcap_dump_flush(dumper_.get()) == 0 && std::ferror(pcap_dump_file(dumper_.get())) == 0;
  const int reason = errno;
  dumper_.reset();
  if (written && std::rename(partial_.c_str(), path_.c_str()) == 0) return {};
  const std::string why = std::strerror(written ? errno : reason);
  static_cast<void>(std::remove(partial_.c_str()));
  return Error{fmt::format("{}: {}", path_, why)};
}

}  // namespace linecrypt::ctl
