// Capture files for `linecryptctl pcap`: what libpcap reads, and pcap out.
#pragma once

#include <pcap/pcap.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "linecrypt/result.hpp"

namespace linecrypt::ctl {

// Time of a record as libpcap gives it: seconds and micro- or nanoseconds, as CaptureReader::nanoseconds() says.
struct RecordTime {
  std::int64_t seconds = 0;
  std::int64_t fraction = 0;
};

struct Record {
  RecordTime time;
  std::span<const std::uint8_t> bytes;  // until the next call
  std::uint32_t wire_length = 0;        // more than bytes.size(): cut by the capture's snap length
};

class CaptureReader {
 public:
  // Ethernet captures only; pcap with micro- or nanoseconds, and pcapng. The error names what was found and what is
  // allowed.
  static Result<CaptureReader> open(const std::string& path);

  // False at the end; an error when the file ends inside a record.
  Result<bool> next(Record& record);
  [[nodiscard]] bool nanoseconds() const { return nanoseconds_; }

 private:
  struct Close {
    void operator()(pcap_t* handle) const { pcap_close(handle); }
  };
  std::unique_ptr<pcap_t, Close> handle_;
  std::string path_;
  bool nanoseconds_ = false;
};

// Writes beside `path` and puts the file in place in finish(): who reads `path` never finds half a file.
class CaptureWriter {
 public:
  static Result<CaptureWriter> create(const std::string& path, bool nanoseconds);
  CaptureWriter(CaptureWriter&& other) noexcept = default;
  CaptureWriter& operator=(CaptureWriter&&) = delete;
  ~CaptureWriter();

  void write(const RecordTime& time, std::span<const std::uint8_t> bytes);
  // An error when the disk did not take all of it.
  Result<void> finish();

 private:
  CaptureWriter() = default;
  struct Close {
    void operator()(pcap_t* handle) const { pcap_close(handle); }
    void operator()(pcap_dumper_t* dumper) const { pcap_dump_close(dumper); }
  };
  std::unique_ptr<pcap_t, Close> handle_;
  std::unique_ptr<pcap_dumper_t, Close> dumper_;
  std::string path_;
  std::string partial_;
};

}  // namespace linecrypt::ctl
