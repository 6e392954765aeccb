# Compiles every op's CPU loops once per ISA level.
#
# Gives FASTDL_ISA_OBJECTS, FASTDL_ISA_DEFINITIONS (FASTDL_BUILD_<LEVEL>=1) and FASTDL_BASELINE_FLAGS, and
# fastdl_check_isa_objects(target), which fails the build on a weak symbol in a per-ISA object: the linker would pick one
# copy for all levels, and an old CPU would run the newest one's instructions.

option(FASTDL_LOWER_AVX512 "For tests on a CPU without AVX-512: run its 64-byte loops as AVX2 instructions" OFF)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  set(FASTDL_ISAS baseline avx2 avx512)
  set(FASTDL_FLAGS_baseline -march=x86-64-v2)
  # No more than core/cpu_features.cpp asks the processor for.
  set(FASTDL_FLAGS_avx2 -march=x86-64-v2 -mavx2 -mfma -mf16c)
  if(FASTDL_LOWER_AVX512)
    set(FASTDL_FLAGS_avx512 ${FASTDL_FLAGS_avx2})
  else()
    set(FASTDL_FLAGS_avx512 ${FASTDL_FLAGS_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
  endif()
  set(FASTDL_BYTES_baseline 16)
  set(FASTDL_BYTES_avx2 32)
  set(FASTDL_BYTES_avx512 64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
  set(FASTDL_ISAS neon)
  set(FASTDL_BYTES_neon 16)
else()
  set(FASTDL_ISAS baseline)
  set(FASTDL_BYTES_baseline 16)
endif()
set(FASTDL_ONLY_ISAS "" CACHE STRING "The ISA levels to build, a list; empty for all that the architecture has")
if(FASTDL_ONLY_ISAS)
  set(FASTDL_ISAS ${FASTDL_ONLY_ISAS})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC's own AVX-512 intrinsics start from an undefined vector, and its warning comes after inlining.
  list(APPEND FASTDL_FLAGS_avx512 -Wno-maybe-uninitialized -Wno-uninitialized)
endif()
set(FASTDL_BASELINE_FLAGS ${FASTDL_FLAGS_baseline})

# Optimised in every build type: at -O0 inline functions of the standard library become weak symbols.
set(FASTDL_ISA_OPTIONS -O2)

set(FASTDL_ISA_OBJECTS "")
set(FASTDL_ISA_DEFINITIONS "")
foreach(isa IN LISTS FASTDL_ISAS)
  set(sources "")
  foreach(op IN LISTS FASTDL_OPS)
    set(source ${CMAKE_BINARY_DIR}/isa/${isa}/${op}.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT "#include \"ops/${op}/${op}_cpu.inl.h\"\n")
    list(APPEND sources ${source})
  endforeach()
  set(source ${CMAKE_BINARY_DIR}/isa/${isa}/probe.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "#include \"backends/probe_cpu.inl.h\"\n")
  list(APPEND sources ${source})
  add_library(fastdl_${isa} OBJECT ${sources})
  target_include_directories(fastdl_${isa} PRIVATE ${CMAKE_SOURCE_DIR}/csrc)
  target_compile_definitions(fastdl_${isa} PRIVATE FASTDL_ISA=${isa} FASTDL_VECTOR_BYTES=${FASTDL_BYTES_${isa}})
  target_compile_options(fastdl_${isa} PRIVATE ${FASTDL_FLAGS_${isa}} ${FASTDL_ISA_OPTIONS})
  list(APPEND FASTDL_ISA_OBJECTS $<TARGET_OBJECTS:fastdl_${isa}>)
  string(TOUPPER ${isa} level)
  list(APPEND FASTDL_ISA_DEFINITIONS FASTDL_BUILD_${level}=1)
endforeach()

if(FASTDL_LOWER_AVX512)
  list(APPEND FASTDL_ISA_DEFINITIONS FASTDL_LOWER_AVX512=1)
endif()

function(fastdl_check_isa_objects target)
  if(NOT CMAKE_NM OR FASTDL_SANITIZE)
    return()
  endif()
  add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/isa/checked
    COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} "-DOBJECTS=${FASTDL_ISA_OBJECTS}" -DSTAMP=${CMAKE_BINARY_DIR}/isa/checked
            -P ${CMAKE_SOURCE_DIR}/cmake/check_isa_objects.cmake
    DEPENDS ${FASTDL_ISA_OBJECTS} ${CMAKE_SOURCE_DIR}/cmake/check_isa_objects.cmake
    COMMENT "Looking for weak symbols in the per-ISA objects"
    VERBATIM)
  add_custom_target(check_isa_objects DEPENDS ${CMAKE_BINARY_DIR}/isa/checked)
  add_dependencies(${target} check_isa_objects)
endfunction()
