# What an agent needs: the module, the core beside it, and the JSON for --modules or --modules_dir. DESTDIR is honoured.
#
# An agent with --modules_dir takes every file there for a manifest and does not start where a library is missing, so the JSON
# goes there with the module only, and what an operator has made of it stays.
set(DCE_MODULES_DIR lib/mesos/modules)
set(DCE_MODULE_FILE ${CMAKE_INSTALL_PREFIX}/${DCE_MODULES_DIR}/libmesos_dce.so)
configure_file(${PROJECT_SOURCE_DIR}/module-cpp/dce.json.in ${PROJECT_BINARY_DIR}/module/dce.json @ONLY)
if(TARGET dce_core)
  install(PROGRAMS ${DCE_CORE} DESTINATION ${DCE_MODULES_DIR})
endif()
install(FILES ${PROJECT_BINARY_DIR}/module/dce.json DESTINATION share/dce)
if(TARGET mesos_dce)
  install(TARGETS mesos_dce DESTINATION ${DCE_MODULES_DIR})
  install(CODE "
    if(EXISTS \"\$ENV{DESTDIR}/etc/mesos/modules/dce.json\")
      message(STATUS \"Left as it is: \$ENV{DESTDIR}/etc/mesos/modules/dce.json\")
    else()
      file(INSTALL \"${PROJECT_BINARY_DIR}/module/dce.json\" DESTINATION /etc/mesos/modules)
    endif()")
else()
  install(CODE "message(STATUS \"libmesos_dce.so was not built, for no Mesos was named: give Mesos_ROOT, or MESOS_SOURCE_DIR \"
    \"and MESOS_BUILD_DIR (docs/module.md says how)\")")
endif()
