// Package main is libdcecore.so: the C interface of dcecore.h over package core. It converts and guards, and decides nothing.
//
// Every exported function has named results and begins with its guard, so that a panic neither ends the agent nor looks like
// success, and copies what it is given before it returns.
package main

/*
#define DCE_CORE_TYPES_ONLY
#include "dcecore.h"
#include <stdlib.h>
#include <string.h>

static void dce_finish(dce_core_done done, void* cookie, int32_t status, const void* bytes, size_t len) {
  done(cookie, status, (const char*)bytes, len);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"sync"
	"time"
	"unsafe"

	"github.com/dce-go/dce/go/core"
)

// opened is the core that is open; there is one at a time.
var opened struct {
	sync.Mutex
	core   *core.Core
	handle C.dce_core // never used twice
	last   C.dce_core
}

func main() {} // never called in a shared library

// guarded turns a panic into a status. It has to be deferred first.
func guarded(status *C.int32_t) {
	if v := recover(); v != nil {
		*status = C.DCE_PANIC
		_, _ = fmt.Fprintf(os.Stderr, "dce: a fault of the core itself (panic: %v)\n%s", v, debug.Stack())
	}
}

//export dce_core_abi_version
func dce_core_abi_version() (version C.uint32_t) { return C.DCE_CORE_ABI_VERSION }

//export dce_core_open
func dce_core_open(config *C.dce_chars, length C.size_t, handle *C.dce_core, sentence **C.char) (status C.int32_t) {
	defer guarded(&status)
	if handle == nil || sentence == nil {
		return C.DCE_INVALID
	}
	*handle, *sentence = 0, nil
	text, ok := copied(config, length)
	if !ok {
		*sentence = C.CString("the module's parameters are longer than can be")
		return C.DCE_INVALID
	}
	opened.Lock()
	defer opened.Unlock()
	if opened.core != nil {
		*sentence = C.CString("a core is open already: close it before another is opened")
		return C.DCE_FAILED
	}
	beAGuest()
	options := core.Options{Log: os.Stderr}
	text = prepareTest(text, &options)
	made, err := core.Open(text, options)
	if err != nil {
		*sentence = C.CString(err.Error())
		var e *core.Error
		if errors.As(err, &e) {
			return C.int32_t(e.Status)
		}
		return C.DCE_FAILED
	}
	opened.last++
	opened.core, opened.handle = made, opened.last
	*handle = opened.handle
	return C.DCE_OK
}

//export dce_core_submit
func dce_core_submit(handle C.dce_core, op *C.dce_chars, opLength C.size_t, input *C.dce_chars, length C.size_t,
	timeout C.uint32_t, done C.dce_core_done, cookie unsafe.Pointer) (status C.int32_t) {
	defer guarded(&status)
	if done == nil {
		return C.DCE_INVALID
	}
	name, ok := copied(op, opLength)
	text, okToo := copied(input, length)
	if !ok || !okToo {
		return C.DCE_INVALID
	}
	c := lookUp(handle)
	if c == nil {
		return C.DCE_CLOSED
	}
	return C.int32_t(c.Submit(string(name), text, time.Duration(timeout)*time.Millisecond, func(status core.Status, bytes []byte) {
		C.dce_finish(done, cookie, C.int32_t(status), unsafe.Pointer(unsafe.SliceData(bytes)), C.size_t(len(bytes)))
	}))
}

//export dce_core_close
func dce_core_close(handle C.dce_core) (status C.int32_t) {
	defer guarded(&status)
	c := lookUp(handle)
	if c == nil {
		return C.DCE_CLOSED
	}
	status = C.int32_t(c.Close()) // without the lock: callbacks that run now may submit
	opened.Lock()
	defer opened.Unlock()
	if opened.handle == handle {
		opened.core, opened.handle = nil, 0
	}
	return status
}

//export dce_core_free
func dce_core_free(memory unsafe.Pointer) {
	var status C.int32_t
	defer guarded(&status)
	C.free(memory)
}

func lookUp(handle C.dce_core) *core.Core {
	opened.Lock()
	defer opened.Unlock()
	if handle == 0 || opened.handle != handle {
		return nil
	}
	return opened.core
}

// copied is the caller's memory in memory of Go's. It is false where it can't be.
func copied(bytes *C.dce_chars, length C.size_t) ([]byte, bool) {
	switch {
	case length == 0:
		return nil, true
	case bytes == nil || length > math.MaxInt32:
		return nil, false
	}
	return C.GoBytes(unsafe.Pointer(bytes), C.int(length)), true
}
