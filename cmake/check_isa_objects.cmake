# Fails on a weak symbol in one of OBJECTS; touches STAMP otherwise. The pointer to the exception personality, which
# comes with a destructor to run, is data and the same at every level.
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} --defined-only -C ${object} OUTPUT_VARIABLE symbols RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${NM} could not read ${object}")
  endif()
  # The pointer to the exception handler is data, and the same at every level.
  string(REPLACE " V DW.ref.__gxx_personality_v0" "" symbols "${symbols}")
  string(REGEX MATCHALL "[^\n]* [VWu] [^\n]*" weak "${symbols}")
  list(FILTER weak EXCLUDE REGEX " V DW\\.ref\\.__gxx_personality_v0$")
  if(weak)
    list(JOIN weak "\n  " weak)
    message(FATAL_ERROR "weak symbols in ${object}:\n  ${weak}\nGive them internal linkage (an anonymous namespace) or inline them.")
  endif()
endforeach()
file(TOUCH ${STAMP})
