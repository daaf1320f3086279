# Finds the headers of Mesos and of what they include, for modules.
#
#   Mesos_ROOT            the prefix of an installed Mesos, such as /usr or /usr/local; or
#   MESOS_SOURCE_DIR      its source tree, and
#   MESOS_BUILD_DIR       the tree that it was built in (by autotools or cmake), for what protoc and configure made;
#   MESOS_EXTRA_INCLUDES  more folders with headers, searched first: those of protobuf, glog, boost, picojson, rapidjson,
#                         elfio, apr and svn, where they are not in the compiler's path and not bundled.
#
# Makes Mesos::Mesos, and sets Mesos_FOUND, Mesos_VERSION and Mesos_INCLUDE_DIRS. Nothing is searched for where none of the
# variables is set: a module fits one agent only, so which one it is must be said.
set(MESOS_SOURCE_DIR "" CACHE PATH "Source tree of Mesos")
set(MESOS_BUILD_DIR "" CACHE PATH "Build tree of Mesos")
set(MESOS_EXTRA_INCLUDES "" CACHE STRING "More include folders for Mesos' headers")

if(Mesos_ROOT AND (MESOS_SOURCE_DIR OR MESOS_BUILD_DIR))
  message(FATAL_ERROR "Mesos_ROOT names one Mesos and MESOS_SOURCE_DIR and MESOS_BUILD_DIR name another, and a module is for one "
                      "only; CMake remembers what it was once given: clear one with -DMesos_ROOT= or with "
                      "-DMESOS_SOURCE_DIR= -DMESOS_BUILD_DIR=")
endif()

set(Mesos_INCLUDE_DIRS ${MESOS_EXTRA_INCLUDES})
set(_mesos_version_file "")
unset(Mesos_LIBRARY CACHE) # of the Mesos that was named before
unset(Mesos_LIBRARY)
if(MESOS_SOURCE_DIR AND MESOS_BUILD_DIR)
  file(GLOB _mesos_bundled LIST_DIRECTORIES true
       ${MESOS_BUILD_DIR}/3rdparty/boost-* ${MESOS_BUILD_DIR}/3rdparty/boost-*/src/boost-*
       ${MESOS_BUILD_DIR}/3rdparty/picojson-* ${MESOS_BUILD_DIR}/3rdparty/picojson-*/src/picojson-*
       ${MESOS_BUILD_DIR}/3rdparty/elfio-* ${MESOS_BUILD_DIR}/3rdparty/elfio-*/src/elfio-*
       ${MESOS_BUILD_DIR}/3rdparty/rapidjson-*/include ${MESOS_BUILD_DIR}/3rdparty/rapidjson-*/src/rapidjson-*/include
       ${MESOS_BUILD_DIR}/3rdparty/glog-*/src ${MESOS_BUILD_DIR}/3rdparty/glog-*/src/glog-*-install/include
       ${MESOS_BUILD_DIR}/3rdparty/protobuf-*/src ${MESOS_BUILD_DIR}/3rdparty/protobuf-*/src/protobuf-*/src
       ${MESOS_BUILD_DIR}/3rdparty/concurrentqueue-* ${MESOS_BUILD_DIR}/3rdparty/http-parser-*)
  list(APPEND Mesos_INCLUDE_DIRS
       ${MESOS_BUILD_DIR}/include ${MESOS_SOURCE_DIR}/include ${MESOS_SOURCE_DIR}/3rdparty/stout/include
       ${MESOS_SOURCE_DIR}/3rdparty/libprocess/include ${_mesos_bundled})
  set(_mesos_version_file ${MESOS_BUILD_DIR}/include/mesos/version.hpp)
  find_library(Mesos_LIBRARY mesos PATHS ${MESOS_BUILD_DIR}/src/.libs ${MESOS_BUILD_DIR}/src NO_DEFAULT_PATH NO_CACHE)
elseif(Mesos_ROOT)
  list(APPEND Mesos_INCLUDE_DIRS ${Mesos_ROOT}/include)
  # Where --enable-install-module-dependencies put what is bundled.
  foreach(_mesos_bundled ${Mesos_ROOT}/lib/mesos/3rdparty/include ${Mesos_ROOT}/lib64/mesos/3rdparty/include)
    if(IS_DIRECTORY ${_mesos_bundled})
      list(APPEND Mesos_INCLUDE_DIRS ${_mesos_bundled})
    endif()
  endforeach()
  set(_mesos_version_file ${Mesos_ROOT}/include/mesos/version.hpp)
  find_library(Mesos_LIBRARY mesos PATHS ${Mesos_ROOT}/lib ${Mesos_ROOT}/lib64 NO_DEFAULT_PATH NO_CACHE)
endif()
# Debian's folders, where the build tree has none of its own.
foreach(_mesos_system /usr/include/apr-1.0 /usr/include/apr-1 /usr/include/subversion-1)
  if(IS_DIRECTORY ${_mesos_system})
    list(APPEND Mesos_INCLUDE_DIRS ${_mesos_system})
  endif()
endforeach()

if(EXISTS "${_mesos_version_file}")
  file(STRINGS ${_mesos_version_file} _mesos_line REGEX "define MESOS_VERSION ")
  string(REGEX REPLACE ".*\"(.*)\".*" "\\1" Mesos_VERSION "${_mesos_line}")
elseif(_mesos_version_file)
  message(FATAL_ERROR "There is no ${_mesos_version_file}: name the prefix of an installed Mesos in Mesos_ROOT, or a source "
                      "tree and the tree it was built in in MESOS_SOURCE_DIR and MESOS_BUILD_DIR")
elseif(MESOS_SOURCE_DIR OR MESOS_BUILD_DIR)
  message(FATAL_ERROR "MESOS_SOURCE_DIR and MESOS_BUILD_DIR must be set both: the one has Mesos' headers, the other what "
                      "protoc and configure made of them")
endif()

include(FindPackageHandleStandardArgs)
set(Mesos_FIND_QUIETLY TRUE)
find_package_handle_standard_args(Mesos REQUIRED_VARS _mesos_version_file VERSION_VAR Mesos_VERSION)

if(Mesos_FOUND AND NOT TARGET Mesos::Mesos)
  message(STATUS "Building against Mesos ${Mesos_VERSION}")
  add_library(Mesos::Mesos INTERFACE IMPORTED)
  target_include_directories(Mesos::Mesos SYSTEM INTERFACE ${Mesos_INCLUDE_DIRS})
  target_compile_definitions(Mesos::Mesos INTERFACE PICOJSON_USE_INT64 __STDC_FORMAT_MACROS)
  if(Mesos_LIBRARY)
    target_link_libraries(Mesos::Mesos INTERFACE ${Mesos_LIBRARY})
  endif()
endif()
