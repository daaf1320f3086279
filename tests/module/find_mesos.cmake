# How FindMesos finds a Mesos, and what it says where it can't: cmake -DMODULES=FOLDER -DDIR=FOLDER -P find_mesos.cmake
# The Mesos are files with nothing in them but a version; no header is compiled.
file(REMOVE_RECURSE ${DIR})
file(WRITE ${DIR}/project/CMakeLists.txt [[
cmake_minimum_required(VERSION 3.21)
project(find LANGUAGES NONE)
set(CMAKE_FIND_LIBRARY_PREFIXES lib)
set(CMAKE_FIND_LIBRARY_SUFFIXES .so)
find_package(Mesos)
if(TARGET Mesos::Mesos)
  get_target_property(links Mesos::Mesos INTERFACE_LINK_LIBRARIES)
endif()
message("found=${Mesos_FOUND} version=${Mesos_VERSION} links=${links} includes=${Mesos_INCLUDE_DIRS}")
]])
foreach(mesos one two)
  file(WRITE ${DIR}/${mesos}/include/mesos/version.hpp "#define MESOS_VERSION \"${mesos}\"\n")
  file(WRITE ${DIR}/${mesos}/lib/libmesos.so "")
endforeach()
file(MAKE_DIRECTORY ${DIR}/one/lib/mesos/3rdparty/include)
file(WRITE ${DIR}/build/include/mesos/version.hpp "#define MESOS_VERSION \"three\"\n")
file(WRITE ${DIR}/build/src/.libs/libmesos.so "")
file(MAKE_DIRECTORY ${DIR}/build/3rdparty/boost-1.81.0)

# configure(SAYS... GIVEN FLAG...): with these flags, in the same build tree as before, CMake says all of this.
function(configure)
  cmake_parse_arguments(PARSE_ARGV 0 this "" "" "SAYS;GIVEN")
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${DIR}/project -B ${DIR}/cmake -DCMAKE_MODULE_PATH=${MODULES} ${this_GIVEN}
                  OUTPUT_VARIABLE said ERROR_VARIABLE said)
  string(REGEX REPLACE "[ \n]+" " " said "${said}")  # errors are wrapped
  foreach(one ${this_SAYS})
    string(FIND "${said}" "${one}" at)
    if(at EQUAL -1)
      message(SEND_ERROR "with \"${this_GIVEN}\" CMake does not say \"${one}\", but: ${said}")
    endif()
  endforeach()
endfunction()

configure(SAYS "found=FALSE")
configure(GIVEN -DMesos_ROOT=${DIR}/one -DMESOS_EXTRA_INCLUDES=/extra
          SAYS "version=one links=${DIR}/one/lib/libmesos.so includes=/extra" "${DIR}/one/lib/mesos/3rdparty/include")
# What it was given before is not what it finds now.
configure(GIVEN -DMesos_ROOT=${DIR}/two -DMESOS_EXTRA_INCLUDES=
          SAYS "version=two links=${DIR}/two/lib/libmesos.so includes=${DIR}/two/include")
configure(GIVEN -DMESOS_SOURCE_DIR=${DIR}/source -DMESOS_BUILD_DIR=${DIR}/build SAYS "clear one with -DMesos_ROOT=")
configure(GIVEN -DMesos_ROOT= SAYS "version=three links=${DIR}/build/src/.libs/libmesos.so includes=${DIR}/build/include"
          "${DIR}/source/3rdparty/stout/include" "${DIR}/build/3rdparty/boost-1.81.0")
configure(GIVEN -DMESOS_BUILD_DIR= SAYS "MESOS_SOURCE_DIR and MESOS_BUILD_DIR must be set both")
configure(GIVEN -DMESOS_SOURCE_DIR= -DMesos_ROOT=${DIR}/none SAYS "There is no ${DIR}/none/include/mesos/version.hpp: name")
configure(GIVEN -DMesos_ROOT= SAYS "found=FALSE")
file(REMOVE_RECURSE ${DIR})
