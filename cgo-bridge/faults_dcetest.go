//go:build dcetest

package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/dce-go/dce/go/core"
)

// prepareTest takes the key "test_panic" out of the config: a comma-separated list of points at which the core panics, each as
// often as it stands there ("submit,cleanup,sweep"); the points are the operations and those that core.Options.Inject names.
func prepareTest(config []byte, o *core.Options) []byte {
	var given map[string]any
	if json.Unmarshal(config, &given) != nil {
		return config
	}
	points, ok := given["test_panic"].(string)
	if !ok {
		return config
	}
	delete(given, "test_panic")
	rest, err := json.Marshal(given)
	if err != nil {
		return config
	}
	left := make(chan []string, 1)
	left <- strings.Split(points, ",")
	o.Inject = func(point string) {
		points := <-left
		i := slices.Index(points, point)
		if i >= 0 {
			points = slices.Delete(points, i, i+1)
		}
		left <- points
		if i >= 0 {
			panic("injected at " + point)
		}
	}
	return rest
}
