# The AES-GCM bodies of host/software/aead/vaes, one object library each: only its file may hold the instructions of its width, and
# only a CPU that has them is led there. Optimised in every build: unrolled loops are what the source counts on, and what the checks
# of the disassembly look at.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(folder ${CMAKE_SOURCE_DIR}/host/software/aead/vaes)
  target_sources(linecrypt_software PRIVATE ${folder}/cpu_features.cpp ${folder}/provider.cpp)
  set(LINECRYPT_VAES_FLAGS_128 -mavx -maes -mpclmul)
  set(LINECRYPT_VAES_FLAGS_256 ${LINECRYPT_VAES_FLAGS_128} -mavx2 -mvaes -mvpclmulqdq)
  set(LINECRYPT_VAES_FLAGS_512 ${LINECRYPT_VAES_FLAGS_256} -mavx512f -mavx512bw -mavx512vl)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 warns about its own AVX-512 header. clang-tidy reads the same commands, and does not know all of them.
    list(APPEND LINECRYPT_VAES_FLAGS_512 -Wno-unknown-warning-option -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  foreach(width 128 256 512)
    add_library(linecrypt_vaes_${width} OBJECT ${folder}/body_${width}.cpp)
    set_target_properties(linecrypt_vaes_${width} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_include_directories(linecrypt_vaes_${width} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)
    target_link_libraries(linecrypt_vaes_${width} PRIVATE linecrypt_options)
    target_compile_options(linecrypt_vaes_${width} PRIVATE -O2 ${LINECRYPT_VAES_FLAGS_${width}})
    target_sources(linecrypt_software PRIVATE $<TARGET_OBJECTS:linecrypt_vaes_${width}>)
  endforeach()
else()
  target_sources(linecrypt_software PRIVATE ${CMAKE_SOURCE_DIR}/host/software/aead/vaes_absent/provider.cpp)
endif()
