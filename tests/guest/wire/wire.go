// Package wire is what goes over the port between a test and the machine that it has booted: one line of JSON each.
package wire

// Port is the device of the port in the guest: the first of its only virtio console.
const Port = "/dev/vport0p1"

// Command is what the guest is to run.
type Command struct {
	ID    int      `json:"id"` // of the answer, too; answers come in any order
	Argv  []string `json:"argv"`
	Dir   string   `json:"dir,omitempty"`
	Env   []string `json:"env,omitempty"` // "NAME=value", added to the guest's
	Stdin string   `json:"stdin,omitempty"`
}

// Answer is what came of it. One with ID 0 says that the guest is up.
type Answer struct {
	ID      int    `json:"id"`
	Out     string `json:"out,omitempty"`
	Err     string `json:"err,omitempty"`
	Code    int    `json:"code"`              // exit code, or 128 and the signal
	Failure string `json:"failure,omitempty"` // why it could not be run
}
