# The emulated card: driver/card/model makes this folder, and a process that has the three variables below finds its card there.
set(LINECRYPT_EMULATED_CARD ${CMAKE_BINARY_DIR}/emulated_card)

# linecrypt_emulated_card_environment(<CTest test>... [CONFIGURATION <file.toml>])
# The tests run with the emulated card. (What they load must be built by a target of theirs; the library is built with `all`.)
function(linecrypt_emulated_card_environment)
  cmake_parse_arguments(ARG "" "CONFIGURATION" "" ${ARGN})
  set(environment "XILINX_XRT=set:${LINECRYPT_EMULATED_CARD}" "XRT_INI_PATH=set:${LINECRYPT_EMULATED_CARD}/xrt.ini"
      "XCL_EMULATION_MODE=set:hw_emu")
  if(ARG_CONFIGURATION)
    list(APPEND environment "LINECRYPT_MODEL=set:${ARG_CONFIGURATION}")
  endif()
  set_property(TEST ${ARG_UNPARSED_ARGUMENTS} APPEND PROPERTY ENVIRONMENT_MODIFICATION ${environment})
endfunction()
