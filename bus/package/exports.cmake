# SPDX-License-Identifier: Apache-2.0
# exports.cmake - writes the linker's version script of libtickbus.so: the library exports what the public headers
# declare and hides everything else.
#
#    cmake -DCC=COMPILER -DINCLUDES=DIR:DIR -DSOURCE=outofline.c -DOUT=exports.map -P exports.cmake
#
# The headers are read after the preprocessor, because many of their functions are written by macros.
cmake_minimum_required(VERSION 3.22)
string(REPLACE ":" ";-I" includes "-I${INCLUDES}")
execute_process(COMMAND ${CC} -std=c17 -E -P ${includes} ${SOURCE} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)

set(name "(tbus|tick|itch|bbo|order|report|market|position|strat|strategy)_[a-z0-9_]+")
string(REGEX MATCHALL "${name} *\\(" names "${text}")
string(REGEX MATCHALL "extern const [a-z_]+ ${name}" data "${text}")
list(APPEND names ${data})
list(TRANSFORM names REPLACE "^(.* )?([a-z0-9_]+)( *\\()?$" "\\2")
list(SORT names)
list(REMOVE_DUPLICATES names)
list(LENGTH names count)
if(count LESS 100)
  message(FATAL_ERROR "found only ${count} names in the public headers: has the way they declare functions changed?")
endif()
list(JOIN names ";\n    " names)
file(CONFIGURE OUTPUT ${OUT} CONTENT "{\n  global:\n    ${names};\n  local:\n    *;\n};\n" @ONLY)
