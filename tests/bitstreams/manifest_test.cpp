#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>

#include "linecrypt/abi/version.hpp"
#include "tests/bitstreams/support.hpp"

using namespace linecrypt;
using namespace linecrypt::bitstreams;
using namespace linecrypt::bitstreams::test;
using Catch::Matchers::Contains;

namespace {

std::string refusal(const Manifest& m, const Bytes& bytes, const Requirements& asked) {
  const auto checked = check(m, bytes, "a.xclbin", asked);
  return checked ? "" : checked.error().message;
}

std::string host_abi() {
  return std::to_string(abi::version_major) + "." + std::to_string(abi::version_minor);
}

// A fresh key pair in `folder`: <name>.key and <name>.pem.
void make_keys(const Folder& folder, const std::string& name, const char* type = "ED25519") {
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, type);
  REQUIRE(key != nullptr);
  std::FILE* secret = std::fopen((folder / (name + ".key")).c_str(), "w");
  std::FILE* open = std::fopen((folder / (name + ".pem")).c_str(), "w");
  REQUIRE((secret != nullptr && open != nullptr));
  REQUIRE(PEM_write_PrivateKey(secret, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  REQUIRE(PEM_write_PUBKEY(open, key) == 1);
  REQUIRE((std::fclose(secret) == 0 && std::fclose(open) == 0));
  REQUIRE(chmod((folder / (name + ".key")).c_str(), 0600) == 0);
  EVP_PKEY_free(key);
}

void sign(Manifest& m, const std::string& key_file) {
  const auto key = PrivateKey::read(key_file);
  REQUIRE(key.ok());
  const auto value = key->sign(canonical_text(m));
  REQUIRE(value.ok());
  m.signature = Signature{key->id(), *value};
}

}  // namespace

TEST_CASE("a manifest that fits is accepted, and its text reads back as it was") {
  const Bytes bytes = xclbin_bytes();
  Manifest m = manifest_of(bytes);
  m.forwarding.reported = 5;
  m.signature = Signature{"0123456789abcdef", "value"};
  const auto read = read_manifest(manifest_text(m), "a.json");
  REQUIRE(read.ok());
  CHECK(manifest_text(*read) == manifest_text(m));
  CHECK(canonical_text(*read) == canonical_text(m));
  CHECK(refusal(m, bytes, requirements()).empty());
}

TEST_CASE("each mismatch between bitstream, card and host is explained") {
  const Bytes bytes = xclbin_bytes();
  Manifest m = manifest_of(bytes);
  Requirements asked = requirements();
  std::string says;
  SECTION("another ABI, both versions named") {
    m.abi_major = 7;
    m.abi_minor = 3;
    says = "abi: the bitstream speaks version 7.3, this host " + host_abi();
  }
  SECTION("another card") {
    asked.card = "u280";
    says = "card: made for 'emulated', this card is 'u280'";
  }
  SECTION("another shell on the card") {
    asked.shell = "xilinx_u55c_gen3x16_xdma_base_3";
    says = "shell: made for 'linecrypt_emulated_1_0', this card runs 'xilinx_u55c_gen3x16_xdma_base_3'";
  }
  SECTION("another shell in the xclbin") {
    m.shell = "other_shell";
    says = "the xclbin was linked for 'linecrypt_emulated_1_0', the manifest says 'other_shell'";
  }
  SECTION("another file") {
    m.xclbin_sha256 = std::string(64, '0');
    says = "a.xclbin: SHA-256 is";
  }
  SECTION("another uuid") {
    m.xclbin_uuid = "0";
    says = "uuid is";
  }
  SECTION("another mode") {
    asked.mode = "macsec";
    says = "mode: has 'esp', the configuration asks for 'macsec'";
  }
  SECTION("another wiring") {
    asked.wiring = "bump-in-the-wire";
    says = "wiring: has 'look-aside'";
  }
  SECTION("an emulated xclbin that says it is for hardware") {
    m.card = asked.card = "u55c";
    says = "is an xclbin for emulation";
  }
  SECTION("line rate in the emulation") {
    m.line_rate = true;
    says = "which has no line rate";
  }
  SECTION("line rate asked, not claimed") {
    asked.line_rate = true;
    says = "the configuration asks for it";
  }
  SECTION("a clock above the xclbin's own") {
    m.kernel_clock_mhz = 301;
    says = "kernel_clock_mhz: 301, the xclbin's own clock is 300 MHz";
  }
  CHECK_THAT(refusal(m, bytes, asked), Contains(says));
}

TEST_CASE("a bitstream for a real card answers for its clock and its forwarding") {
  Requirements asked = requirements("u55c");
  asked.line_rate = true;
  SECTION("line rate from 281 MHz on") {
    const auto clock = GENERATE(std::uint16_t{280}, std::uint16_t{281}, std::uint16_t{300});
    const Bytes bytes = hardware_bytes(clock);
    Manifest m = hardware_manifest(bytes, clock);
    m.line_rate = true;
    const std::string said = refusal(m, bytes, asked);
    if (clock < 281)
      CHECK_THAT(said, Contains("claimed at a kernel clock of 280 MHz") && Contains("281"));
    else
      CHECK(said.empty());
  }
  const Bytes bytes = hardware_bytes(300);
  Manifest m = hardware_manifest(bytes, 300);
  asked.line_rate = false;
  SECTION("a distance beyond the declared one") {
    m.forwarding.reported = 9;
    CHECK_THAT(refusal(m, bytes, asked), Contains("9 cycles, the kernels forward over 8"));
  }
  SECTION("no distance at all") {
    m.forwarding.reported.reset();
    CHECK_THAT(refusal(m, bytes, asked), Contains("'reported' is missing"));
  }
  SECTION("line rate without a clock in the file") {
    const Bytes unclocked = hardware_bytes(0);
    Manifest claims = hardware_manifest(unclocked, 300);
    claims.line_rate = true;
    CHECK_THAT(refusal(claims, unclocked, asked), Contains("does not state its kernel clock"));
  }
  SECTION("two ports on a card that has one") {
    m.card = asked.card = "u50";
    m.wiring = "bump-in-the-wire";
    CHECK_THAT(refusal(m, bytes, asked), Contains("the u50 has one"));
  }
}

TEST_CASE("each fault of a manifest's text is named") {
  const std::string text = manifest_text(manifest_of(xclbin_bytes()));
  struct Fault {
    std::string old_text;
    const char* new_text;
    const char* says;
  };
  const std::string spoken = "\"abi\": \"" + host_abi() + "\"";
  const auto fault = GENERATE_COPY(
      Fault{"\"mode\"", "\"mood\"", "unknown field 'mood'"},
      Fault{"\"manifest\": 1", "\"manifest\": 2", "manifest: found 2, an integer from 1 to 1"},
      Fault{spoken, "\"abi\": \"1\"", "two numbers such as '1.0'"},
      Fault{spoken, "\"abi\": \"1.0x\"", "two numbers such as '1.0'"},
      Fault{spoken, "\"abi\": \"1.65536\"", "two numbers such as '1.0'"},
      Fault{"\"declared\": 8", "\"declared\": 0", "forwarding: declared: found 0"},
      Fault{"\"declared\": 8", "\"declared\": 8, \"guessed\": 1", "unknown field 'guessed'"},
      Fault{"\"line_rate\": false", "\"line_rate\": 0", "true or false"},
      Fault{"\"line_rate\": false",
            "\"line_rate\": false, \"signature\": {\"algorithm\": \"rsa\", \"key_id\": \"a\", \"value\": \"b\"}",
            "algorithm: found 'rsa', allowed: ed25519"},
      Fault{"\"card\": \"emulated\"", "\"card\": \"u99\"", "card: found 'u99'"},
      Fault{"\"xclbin_sha256\": \"", "\"xclbin_sha256\": \"Z", "64 lower-case hexadecimal digits"});
  std::string wrong = text;
  const std::size_t at = wrong.find(fault.old_text);
  REQUIRE(at != std::string::npos);
  wrong.replace(at, fault.old_text.size(), fault.new_text);
  const auto read = read_manifest(wrong, "a.json");
  REQUIRE_FALSE(read.ok());
  INFO(read.error().message);
  CHECK_THAT(read.error().message, Contains(fault.says));
}

TEST_CASE("signatures are judged by the keys that are trusted") {
  const Folder folder;
  make_keys(folder, "ours");
  make_keys(folder, "theirs");
  const Bytes bytes = xclbin_bytes();
  Manifest m = manifest_of(bytes);
  Requirements asked = requirements();
  auto key = PublicKey::read(folder / "ours.pem");
  REQUIRE(key.ok());
  asked.trusted.push_back(*key);

  SECTION("not signed: allowed only where signatures are not required") {
    CHECK(check(m, bytes, "a.xclbin", asked)->signature == SignatureState::none);
    asked.signature_required = true;
    CHECK_THAT(refusal(m, bytes, asked), Contains("not signed, but signatures are required"));
  }
  SECTION("signed by a trusted key") {
    sign(m, folder / "ours.key");
    asked.signature_required = true;
    CHECK(check(m, bytes, "a.xclbin", asked)->signature == SignatureState::good);
  }
  SECTION("signed by another key") {
    sign(m, folder / "theirs.key");
    CHECK(check(m, bytes, "a.xclbin", asked)->signature == SignatureState::unknown_key);
    asked.signature_required = true;
    CHECK_THAT(refusal(m, bytes, asked), Contains("not among the 1 trusted keys"));
  }
  SECTION("changed after it was signed: refused even where none is required") {
    sign(m, folder / "ours.key");
    m.tool = "another";
    CHECK_THAT(refusal(m, bytes, asked), Contains("was changed after key"));
  }
  SECTION("a damaged signature, each character") {
    sign(m, folder / "ours.key");
    const std::string good = m.signature->value;
    for (std::size_t i = 0; i + 3 < good.size(); ++i) {
      m.signature->value = good;
      m.signature->value[i] = good[i] == 'A' ? 'B' : 'A';
      REQUIRE_THAT(refusal(m, bytes, asked), Contains("does not fit its text"));
    }
    m.signature->value = good.substr(0, 84);
    CHECK_THAT(refusal(m, bytes, asked), Contains("does not fit its text"));
  }
  SECTION("another's signature under our key's name") {
    sign(m, folder / "theirs.key");
    m.signature->key_id = key->id();
    CHECK_THAT(refusal(m, bytes, asked), Contains("does not fit its text"));
  }
}

TEST_CASE("keys that are no keys of ours are refused with a reason") {
  const Folder folder;
  make_keys(folder, "curve", "X25519");
  make_keys(folder, "ours");
  CHECK_THAT(PublicKey::read(folder / "curve.pem").error().message, Contains("not an Ed25519 key"));
  CHECK_THAT(PublicKey::read(folder / "none.pem").error().message, Contains("cannot be opened"));
  CHECK_THAT(PublicKey::read(folder / "ours.key").error().message, Contains("holds no public key"));
  CHECK_THAT(PrivateKey::read(folder / "ours.pem").error().message, Contains("mode"));
  REQUIRE(chmod((folder / "ours.key").c_str(), 0640) == 0);
  CHECK_THAT(PrivateKey::read(folder / "ours.key").error().message, Contains("mode 0640"));
  CHECK_THAT(read_trusted_keys(folder.path()).error().message, Contains("curve.pem"));
  CHECK_THAT(read_trusted_keys(folder / "nowhere").error().message, Contains("cannot be read"));
}

TEST_CASE("a bitstream is opened only with its manifest beside it, and comes as the bytes that were checked") {
  const Folder folder;
  const Bytes bytes = xclbin_bytes();
  const std::string file = folder / "a.xclbin";
  write(file, bytes.data(), bytes.size());
  CHECK_THAT(open_bitstream(file, requirements()).error().message, Contains("only with its manifest beside it"));
  const std::string text = manifest_text(manifest_of(bytes));
  write(folder / "a.json", text.data(), text.size());
  const auto opened = open_bitstream(file, requirements());
  REQUIRE(opened.ok());
  CHECK(opened->bytes == bytes);
  CHECK(opened->manifest.mode == "esp");
  write(file, bytes.data(), bytes.size() - 1);
  CHECK_THAT(open_bitstream(file, requirements()).error().message, Contains("the file is damaged"));
}
