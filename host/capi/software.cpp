#include "linecrypt/software.hpp"

#include "host/software/engine.hpp"

namespace linecrypt {

namespace {

software::ProviderChoice choice_of(SoftwareProvider provider) {
  switch (provider) {
    case SoftwareProvider::ipsec_mb:
      return software::ProviderChoice::ipsec_mb;
    case SoftwareProvider::openssl:
      return software::ProviderChoice::openssl;
    case SoftwareProvider::vaes:
      return software::ProviderChoice::vaes;
    case SoftwareProvider::automatic:
      break;
  }
  return software::ProviderChoice::automatic;
}

}  // namespace

Result<std::unique_ptr<Engine>> create_software_engine(SoftwareProvider provider) {
  return software::make_software_engine({choice_of(provider)});
}

}  // namespace linecrypt
