//go:build !dcetest

package main

import "github.com/dce-go/dce/go/core"

// prepareTest leaves everything as it is: faults are injected in test builds only.
func prepareTest(config []byte, _ *core.Options) []byte { return config }
