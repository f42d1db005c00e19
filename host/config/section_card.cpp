// [card]
#include "host/config/draft.hpp"
#include "host/config/words.hpp"

namespace linecrypt::config {
namespace {

constexpr Word<abi::CardMode> mode_words[] = {
    {"esp", abi::CardMode::esp}, {"macsec", abi::CardMode::macsec}, {"both", abi::CardMode::both}};
constexpr std::int64_t index_largest = 15;

}  // namespace

void read_card(Section section, Draft& draft) {
  Card card;
  card.place = section.place();
  const bool addressed = section.parsed("address", parse_pci_address, card.address);
  if (section.integer("index", 0, index_largest, card.index) && addressed)
    section.error("index", "index does nothing where address names the card");
  section.find("bitstream", Need::required);
  read_absolute_path(section, "bitstream", card.bitstream);
  section.word("mode", mode_words, card.mode);
  read_absolute_path(section, "trusted_keys", card.trusted_keys);
  section.boolean("allow_shared_node", card.allow_shared_node);
  section.finish();
  draft.card = &section.table();
  draft.config.card = std::move(card);
}

void check_card(Draft& draft, Report& report) {
  const OffloadMode mode = draft.config.gateway.offload;
  const auto offload = [&] { return draft.gateway->position_of("offload"); };
  if (draft.card != nullptr && mode == OffloadMode::software) {
    report.error(draft.card->at, "[card] does nothing with offload = \"software\", allowed: \"auto\", \"card\"");
  } else if (draft.card == nullptr && mode == OffloadMode::card) {
    report.error(offload(), "offload = \"card\" needs a [card] section that names the bitstream");
  } else if (draft.card == nullptr && mode == OffloadMode::automatic) {
    report.warning(offload(), "offload = \"auto\" without a [card] section: software does the work");
  }
}

}  // namespace linecrypt::config
