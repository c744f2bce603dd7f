# pantryd_commands(OUT FOLDER): writes the table of subcommands from the files below FOLDER and puts
# its path into OUT. commands/load/find_max.cpp has to define load_find_max_command(); when it does
# not, the linker names the function that is missing.
function(pantryd_commands out folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE "${folder}" "${folder}/*.cpp")
  set(declarations "")
  set(rows "")
  foreach(source IN LISTS sources)
    string(REGEX REPLACE "\\.cpp$" "" name "${source}")
    string(REPLACE "/" "_" name "${name}")
    string(APPEND declarations "Command ${name}_command();\n")
    string(APPEND rows "      ${name}_command(),\n")
  endforeach()
  set(file "${CMAKE_CURRENT_BINARY_DIR}/commands.cpp")
  file(CONFIGURE OUTPUT "${file}" @ONLY CONTENT
"// Written by daemon/cli/commands.cmake from the files in daemon/cli/commands.
#include <algorithm>

#include \"cli/command.h\"

namespace pantryd::cli {

${declarations}
std::vector<Command> commands() {
  std::vector<Command> list{
${rows}  };
  std::sort(list.begin(), list.end(),
            [](const Command& a, const Command& b) { return a.name < b.name; });
  return list;
}

}  // namespace pantryd::cli
")
  set(${out} "${file}" PARENT_SCOPE)
endfunction()
