find_package(Python3 REQUIRED COMPONENTS Interpreter)

# The forwarding distance that the kernels declare, from their own source.
function(linecrypt_declared_distance variable)
  set(source ${CMAKE_SOURCE_DIR}/firmware_hls/tables/depths.hpp)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(STRINGS ${source} line REGEX "constexpr u32 memory_distance = [0-9]+")
  if(NOT line MATCHES "memory_distance = ([0-9]+)")
    message(FATAL_ERROR "${source}: 'constexpr u32 memory_distance = <cycles>;' is not there")
  endif()
  set(${variable} ${CMAKE_MATCH_1} PARENT_SCOPE)
endfunction()

# linecrypt_xclbin(<name> IMAGE <shared library target> SPEC <json> [WIRING <wiring>] [DECLARED_DISTANCE <cycles>])
# The emulated card's xclbin and its manifest: <build>/bitstreams/<name>.xclbin and <name>.json, target <name>.
# Property LINECRYPT_XCLBIN of the target is the file's path. D defaults to the distance that the kernels declare.
function(linecrypt_xclbin name)
  cmake_parse_arguments(ARG "" "IMAGE;SPEC;WIRING;DECLARED_DISTANCE" "" ${ARGN})
  if(NOT ARG_IMAGE OR NOT ARG_SPEC)
    message(FATAL_ERROR "linecrypt_xclbin(${name}): IMAGE and SPEC are needed")
  endif()
  if(NOT ARG_DECLARED_DISTANCE)
    linecrypt_declared_distance(ARG_DECLARED_DISTANCE)
  endif()
  set(wiring)
  if(ARG_WIRING)
    set(wiring --wiring ${ARG_WIRING})
  endif()
  cmake_path(ABSOLUTE_PATH ARG_SPEC BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE spec)
  set(folder ${CMAKE_BINARY_DIR}/bitstreams)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(
    OUTPUT ${folder}/${name}.xclbin ${folder}/${name}.json
    COMMAND linecrypt-xclbin make --spec ${spec} --image $<TARGET_FILE:${ARG_IMAGE}> --out ${folder}/${name}.xclbin
            --tool "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}, emulated" --declared-distance ${ARG_DECLARED_DISTANCE} ${wiring}
    DEPENDS linecrypt-xclbin ${ARG_IMAGE} ${spec}
    COMMENT "Packing ${name}.xclbin for the emulated card" VERBATIM)
  add_custom_target(${name} DEPENDS ${folder}/${name}.xclbin ${folder}/${name}.json)
  set_target_properties(${name} PROPERTIES LINECRYPT_XCLBIN ${folder}/${name}.xclbin)
endfunction()

# Targets bitstream-<card>-<mode>-<wiring>, and bitstream-<card>-<mode> for look-aside: they run Vitis where it is installed, otherwise
# fail and say what is missing. Only combinations that fit the budget have one; `budget.py` names why another does not.
function(linecrypt_bitstream_targets)
  set(link ${CMAKE_SOURCE_DIR}/firmware_hls/link)
  linecrypt_declared_distance(distance)
  # Whoever edits the data without writing the files again learns it here.
  execute_process(COMMAND ${Python3_EXECUTABLE} -B ${link}/connectivity.py check RESULT_VARIABLE differs)
  if(differs)
    message(FATAL_ERROR "firmware_hls/link: the link configurations are not those of cards.json and costs.json")
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${link}/cards.json ${link}/costs.json ${link}/connectivity.py ${link}/budget.py)
  file(GLOB configurations CONFIGURE_DEPENDS RELATIVE ${link} ${link}/*.cfg)
  foreach(configuration IN LISTS configurations)
    string(REGEX MATCH "^(u[0-9c]+)-(esp|macsec|both)-(.+)\\.cfg$" matched ${configuration})
    set(card ${CMAKE_MATCH_1})
    set(mode ${CMAKE_MATCH_2})
    set(wiring ${CMAKE_MATCH_3})
    add_custom_target(bitstream-${card}-${mode}-${wiring}
      COMMAND ${Python3_EXECUTABLE} -B ${link}/build.py ${card} ${mode} ${wiring} --out ${CMAKE_BINARY_DIR}/bitstreams/${card}-${mode}-${wiring}
              --tool $<TARGET_FILE:linecrypt-xclbin> --distance ${distance}
      DEPENDS linecrypt-xclbin USES_TERMINAL VERBATIM)
    if(wiring STREQUAL "look-aside")
      add_custom_target(bitstream-${card}-${mode})
      add_dependencies(bitstream-${card}-${mode} bitstream-${card}-${mode}-look-aside)
    endif()
  endforeach()
endfunction()
