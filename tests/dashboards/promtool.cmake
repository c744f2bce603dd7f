# Runs promtool on a file of dashboards/prometheus. Without promtool this fails: a check that was
# skipped looks like one that passed.
#   cmake -DMODE="check rules" -DFILE=a.yaml -P promtool.cmake
find_program(PROMTOOL promtool)
if(NOT PROMTOOL)
  message(FATAL_ERROR "promtool is missing. Install it with: apt-get install prometheus")
endif()
separate_arguments(mode UNIX_COMMAND "${MODE}")
execute_process(COMMAND "${PROMTOOL}" ${mode} "${FILE}" RESULT_VARIABLE code)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "promtool ${MODE} ${FILE}: exit code ${code}")
endif()
