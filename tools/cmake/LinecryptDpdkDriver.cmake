# What DPDK drivers of ours stand on, beyond an application's part of DPDK: five headers that libdpdk-dev leaves out. A
# distribution's own are used where it has them; else those that tools/setup fetched for exactly the installed version.
set(LINECRYPT_DPDK_SOURCES ${CMAKE_SOURCE_DIR}/.cache/dpdk-${dpdk_pc_VERSION})
set(dpdk_driver_headers ethdev_driver.h ethdev_vdev.h cryptodev_pmd.h bus_vdev_driver.h dev_driver.h)

# Sets LINECRYPT_DPDK_DRIVERS (they can be built), and `where` to the headers' folder; empty: the system's own.
function(linecrypt_find_dpdk_driver_headers where)
  set(${where} "" PARENT_SCOPE)
  foreach(folder IN LISTS dpdk_pc_INCLUDE_DIRS LINECRYPT_DPDK_SOURCES)
    set(here TRUE)
    if(folder STREQUAL LINECRYPT_DPDK_SOURCES)
      string(APPEND folder /include)
      set(${where} ${folder} PARENT_SCOPE)
    endif()
    foreach(header IN LISTS dpdk_driver_headers)
      if(NOT EXISTS ${folder}/${header})
        set(here FALSE)
      endif()
    endforeach()
    if(here)
      set(LINECRYPT_DPDK_DRIVERS TRUE PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(LINECRYPT_DPDK_DRIVERS FALSE PARENT_SCOPE)
endfunction()

linecrypt_find_dpdk_driver_headers(dpdk_driver_folder)
if(NOT LINECRYPT_DPDK_DRIVERS)
  file(GLOB others RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/.cache/dpdk-*)
  if(NOT others)
    set(others none)
  endif()
  message(WARNING "The DPDK drivers are left out: DPDK ${dpdk_pc_VERSION} is installed without its driver headers "
    "(${dpdk_driver_headers}). tools/setup fetches them into .cache/dpdk-${dpdk_pc_VERSION}; there is: ${others}.")
  return()
endif()

add_library(linecrypt_dpdk_driver INTERFACE)
target_include_directories(linecrypt_dpdk_driver SYSTEM INTERFACE ${dpdk_driver_folder} ${dpdk_pc_INCLUDE_DIRS})
target_compile_options(linecrypt_dpdk_driver INTERFACE ${dpdk_pc_CFLAGS_OTHER})
target_compile_definitions(linecrypt_dpdk_driver INTERFACE ALLOW_INTERNAL_API ALLOW_EXPERIMENTAL_API)
foreach(library eal ethdev cryptodev security mbuf mempool net bus_vdev telemetry kvargs)
  find_library(dpdk_${library} rte_${library} REQUIRED HINTS ${dpdk_pc_LIBRARY_DIRS})
  target_link_libraries(linecrypt_dpdk_driver INTERFACE ${dpdk_${library}})
endforeach()

set(LINECRYPT_PLUGINS ${CMAKE_BINARY_DIR}/dpdk)

# linecrypt_dpdk_common(<target> <folder of the library> <what makes the engine without a card>...)
# Test builds put a faulty engine in that place.
function(linecrypt_dpdk_common target folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/driver/dpdk/common/*.cpp)
  list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/driver/dpdk/common/host_engine.cpp)
  add_library(${target} SHARED ${sources} ${ARGN})
  set(map ${CMAKE_SOURCE_DIR}/driver/dpdk/common/exports.map)
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME linecrypt_dpdk LIBRARY_OUTPUT_DIRECTORY ${folder} LINK_DEPENDS ${map}
    BUILD_RPATH ${LINECRYPT_MODULES} INSTALL_RPATH "$ORIGIN")
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(${target} PRIVATE linecrypt_options linecrypt_dpdk_driver linecrypt::card linecrypt::software
                        linecrypt::engines linecrypt::keys linecrypt::values fmt::fmt)
  target_link_options(${target} PRIVATE LINKER:--version-script=${map})
  if(NOT LINECRYPT_SANITIZE)
    target_link_options(${target} PRIVATE LINKER:--no-undefined)
  endif()
endfunction()

# linecrypt_dpdk_plugin(<target> <objects> <registration> [<definition>...]): librte_<target>.so.
function(linecrypt_dpdk_plugin target objects registration)
  add_library(rte_${target} MODULE ${registration} $<TARGET_OBJECTS:${objects}>)
  set_target_properties(rte_${target} PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY ${LINECRYPT_PLUGINS} CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    INSTALL_RPATH "$ORIGIN")
  target_compile_definitions(rte_${target} PRIVATE ${ARGN})
  target_link_libraries(rte_${target} PRIVATE linecrypt_options linecrypt_dpdk_driver linecrypt_dpdk_common fmt::fmt)
  if(NOT LINECRYPT_SANITIZE)
    target_link_options(rte_${target} PRIVATE LINKER:--no-undefined)
  endif()
endfunction()
