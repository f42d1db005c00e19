#include "driver/card/engine/xrt_module.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include "driver/card/engine/engine.hpp"

namespace linecrypt::card {
namespace {

// Never unloaded: a thread that hangs in XRT may come back at any time.
Result<void*> load_module() {
  void* const module = dlopen(xrt_module_file, RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr)
    return Error{fmt::format("card: {} cannot be loaded: {}; it comes with linecrypt and needs libxrt1",
                             xrt_module_file, dlerror())};
  void* const symbol = dlsym(module, xrt_module_symbol);
  if (symbol == nullptr)
    return Error{fmt::format("card: {} has no {}; it is not of this linecrypt", xrt_module_file, xrt_module_symbol)};
  return symbol;
}

}  // namespace

Result<std::shared_ptr<CardPort>> open_xrt_port(const CardOptions& options) {
  static const Result<void*> module = load_module();
  if (!module) return module.error();
  return reinterpret_cast<XrtModuleOpen>(module.value())(options, xrt_module_version);
}

Result<std::unique_ptr<CardEngine>> make_card_engine(const CardOptions& options) {
  return make_look_aside_engine(options, open_xrt_port);
}

}  // namespace linecrypt::card
