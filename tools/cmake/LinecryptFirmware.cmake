# What kernels are compiled with on a host. linecrypt::firmware gives <ap_int.h>: ours, or the vendor's where
# LINECRYPT_AP_INT_DIR names a folder that has it.
set(LINECRYPT_AP_INT_DIR "" CACHE PATH "Folder with the vendor's ap_int.h (of Vitis HLS or of its open headers); empty: our stand-in")

add_library(linecrypt_firmware INTERFACE)
add_library(linecrypt::firmware ALIAS linecrypt_firmware)
target_include_directories(linecrypt_firmware INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)
if(LINECRYPT_AP_INT_DIR)
  if(NOT EXISTS ${LINECRYPT_AP_INT_DIR}/ap_int.h)
    message(FATAL_ERROR "LINECRYPT_AP_INT_DIR: ${LINECRYPT_AP_INT_DIR} has no ap_int.h; name a folder that has it, or leave it empty")
  endif()
  target_include_directories(linecrypt_firmware SYSTEM INTERFACE ${LINECRYPT_AP_INT_DIR})
  # Its default objects are undefined on purpose, and its operators make some.
  target_compile_options(linecrypt_firmware INTERFACE -Wno-uninitialized -Wno-maybe-uninitialized)
else()
  target_include_directories(linecrypt_firmware INTERFACE ${CMAKE_SOURCE_DIR}/firmware_hls/base/stand_in)
endif()

# The same with AES and carry-less products by the CPU's own instructions, for the emulated card; tests hold them to the
# kernels' text. Where the CPU has none of them it is the kernels' text. One program links one of the two.
add_library(linecrypt_firmware_fast INTERFACE)
add_library(linecrypt::firmware_fast ALIAS linecrypt_firmware_fast)
target_link_libraries(linecrypt_firmware_fast INTERFACE linecrypt_firmware)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  target_compile_definitions(linecrypt_firmware_fast INTERFACE LINECRYPT_HOST_ARITHMETIC)
  target_compile_options(linecrypt_firmware_fast INTERFACE -maes -mpclmul)
endif()
