# SPDX-License-Identifier: Apache-2.0
# private_names.cmake - gives the internal functions of libtickbus.a names that no program uses.
#
#    cmake -DARCHIVE=libtickbus.a -DEXPORTS=exports.map -DNM=nm -DOBJCOPY=objcopy -P private_names.cmake
#
# A static library cannot hide a function that several of its objects share. Without this a program that has a
# book_find() of its own could not link the library, whose books have one as well. Functions that start with tbus_ keep
# their names; the others become tbus_private_NAME. Debuggers show the names of the source.
cmake_minimum_required(VERSION 3.22)
file(READ ${EXPORTS} exports)
execute_process(COMMAND ${NM} --defined-only --extern-only --format=posix ${ARCHIVE} OUTPUT_VARIABLE symbols
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "(^|\n)[a-z][a-z0-9_]* [A-Z] " symbols "${symbols}")
set(renames)
foreach(symbol ${symbols})
  string(REGEX REPLACE "^\n?([a-z0-9_]+) .*" "\\1" symbol "${symbol}")
  if(NOT symbol MATCHES "^tbus_" AND NOT exports MATCHES "[ \n]${symbol};")
    string(APPEND renames "${symbol} tbus_private_${symbol}\n")
  endif()
endforeach()
file(WRITE ${ARCHIVE}.renames "${renames}")
execute_process(COMMAND ${OBJCOPY} --redefine-syms=${ARCHIVE}.renames ${ARCHIVE} COMMAND_ERROR_IS_FATAL ANY)
