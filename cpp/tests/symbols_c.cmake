# The shared library of the C interface shows its functions and nothing else.
cmake_policy(VERSION 3.20)
execute_process(COMMAND "${NM}" --dynamic --defined-only --extern-only "${LIBRARY}"
  OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "[0-9a-f]* *[A-Za-z] ([^\n]*)\n" "\\1;" symbols "${listing}")
list(REMOVE_ITEM symbols "")
file(STRINGS "${HEADER}" lines REGEX "^HEADRACE_C_API")
list(TRANSFORM lines REPLACE "^.*[ *](headrace_[a-z_]+)\\(.*$" "\\1" OUTPUT_VARIABLE declared)
list(SORT symbols)
list(SORT declared)
if(NOT symbols STREQUAL declared)
  message(FATAL_ERROR "${LIBRARY} is to show ${declared}; it shows:\n${listing}")
endif()
