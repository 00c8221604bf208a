# SPDX-License-Identifier: Apache-2.0
# run_checked(WHAT COMMAND...): stops with WHAT and all that was printed where the command fails; else ${output} is what
# it printed.
function(run_checked what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${what} failed (${result}):\n${output}\n${errors}")
  endif()
  string(STRIP "${output}" output)
  set(output "${output}" PARENT_SCOPE)
endfunction()
