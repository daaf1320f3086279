# dce_add_module(NAME MESOS): the module as lib<NAME>.so, compiled against the target MESOS, which is a real Mesos or the
# double. The versions of Mesos differ in a few signatures; which one it has is asked of the compiler.

# Sets VARIABLE to whether SOURCE compiles against the target MESOS.
function(_dce_compiles mesos source variable)
  get_target_property(includes ${mesos} INTERFACE_INCLUDE_DIRECTORIES)
  get_target_property(definitions ${mesos} INTERFACE_COMPILE_DEFINITIONS)
  if(NOT definitions)
    set(definitions "")
  endif()
  list(TRANSFORM includes PREPEND "-isystem;" OUTPUT_VARIABLE flags)
  list(TRANSFORM definitions PREPEND -D)
  string(MAKE_C_IDENTIFIER "${mesos}_${variable}" name)
  set(file ${PROJECT_BINARY_DIR}/features/${name}.cpp)
  file(WRITE ${file} "${source}\n")
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -std=c++17 -w -fsyntax-only ${flags} ${definitions} ${file}
                  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(result EQUAL 0)
    set(${variable} TRUE PARENT_SCOPE)
  else()
    set(${variable} FALSE PARENT_SCOPE)
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(dce_add_module name mesos)
  string(CONCAT isolator
         "#include <mesos/slave/isolator.hpp>\nusing namespace mesos;\nusing namespace mesos::slave;\n"
         "using process::Future;\nstruct Probe : Isolator {")
  set(update "Future<Nothing> update(const ContainerID&, const Resources&")
  set(recover "const hashset<ContainerID>&) override; };")
  _dce_compiles(${mesos} "${isolator} };" DCE_MESOS_COMPILES)
  if(NOT DCE_MESOS_COMPILES)
    message(FATAL_ERROR "Mesos' own headers do not compile; name the folders of those that are missing in "
                        "MESOS_EXTRA_INCLUDES:\n${output}")
  endif()
  # From 1.10: limits beside requests.
  _dce_compiles(${mesos} "${isolator} ${update}, const google::protobuf::Map<std::string, Value::Scalar>&) override; };"
                DCE_MESOS_HAS_LIMITS)
  # Before 1.7: a list where there is a vector now.
  _dce_compiles(${mesos} "${isolator} Future<Nothing> recover(const std::list<ContainerState>&, ${recover}"
                DCE_MESOS_RECOVERS_LIST)
  # From 1.7: PullGauge; before: Gauge.
  _dce_compiles(${mesos} "#include <process/metrics/pull_gauge.hpp>" DCE_MESOS_HAS_PULL_GAUGE)

  set(source ${PROJECT_SOURCE_DIR}/module-cpp)
  # As objects, so that tests can have them without going through the shared library.
  add_library(${name}_objects OBJECT ${source}/hook.cpp ${source}/isolator.cpp ${source}/loader.cpp
                                     ${source}/module.cpp ${source}/session.cpp ${source}/worker.cpp)
  target_include_directories(${name}_objects PUBLIC ${source} ${PROJECT_SOURCE_DIR}/cgo-bridge)
  target_link_libraries(${name}_objects PUBLIC ${mesos} Threads::Threads ${CMAKE_DL_LIBS})
  # GCC's optimizer takes these for faults of ours when templates of old versions of stout and boost are inlined.
  target_compile_options(${name}_objects PRIVATE -Wno-array-bounds -Wno-maybe-uninitialized)
  target_compile_definitions(${name}_objects PUBLIC
    $<$<BOOL:${DCE_MESOS_HAS_LIMITS}>:DCE_MESOS_HAS_LIMITS>
    DCE_MESOS_LIST=$<IF:$<BOOL:${DCE_MESOS_RECOVERS_LIST}>,std::list,std::vector>
    DCE_MESOS_GAUGE=$<IF:$<BOOL:${DCE_MESOS_HAS_PULL_GAUGE}>,PullGauge,Gauge>
    "DCE_MESOS_GAUGE_HEADER=<process/metrics/$<IF:$<BOOL:${DCE_MESOS_HAS_PULL_GAUGE}>,pull_gauge,gauge>.hpp$<ANGLE-R>")
  foreach(feature DCE_MESOS_HAS_LIMITS DCE_MESOS_RECOVERS_LIST DCE_MESOS_HAS_PULL_GAUGE)
    message(STATUS "${name}: ${feature} is ${${feature}}")
  endforeach()

  add_library(${name} MODULE)
  target_link_libraries(${name} PRIVATE ${name}_objects)
  # Never unloaded: a thread of the module may outlive it.
  target_link_options(${name} PRIVATE -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now)
endfunction()
