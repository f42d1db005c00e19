# cmake -D SOURCE=<tree> -D OUT=<header> -P write_commit.cmake: the commit of the tree, as a header that changes only with it.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=* OUTPUT_VARIABLE commit
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT commit)
  set(commit "unknown (not built in a git checkout)")
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define LINECRYPT_COMMIT \"@commit@\"\n" @ONLY)
