# One room = one library target saferl::<room>, its tests, its benches and its fuzz targets.
#
#   saferl_room(<room> [ROOMS a b] [EXTERNAL libs])
#
# Files are found by name: thing.cc is the library, thing_test.cc a test, thing_bench.cc a benchmark,
# thing_fuzz.cc a fuzz target (libFuzzer with SAFERL_FUZZ=ON, else a replay of its corpus plus mutations). Tests named
# *_rt_test.cc link the allocation and lock counters (saferl::rt_guard) and get the ctest label "rt".

# What nearly every file includes is parsed once: absl's StatusOr and the standard library for sources, googletest beside
# them for tests (two thirds of a file's compile time). Each file still includes what it uses: the coverage and fuzz
# presets, and tools/check, compile without. An include of a header of ours here would rebuild everything at each change.
set(SAFERL_PCH_HEADERS <algorithm> <array> <atomic> <charconv> <chrono> <cmath> <condition_variable> <cstdint> <filesystem>
                       <functional> <limits> <map> <memory> <mutex> <optional> <span> <string> <string_view> <thread>
                       <vector> <absl/status/statusor.h>)
if(SAFERL_PCH)
  foreach(kind source test)
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/pch_${kind}.cc CONTENT "// The headers of CMakeFiles/saferl_pch_${kind}.dir.\n")
    add_library(saferl_pch_${kind} OBJECT ${CMAKE_BINARY_DIR}/pch_${kind}.cc)
    target_precompile_headers(saferl_pch_${kind} PRIVATE ${SAFERL_PCH_HEADERS})
  endforeach()
  target_link_libraries(saferl_pch_source PRIVATE absl::statusor)
  target_link_libraries(saferl_pch_test PRIVATE absl::statusor GTest::gmock)
  target_precompile_headers(saferl_pch_test PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
endif()

# saferl_precompile(target kind): the target's files start from the precompiled headers of that kind.
function(saferl_precompile target kind)
  if(SAFERL_PCH)
    target_precompile_headers(${target} REUSE_FROM saferl_pch_${kind})
  endif()
endfunction()

function(saferl_room room)
  cmake_parse_arguments(ARG "" "" "ROOMS;EXTERNAL" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/saferl/${room}/*.cc)
  set(tests ${sources})
  set(rt_tests ${sources})
  set(benches ${sources})
  set(fuzzers ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz)\\.cc$|/rt_guard/")
  list(FILTER rt_tests INCLUDE REGEX "_rt_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER tests EXCLUDE REGEX "_rt_test\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")

  if(sources)
    add_library(saferl_${room} STATIC ${sources})
    target_include_directories(saferl_${room} PUBLIC ${CMAKE_SOURCE_DIR})
    saferl_precompile(saferl_${room} source)
    set(link PUBLIC)
  else()
    add_library(saferl_${room} INTERFACE)
    target_include_directories(saferl_${room} INTERFACE ${CMAKE_SOURCE_DIR})
    set(link INTERFACE)
  endif()
  add_library(saferl::${room} ALIAS saferl_${room})
  foreach(below IN LISTS ARG_ROOMS)
    target_link_libraries(saferl_${room} ${link} saferl::${below})
  endforeach()
  target_link_libraries(saferl_${room} ${link} ${ARG_EXTERNAL})

  saferl_test_program(${room}_tests saferl::${room} "unit" ${tests})
  saferl_test_program(${room}_rt_tests "saferl::${room};saferl::rt_guard" "rt" ${rt_tests})
  if(benches)
    add_executable(${room}_bench ${benches})
    target_link_libraries(${room}_bench PRIVATE saferl::${room} benchmark::benchmark_main)
    saferl_precompile(${room}_bench source)
  endif()
  foreach(file IN LISTS fuzzers)
    get_filename_component(name ${file} NAME_WE)
    add_executable(${name} ${file})
    saferl_precompile(${name} source)
    if(SAFERL_FUZZ)
      target_link_libraries(${name} PRIVATE saferl::${room} -fsanitize=fuzzer)
    else()
      # Without libFuzzer: the corpus and a fixed number of seeded mutations, as an ordinary test.
      target_link_libraries(${name} PRIVATE saferl_fuzz_replay saferl::${room})
      add_test(NAME ${name} COMMAND ${name} ${CMAKE_SOURCE_DIR}/tests/corpus/${name} 5000)
      set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 300)
    endif()
  endforeach()
endfunction()

# saferl_test_program(name libraries label files...): one gtest binary, one ctest entry.
function(saferl_test_program name libraries label)
  if(NOT ARGN)
    return()
  endif()
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE ${libraries} GTest::gmock GTest::gtest_main)
  saferl_precompile(${name} test)
  foreach(file IN LISTS ARGN)  # only who asks knows the tree's place: all else is shared through the compiler cache
    file(STRINGS ${file} asks REGEX "SAFERL_(SOURCE|BINARY)_DIR" LIMIT_COUNT 1)
    if(asks)
      set_source_files_properties(${file} PROPERTIES COMPILE_DEFINITIONS
        "SAFERL_SOURCE_DIR=\"${CMAKE_SOURCE_DIR}\";SAFERL_BINARY_DIR=\"${CMAKE_BINARY_DIR}\"")
    endif()
  endforeach()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 1200)
  if(label STREQUAL "rt")
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)  # these measure time
  endif()
endfunction()

# saferl_cross_tests(dir ROOMS ...): tests that cross rooms, one program per *_test.cc file.
function(saferl_cross_tests dir)
  cmake_parse_arguments(ARG "" "" "ROOMS" ${ARGN})
  list(TRANSFORM ARG_ROOMS PREPEND "saferl::")
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${dir}/*_test.cc)
  foreach(file IN LISTS files)
    get_filename_component(name ${file} NAME_WE)
    set(libraries ${ARG_ROOMS})
    if(name MATCHES "_rt_test$")
      list(APPEND libraries saferl::rt_guard)
    endif()
    saferl_test_program(${name} "${libraries}" "e2e" ${file})
  endforeach()
endfunction()

# Numeric kernels whose loops are worth unrolling and vectorising; arithmetic stays exact (no fast-math, no contraction).
set_source_files_properties(${CMAKE_SOURCE_DIR}/saferl/math/qp.cc ${CMAKE_SOURCE_DIR}/saferl/math/qp_check.cc
                            PROPERTIES COMPILE_OPTIONS "-O3" SKIP_PRECOMPILE_HEADERS ON)

# saferl_proto(name file.proto): messages and gRPC service of one file, generated into the build directory; what protoc
# writes is not held to our warnings.
function(saferl_proto name proto)
  set(out ${CMAKE_BINARY_DIR}/generated)
  string(REGEX REPLACE "\\.proto$" "" base ${out}/${proto})
  set(generated ${base}.pb.cc ${base}.grpc.pb.cc)
  add_custom_command(
    OUTPUT ${generated} ${base}.pb.h ${base}.grpc.pb.h
    COMMAND ${CMAKE_COMMAND} -E make_directory ${out}
    COMMAND protobuf::protoc -I ${CMAKE_SOURCE_DIR} --cpp_out=${out} --grpc_out=${out}
            --plugin=protoc-gen-grpc=${SAFERL_GRPC_PLUGIN} ${CMAKE_SOURCE_DIR}/${proto}
    DEPENDS ${CMAKE_SOURCE_DIR}/${proto})
  add_library(${name} STATIC ${generated})
  target_compile_options(${name} PRIVATE -w)
  target_include_directories(${name} SYSTEM PUBLIC ${out})
  target_link_libraries(${name} PUBLIC saferl_grpc)
endfunction()
