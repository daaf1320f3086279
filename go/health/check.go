package health

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Type is how a check is made.
type Type string

// The types of checks, as CheckInfo.Type has them.
const (
	Command Type = "COMMAND"
	HTTP    Type = "HTTP"
	TCP     Type = "TCP"
)

// Check is one check of a task.
type Check struct {
	Type Type
	Timing
	Health *Tolerance // of a health check; nil for a check, whose result decides about nothing

	Command  []string // of a COMMAND: the program and its arguments
	Env      []string // of a COMMAND: "KEY=value", beside the container's own
	Port     uint16   // of HTTP and TCP
	IPv6     bool     // of HTTP and TCP: at ::1, not at 127.0.0.1
	Scheme   string   // of HTTP: "http" or "https"
	Path     string   // of HTTP: empty, or from the first slash on, query and all
	Statuses []int    // of HTTP: the healthy ones; empty for 200 to 399
}

// Result is what a check came to that could be made.
type Result struct {
	Value  int    // the exit code, the HTTP status code, or 1 for a TCP connection and 0 for none
	Detail string // for people, may be empty
}

// name is "HTTPS health check" or the like.
func (c *Check) name() string {
	name := string(c.Type)
	if c.Scheme != "" {
		name = strings.ToUpper(c.Scheme)
	}
	if c.Health != nil {
		return name + " health check"
	}
	return name + " check"
}

// address is host and port, in brackets where it is IPv6 (src/checks/checks_types.hpp: never localhost, which images may lack).
func (c *Check) address() string {
	host := "127.0.0.1"
	if c.IPv6 {
		host = "::1"
	}
	return net.JoinHostPort(host, strconv.Itoa(int(c.Port)))
}

func (c *Check) url() string { return c.Scheme + "://" + c.address() + c.Path }

// says puts a result into words, without a full stop.
func (c *Check) says(r Result) string {
	var s string
	switch c.Type {
	case HTTP:
		s = fmt.Sprintf("%s answers with status %d", c.url(), r.Value)
	case TCP:
		s = c.address() + " can be connected to"
		if r.Value == 0 {
			s = c.address() + " can't be connected to"
		}
	default:
		s = fmt.Sprintf("the command exits with code %d", r.Value)
	}
	if r.Detail != "" {
		s += " (" + r.Detail + ")"
	}
	return s
}

// passes follows src/checks/health_checker.cpp, interpretCheckStatusInfo. The statuses of an HTTP check, which Mesos leaves to
// custom executors, count here.
func (c *Check) passes(r Result) bool {
	switch {
	case c.Type == HTTP && len(c.Statuses) > 0:
		return slices.Contains(c.Statuses, r.Value)
	case c.Type == HTTP:
		return r.Value >= 200 && r.Value < 400
	case c.Type == TCP:
		return r.Value != 0
	}
	return r.Value == 0
}
