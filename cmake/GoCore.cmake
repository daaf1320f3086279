# The target dce_core: libdcecore.so, the Go core as a c-shared library. Go knows best what to build again.
set(DCE_CORE ${PROJECT_BINARY_DIR}/core/libdcecore.so)
file(GLOB _dce_core_sources ${PROJECT_SOURCE_DIR}/cgo-bridge/*.go)
find_program(GO_EXECUTABLE go)
if(_dce_core_sources AND NOT GO_EXECUTABLE)
  message(FATAL_ERROR "Go is not installed or not in PATH; install the version that go.mod names, from https://go.dev/dl")
endif()
if(_dce_core_sources AND DCE_SANITIZE MATCHES thread)
  message(STATUS "The Go core is left out: its heap is where the thread sanitizer has its own; the stub stands for it")
elseif(_dce_core_sources)
  add_custom_target(dce_core ALL
    COMMAND ${CMAKE_COMMAND} -E env CGO_ENABLED=1 CC=${CMAKE_C_COMPILER}
            ${GO_EXECUTABLE} build -buildmode=c-shared -trimpath -ldflags=-s\ -w -o ${DCE_CORE} ./cgo-bridge
    # What cgo writes beside it is not our header.
    COMMAND ${CMAKE_COMMAND} -E rm -f ${PROJECT_BINARY_DIR}/core/libdcecore.h
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    BYPRODUCTS ${DCE_CORE}
    COMMENT "Building the Go core"
    VERBATIM)
endif()
