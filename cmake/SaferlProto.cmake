# saferl_proto(<room> <file.proto>): C++ messages and services of a file, made at build time and
# linked into saferl::<room>. Include them as "saferl/<room>/.../file.pb.h" and "file.grpc.pb.h", in
# the room's *grpc*.cc files only.
find_program(SAFERL_PROTOC protoc REQUIRED)
find_program(SAFERL_GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

function(saferl_proto room file)
  set(out ${CMAKE_BINARY_DIR}/generated)
  string(REGEX REPLACE "\\.proto$" "" stem ${file})
  set(made ${out}/${stem}.pb.cc ${out}/${stem}.pb.h ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
  add_custom_command(
    OUTPUT ${made}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${out}
    COMMAND ${SAFERL_PROTOC} -I ${CMAKE_SOURCE_DIR} --cpp_out=${out} --grpc_out=${out}
            --plugin=protoc-gen-grpc=${SAFERL_GRPC_CPP_PLUGIN} ${file}
    DEPENDS ${CMAKE_SOURCE_DIR}/${file}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    COMMENT "protoc ${file}" VERBATIM)
  string(MAKE_C_IDENTIFIER ${stem} name)
  add_library(${name}_proto STATIC ${made})
  target_include_directories(${name}_proto SYSTEM PUBLIC ${out})
  target_link_libraries(${name}_proto PUBLIC saferl_grpc)
  target_compile_options(${name}_proto PRIVATE -w)
  target_link_libraries(saferl_${room} PUBLIC ${name}_proto)
endfunction()
