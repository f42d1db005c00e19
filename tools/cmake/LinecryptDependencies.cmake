# Everything we stand on, from Debian 12 packages that tools/setup installs. System headers are marked SYSTEM: their warnings
# are not ours.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(fmt 9.1 REQUIRED)
find_package(absl 20220623 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 2.1 REQUIRED)

# linecrypt_pkg(<target> <pkg-config module>): an INTERFACE target whose include folders are SYSTEM.
function(linecrypt_pkg target module)
  pkg_check_modules(${target}_pc REQUIRED ${module})
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE ${${target}_pc_INCLUDE_DIRS})
  target_compile_options(${target} INTERFACE ${${target}_pc_CFLAGS_OTHER})
  target_link_directories(${target} INTERFACE ${${target}_pc_LIBRARY_DIRS})
  target_link_libraries(${target} INTERFACE ${${target}_pc_LINK_LIBRARIES})
endfunction()

linecrypt_pkg(linecrypt_libmnl libmnl)
linecrypt_pkg(linecrypt_pcap libpcap)
linecrypt_pkg(linecrypt_pci libpci)
linecrypt_pkg(linecrypt_tomlplusplus tomlplusplus)

# DPDK by the libraries we use: its pkg-config file names every one and would make each program load them all. The PMDs that we need
# (af_packet, tap, pcap, ring) are plug-ins that the EAL loads by itself.
pkg_check_modules(dpdk_pc REQUIRED libdpdk>=22.11)
add_library(linecrypt_dpdk INTERFACE)
target_include_directories(linecrypt_dpdk SYSTEM INTERFACE ${dpdk_pc_INCLUDE_DIRS})
target_compile_options(linecrypt_dpdk INTERFACE ${dpdk_pc_CFLAGS_OTHER})
foreach(library eal ethdev mbuf mempool ring rcu net kvargs bus_vdev)
  find_library(dpdk_${library} rte_${library} REQUIRED HINTS ${dpdk_pc_LIBRARY_DIRS})
  target_link_libraries(linecrypt_dpdk INTERFACE ${dpdk_${library}})
endforeach()
# What linecrypt-bench compares itself with.
add_library(linecrypt_dpdk_ipsec INTERFACE)
foreach(library ipsec hash cryptodev security)
  find_library(dpdk_${library} rte_${library} REQUIRED HINTS ${dpdk_pc_LIBRARY_DIRS})
  target_link_libraries(linecrypt_dpdk_ipsec INTERFACE ${dpdk_${library}})
endforeach()

find_library(ipsec_mb_library IPSec_MB REQUIRED)
find_path(ipsec_mb_include intel-ipsec-mb.h REQUIRED)
add_library(linecrypt_ipsec_mb INTERFACE)
target_include_directories(linecrypt_ipsec_mb SYSTEM INTERFACE ${ipsec_mb_include})
target_link_libraries(linecrypt_ipsec_mb INTERFACE ${ipsec_mb_library})

# Debian's cpp-httplib is a shared library: its classes have the shape that these definitions give them, so its own flags
# are not a matter of taste. (A program that links it should read host/software/aead/openssl_memory_at_start.hpp.)
linecrypt_pkg(linecrypt_httplib cpp-httplib)
target_link_libraries(linecrypt_httplib INTERFACE Threads::Threads)

# XRT's native C++ API. Debian's pkg-config file for it names folders that do not exist, so it is not asked.
find_path(xrt_include xrt.h REQUIRED PATH_SUFFIXES xrt)
find_library(xrt_coreutil_library xrt_coreutil REQUIRED)
find_library(uuid_library uuid REQUIRED)
add_library(linecrypt_xrt INTERFACE)
target_include_directories(linecrypt_xrt SYSTEM INTERFACE ${xrt_include})
target_link_libraries(linecrypt_xrt INTERFACE ${xrt_coreutil_library} ${uuid_library})

# Abseil's hash maps. Its own targets would bring the libraries of everything that they could use; the maps need one.
add_library(linecrypt_absl_maps INTERFACE)
target_link_libraries(linecrypt_absl_maps INTERFACE $<TARGET_FILE:absl::raw_hash_set>)
