# pantryd_embed(TARGET SYMBOL BASE_DIR FILE...): puts files into a static library, byte for byte.
# daemon/base/embedded.h reads them. The assembler's .incbin does the work, so that a large file
# costs no compile time.
function(pantryd_embed target symbol base_dir)
  set(assembly ".section .rodata\n")
  set(table "#include \"base/embedded.h\"\n\n#include <array>\n\n")
  set(entries "")
  set(index 0)
  foreach(file IN LISTS ARGN)
    file(RELATIVE_PATH name "${base_dir}" "${file}")
    set(label "${symbol}_${index}")
    string(APPEND assembly
      ".global ${label}_begin\n.global ${label}_end\n"
      "${label}_begin:\n.incbin \"${file}\"\n${label}_end:\n.byte 0\n")
    string(APPEND table
      "extern \"C\" const char ${label}_begin[];\nextern \"C\" const char ${label}_end[];\n")
    string(APPEND entries
      "      EmbeddedFile{\"${name}\", {${label}_begin, "
      "static_cast<std::size_t>(${label}_end - ${label}_begin)}},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  string(APPEND assembly ".section .note.GNU-stack,\"\",@progbits\n")
  string(APPEND table
    "\nnamespace pantryd::embedded {\n\nstd::span<const EmbeddedFile> ${symbol}() {\n"
    "  static const std::array<EmbeddedFile, ${index}> files{\n${entries}  };\n"
    "  return files;\n}\n\n"
    "}  // namespace pantryd::embedded\n")
  set(assembly_file "${CMAKE_CURRENT_BINARY_DIR}/${symbol}.S")
  set(table_file "${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cpp")
  file(CONFIGURE OUTPUT "${assembly_file}" CONTENT "${assembly}" @ONLY)
  file(CONFIGURE OUTPUT "${table_file}" CONTENT "${table}" @ONLY)
  set_source_files_properties("${assembly_file}" PROPERTIES OBJECT_DEPENDS "${ARGN}")
  add_library(${target} STATIC "${assembly_file}" "${table_file}")
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}/daemon")
  set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
endfunction()
