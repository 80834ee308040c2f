# Compiler flags, sanitizers, fast linker, compiler cache and the external libraries, in one place.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

option(SAFERL_FUZZ "Build the libFuzzer targets (clang only)" OFF)
option(SAFERL_COVERAGE "Instrument for gcov" OFF)
option(SAFERL_PCH "Precompile the headers that most files include" ON)
set(SAFERL_SANITIZE "" CACHE STRING "Sanitizers: address,undefined or thread")

# Results must be bit-equal from run to run and from file to file: no contraction of a*b+c behind our back,
# no fast-math. Kernels that want FMA or AVX2 ask for it by name (target attribute) and dispatch at run time.
add_compile_options(-Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Werror -ffp-contract=off -fno-math-errno)
if(SAFERL_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # 2026-11-25: from a precompiled header g++ 12 forgets that std::string is a system header and reports what it gets
  # wrong there (GCC bugs 105329 and 105651). `cmake --preset release -DSAFERL_PCH=OFF` builds with these warnings on.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds> $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overread>
                      $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overflow> $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")
if(SAFERL_SANITIZE)
  add_compile_options(-fsanitize=${SAFERL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SAFERL_SANITIZE})
  add_compile_definitions(SAFERL_SANITIZED=1)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # 2026-11-25: a sanitizer's checks split blocks, after which g++ 12 sees std::regex and std::function read what they
    # never wrote (GCC's manual warns of this under -fsanitize). Builds without sanitizers keep the warning.
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>)
  endif()
endif()
if(SAFERL_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # coverage feedback from the libraries under test
endif()
if(SAFERL_COVERAGE)
  add_compile_options(--coverage -O1 -fprofile-update=atomic)  # threads count too
  add_link_options(--coverage)
  add_compile_definitions(SAFERL_COVERAGE=1)
endif()

find_program(SAFERL_MOLD mold)
if(SAFERL_MOLD AND NOT SAFERL_SANITIZE)
  add_link_options(-fuse-ld=mold)
endif()
find_program(SAFERL_CCACHE ccache)
if(SAFERL_CCACHE)
  # Neither the build directory nor the tree's own place is part of an object's identity: several trees share one cache.
  set(SAFERL_CCACHE ${CMAKE_COMMAND} -E env CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_SLOPPINESS=pch_defines,time_macros ${SAFERL_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SAFERL_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${SAFERL_CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(PkgConfig REQUIRED)

# urdfdom, MuJoCo and ONNX's message classes come without usable CMake packages: name them once, here.
pkg_check_modules(URDFDOM REQUIRED IMPORTED_TARGET urdfdom tinyxml)
add_library(saferl_urdf INTERFACE)
target_link_libraries(saferl_urdf INTERFACE PkgConfig::URDFDOM)

find_library(SAFERL_MUJOCO_LIBRARY mujoco REQUIRED)
find_path(SAFERL_MUJOCO_INCLUDE mujoco/mujoco.h REQUIRED)
add_library(saferl_mujoco INTERFACE)
target_link_libraries(saferl_mujoco INTERFACE ${SAFERL_MUJOCO_LIBRARY})
target_include_directories(saferl_mujoco SYSTEM INTERFACE ${SAFERL_MUJOCO_INCLUDE})

find_package(Protobuf REQUIRED)
find_library(SAFERL_ONNX_PROTO_LIBRARY onnx_proto REQUIRED)
add_library(saferl_onnx INTERFACE)
target_link_libraries(saferl_onnx INTERFACE ${SAFERL_ONNX_PROTO_LIBRARY} protobuf::libprotobuf)
target_compile_definitions(saferl_onnx INTERFACE ONNX_ML=1 ONNX_NAMESPACE=onnx)

# The service plane. Each library is included in its adapter files alone; Beast and Asio are compiled once.
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CURL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(PostgreSQL REQUIRED)
# Not linked: loaded when first used (base/late_library.h), so that who needs neither does not carry them.
add_library(saferl_curl_headers INTERFACE)
target_include_directories(saferl_curl_headers SYSTEM INTERFACE ${CURL_INCLUDE_DIRS})
add_library(saferl_pq_headers INTERFACE)
target_include_directories(saferl_pq_headers SYSTEM INTERFACE ${PostgreSQL_INCLUDE_DIRS})
find_package(Boost 1.81 REQUIRED)
add_library(saferl_boost INTERFACE)
target_link_libraries(saferl_boost INTERFACE Boost::headers)
target_compile_definitions(saferl_boost INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
                                                  BOOST_ASIO_NO_DEPRECATED)
if(SAFERL_SANITIZE STREQUAL "thread")
  # 2026-11-25: Asio has fences around handlers, which ThreadSanitizer does not model; its queues have mutexes as well.
  target_compile_options(saferl_boost INTERFACE -Wno-tsan)
endif()
pkg_check_modules(GRPC REQUIRED IMPORTED_TARGET grpc++)
add_library(saferl_grpc INTERFACE)
target_link_libraries(saferl_grpc INTERFACE PkgConfig::GRPC protobuf::libprotobuf)
find_program(SAFERL_GRPC_PLUGIN grpc_cpp_plugin REQUIRED)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
# It asks for _FILE_OFFSET_BITS=64: what 64-bit systems have anyway, and no precompiled header survives.
set_target_properties(PkgConfig::HIREDIS PROPERTIES INTERFACE_COMPILE_OPTIONS "" INTERFACE_COMPILE_DEFINITIONS "")
add_library(saferl_hiredis INTERFACE)
target_link_libraries(saferl_hiredis INTERFACE PkgConfig::HIREDIS)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
add_library(saferl_sodium INTERFACE)
target_link_libraries(saferl_sodium INTERFACE PkgConfig::SODIUM)
