#include "driver/card/model/card.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "linecrypt/abi/registers.hpp"

namespace linecrypt::card_model {
namespace {

unsigned char* memory_of_card(void* self, std::uint64_t address, std::uint64_t length) {
  return static_cast<CardMemory*>(self)->live(address, length);
}

}  // namespace

Card::Card(unsigned index, CardConfiguration configuration, std::uint64_t seed)
    : index_(index), configuration_(std::move(configuration)), seed_(seed), random_(seed) {
  host_ = linecrypt_card_host{&memory_, memory_of_card};
  slow_ = configuration_.slow;
  for (const Fault& fault : configuration_.faults) faults_.add(fault);
  wake_event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

Card::~Card() {
  stop();
  drop_fabric();
  ::close(wake_event_);
}

Card::Guard Card::enter() {
  waiting_.fetch_add(1);
  Guard guard(mutex_);
  waiting_.fetch_sub(1);
  return guard;
}

int Card::refuse_in_words(int reason, const std::string& why) {
  ++counters_.refused;
  last_refusal_ = why;
  log_error("card {}: {}", index_, why);
  return -reason;
}

std::string Card::last_refusal() {
  Guard guard = enter();
  return last_refusal_;
}

Session* Card::open() {
  Guard guard = enter();
  strike();
  if (link_ == Link::lost) {
    (void)refuse(ENODEV, "opening: the card is lost");
    return nullptr;
  }
  const auto free = std::find_if(sessions_.begin(), sessions_.end(), [](const Session& one) { return !one.open; });
  Session& session = free == sessions_.end() ? sessions_.emplace_back() : *free;
  session.card = this;
  session.open = true;
  ++counters_.opens;
  ++counters_.open_now;
  return &session;
}

void Card::close(Session& session) {
  Guard guard = enter();
  if (!session.open) return;
  // What still runs for this session keeps its packet, and nobody is told of its end.
  pending_.remove_if([&](const Command& command) { return command.session == &session; });
  for (const auto& unit : plain_)
    if (unit->session == &session) unit->session = nullptr;
  for (const auto& [handle, buffer] : session.buffers)
    if (buffer->address) memory_.release(*buffer->address);
  session.buffers.clear();
  session.holds.clear();
  session.completed = session.reported = 0;
  session.open = false;
  --counters_.open_now;
}

int Card::load(const axlf* top) {
  auto read = read_design(top, configuration_.bank_bytes);
  Guard guard = enter();
  strike();
  if (link_ == Link::lost) return refuse(ENODEV, "loading an xclbin: the card is lost");

  // 1. Whole, and meant for this kind of card.
  if (!read) return refuse(EINVAL, "loading an xclbin: {}", read.error().message);
  Design design = std::move(*read);

  // 2. The one that is loaded already is not downloaded again: registers and tables stay as they are.
  if (loaded_ && design.uuid == design_.uuid) return 0;

  // 3. Nobody may be using what it would replace.
  for (const Session& session : sessions_)
    if (!session.holds.empty()) return refuse(EBUSY, "loading an xclbin: compute units of the loaded one are in use");
  const bool busy = std::any_of(plain_.begin(), plain_.end(), [](const auto& unit) { return unit->busy; });
  if (busy || !pending_.empty()) return refuse(EBUSY, "loading an xclbin: compute units of the loaded one are running");
  if (memory_.buffers() != 0 && !memory_.holds(design.banks))
    return refuse(EBUSY, "loading an xclbin: its memory banks differ, and {} buffers are alive", memory_.buffers());

  // 4. The new one must work before the old one goes.
  auto loaded = Image::load(design.image);
  if (!loaded) return refuse(EINVAL, "loading an xclbin: {}", loaded.error().message);
  const std::shared_ptr<Image> image = std::move(*loaded);
  if (auto opened = ports_.open(configuration_.ports); !opened) return refuse(EIO, "{}", opened.error().message);
  const CardImage* interface = image->card();
  std::vector<std::uint32_t> places;
  if (interface != nullptr) {
    if (interface->api != LINECRYPT_CARD_IMAGE_API)
      return refuse(EINVAL, "loading an xclbin: its card image has interface {}, this card {}", interface->api,
                    LINECRYPT_CARD_IMAGE_API);
    std::string names;
    for (std::uint32_t i = 0; i < interface->kernels; ++i) names += fmt::format(" {}", interface->kernel_names[i]);
    const auto place = [&](const std::string& name) {
      return static_cast<std::uint32_t>(
          std::find(interface->kernel_names, interface->kernel_names + interface->kernels, name) -
          interface->kernel_names);
    };
    for (const Unit& unit : design.units) places.push_back(place(unit.name));
    for (const std::string& name : design.free_running) places.push_back(place(name));
    for (std::size_t i = 0; i < places.size(); ++i)
      if (places[i] == interface->kernels)
        return refuse(EINVAL, "loading an xclbin: {} is not in its card image, which has{}",
                      i < design.units.size() ? design.units[i].name : design.free_running[i - design.units.size()],
                      names);
  } else {
    for (const Unit& unit : design.units)
      if (image->plain(unit.kernel) == nullptr)
        return refuse(EINVAL,
                      "loading an xclbin: its shared object has neither linecrypt_card_image nor linecrypt_plain_{}",
                      unit.kernel);
  }

  // 5. The download.
  drop_fabric();
  design.image.clear();
  design_ = std::move(design);
  memory_.arrange(design_.banks);
  image_ = image;
  interface_ = interface;
  image_kernel_ = std::move(places);
  loaded_ = true;
  ++counters_.downloads;
  link_ = Link::well;
  restart_fabric();
  log_info("card {}: loaded an xclbin with {} compute units", index_, design_.units.size());
  return 0;
}

void Card::drop_fabric() {
  base_ = time();
  if (card_ != nullptr) interface_->destroy(card_);
  card_ = nullptr;
  stop_units();
  loaded_ = false;
  interface_ = nullptr;
  image_.reset();
}

// As after configuration: registers and tables zero, nothing in flight. Precondition: loaded_.
void Card::restart_fabric() {
  base_ = time();
  if (card_ != nullptr) interface_->destroy(card_);
  card_ = nullptr;
  stop_units();
  if (interface_ != nullptr) {
    card_ = interface_->create(&host_, seed_ + counters_.downloads);
    start_clock();
    return;
  }
  for (const Unit& unit : design_.units) {
    auto plain = std::make_shared<PlainUnit>();
    plain->unit = unit;
    plain->function = image_->plain(unit.kernel);
    plain->registers.resize(unit.range);
    ++unit_threads_;
    std::thread([this, plain, image = image_]() mutable { serve(plain, image); }).detach();
    plain_.push_back(std::move(plain));
  }
}

int Card::hold_unit(Session& session, const std::uint8_t* uuid, std::uint32_t unit, bool exclusive) {
  Guard guard = enter();
  strike();
  if (gone())
    return refuse(ENODEV, "opening compute unit {}: the card is {}", unit, link_ == Link::lost ? "lost" : "blank");
  if (!loaded_ || std::memcmp(uuid, design_.uuid.data(), design_.uuid.size()) != 0)
    return refuse(EINVAL, "opening compute unit {}: another xclbin is loaded", unit);
  constexpr std::uint32_t virtual_unit = ~0U;  // XRT's hold on the xclbin itself
  if (unit != virtual_unit && unit >= design_.units.size())
    return refuse(EINVAL, "opening compute unit {}: the xclbin has {}", unit, design_.units.size());
  for (const Session& other : sessions_) {
    const auto held = other.holds.find(unit);
    if (held != other.holds.end() && unit != virtual_unit && (exclusive || held->second.exclusive))
      return refuse(EBUSY, "opening {}{}: it is in use", design_.units[unit].name, exclusive ? " for itself" : "");
  }
  auto& hold = session.holds[unit];
  hold.exclusive = exclusive;
  ++hold.count;
  return 0;
}

int Card::let_go_unit(Session& session, std::uint32_t unit) {
  Guard guard = enter();
  const auto held = session.holds.find(unit);
  if (held == session.holds.end()) return gone() ? 0 : refuse(EINVAL, "closing compute unit {}: it is not open", unit);
  if (--held->second.count == 0) session.holds.erase(held);
  return 0;
}

int Card::read_register(Session& session, std::uint32_t unit, std::uint32_t offset, std::uint32_t* value) {
  Guard guard = enter();
  ++counters_.register_reads;
  tick();
  strike();
  if (gone()) {
    *value = abi::lost_value;
    return 0;
  }
  if (!session.holds.contains(unit)) return refuse(EPERM, "reading compute unit {}: it is not open", unit);
  if (unit >= design_.units.size() || offset % 4 != 0 || offset > design_.units[unit].range - 4)
    return refuse(EINVAL, "reading compute unit {}: no register at {:#x}", unit, offset);
  *value = card_ != nullptr ? interface_->read_register(card_, image_kernel_[unit], offset)
                            : read_plain(*plain_[unit], offset);
  return 0;
}

int Card::write_register(Session& session, std::uint32_t unit, std::uint32_t offset, std::uint32_t value) {
  Guard guard = enter();
  ++counters_.register_writes;
  tick();
  strike();
  if (gone()) return 0;
  if (!session.holds.contains(unit)) return refuse(EPERM, "writing compute unit {}: it is not open", unit);
  if (unit >= design_.units.size() || offset % 4 != 0 || offset > design_.units[unit].range - 4)
    return refuse(EINVAL, "writing compute unit {}: no register at {:#x}", unit, offset);
  if (card_ != nullptr)
    interface_->write_register(card_, image_kernel_[unit], offset, value);
  else
    write_plain(*plain_[unit], offset, value);
  wake();
  return 0;
}

int Card::find_register(std::uint64_t address, std::uint32_t& unit, std::uint32_t& offset) {
  Guard guard = enter();
  for (unit = 0; unit < design_.units.size(); ++unit) {
    const Unit& one = design_.units[unit];
    if (address < one.base || address - one.base >= one.range) continue;
    offset = static_cast<std::uint32_t>(address - one.base);
    return 0;
  }
  return refuse(EINVAL, "no compute unit at address {:#x}", address);
}

int Card::reset_by_host() {
  Guard guard = enter();
  strike();
  if (gone()) return refuse(ENODEV, "reset: the card is {}", link_ == Link::lost ? "lost" : "blank");
  apply(Fault{FaultKind::reset, 0, 0});
  return 0;
}

void Card::stop() {
  Guard guard = enter();
  quit_ = true;
  stop_units();
  wake();
  // A plain kernel in the middle of its work is not waited for longer than this.
  threads_ended_.wait_for(guard, std::chrono::seconds(2), [&] { return unit_threads_ == 0; });
  guard.unlock();
  if (clock_thread_.joinable()) clock_thread_.join();
}

}  // namespace linecrypt::card_model
