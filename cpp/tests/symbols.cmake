# An object file of kernels defines one symbol that other files see: its table. A second copy of an
# inline function would be compiled for the instruction set, and the linker might keep that one.
execute_process(COMMAND "${NM}" --defined-only --extern-only -C "${OBJECT}"
  OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "[0-9a-f]* *([A-Za-z]) ([^\n]*)\n" "\\2;" symbols "${listing}")
list(REMOVE_ITEM symbols "")
if(NOT symbols STREQUAL TABLE)
  message(FATAL_ERROR "${OBJECT} is to define ${TABLE} alone; it defines:\n${listing}")
endif()
