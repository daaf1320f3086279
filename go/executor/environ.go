package executor

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	mesostime "github.com/mesos/mesos-go/api/v1/lib/time"
)

// Environment is what the agent tells an executor of itself, free of secrets (src/slave/slave.cpp, executorEnvironment).
type Environment struct {
	FrameworkID string
	ExecutorID  string
	AgentID     string   // empty where the agent does not say; SUBSCRIBED has it too
	Directory   string   // the sandbox as the host sees it
	Sandbox     string   // the sandbox as the executor sees it
	Variables   []string // everything, as "KEY=value", without the token
}

// Config is all that the environment says.
type Config struct {
	Environment     Environment
	URL             string // of the executor API
	Socket          string // unix socket to reach it over, empty for TCP
	Token           Secret // empty where the agent wants none
	TLS             TLS    // used where URL is https
	Checkpoint      bool
	RecoveryTimeout time.Duration // how long to look for an agent that is gone; only with Checkpoint
	BackoffMax      time.Duration // longest pause between two attempts
	ShutdownGrace   time.Duration // from SHUTDOWN until the agent kills the executor
}

// Defaults for what an agent leaves out: src/slave/constants.hpp, EXECUTOR_SHUTDOWN_GRACE_PERIOD,
// EXECUTOR_REREGISTRATION_TIMEOUT and RECOVERY_TIMEOUT.
const (
	defaultShutdownGrace   = 5 * time.Second
	defaultBackoffMax      = 2 * time.Second
	defaultRecoveryTimeout = 15 * time.Minute
)

// apiPath is the executor API below an agent's process id.
const apiPath = "/api/v1/executor"

// FromEnviron reads environ, which has the form of os.Environ. The error joins all that is wrong, a sentence each.
func FromEnviron(environ []string) (Config, error) {
	r := newReader(environ)
	cfg := Config{
		Environment: Environment{
			FrameworkID: r.required("MESOS_FRAMEWORK_ID"),
			ExecutorID:  r.required("MESOS_EXECUTOR_ID"),
			AgentID:     r.values["MESOS_SLAVE_ID"],
			Directory:   r.required("MESOS_DIRECTORY"),
			Sandbox:     r.required("MESOS_SANDBOX"),
			Variables:   WithoutSecrets(environ),
		},
		Socket:          r.values["MESOS_DOMAIN_SOCKET"],
		Token:           NewSecret(r.values[TokenVar]),
		Checkpoint:      r.boolean("MESOS_CHECKPOINT"),
		RecoveryTimeout: r.duration("MESOS_RECOVERY_TIMEOUT", defaultRecoveryTimeout),
		BackoffMax:      r.duration("MESOS_SUBSCRIPTION_BACKOFF_MAX", defaultBackoffMax),
		ShutdownGrace:   r.duration("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", defaultShutdownGrace),
		TLS:             r.tls(),
	}
	cfg.URL = r.url(cfg.Socket, cfg.TLS.Enabled)
	return cfg, errors.Join(r.problems...)
}

// reader takes values out of an environment and gathers what is wrong with them.
type reader struct {
	values   map[string]string
	problems []error
}

func newReader(environ []string) *reader {
	r := &reader{values: map[string]string{}}
	for _, v := range environ {
		if key, value, ok := strings.Cut(v, "="); ok {
			r.values[key] = value
		}
	}
	return r
}

func (r *reader) fail(format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf(format, args...))
}

func (r *reader) required(key string) string {
	if r.values[key] == "" {
		r.fail("%s is not set: a Mesos agent sets it for every executor, and so does \"dce run\", so start the executor through one of them.", key)
	}
	return r.values[key]
}

func (r *reader) boolean(key string) bool {
	value := r.values[key]
	if value == "" {
		return false
	}
	b, err := strconv.ParseBool(value)
	if err != nil {
		r.fail("%s is %q: it must be 0, 1, false or true.", key, value)
	}
	return b
}

func (r *reader) duration(key string, standard time.Duration) time.Duration {
	value := r.values[key]
	if value == "" {
		return standard
	}
	d, err := mesostime.ParseDuration(value)
	if err != nil {
		r.fail("%s is %q: it must be a duration in Mesos' form, such as 250ms, 5secs or 15mins.", key, value)
	}
	return d
}

// url builds the address of the executor API: host and port of MESOS_AGENT_ENDPOINT or MESOS_SLAVE_PID, and the path of the
// agent's process, which is the part of MESOS_SLAVE_PID before "@". Over a socket the host has no meaning, nor has TLS
// (src/executor/executor.cpp, MesosProcess).
func (r *reader) url(socket string, secure bool) string {
	pid := r.values["MESOS_SLAVE_PID"]
	process, address, ok := strings.Cut(pid, "@")
	if pid != "" && (!ok || process == "" || address == "") {
		r.fail("MESOS_SLAVE_PID is %q: it must have the form slave(1)@ip:port.", pid)
	}
	host, scheme := r.values["MESOS_AGENT_ENDPOINT"], "http"
	if host == "" {
		host = address
	}
	switch {
	case socket != "":
		host = "agent"
	case host == "":
		r.fail("Neither MESOS_AGENT_ENDPOINT nor MESOS_SLAVE_PID is set: one of them must say at which ip:port the agent listens.")
	default:
		if _, _, err := net.SplitHostPort(host); err != nil {
			r.fail("MESOS_AGENT_ENDPOINT or MESOS_SLAVE_PID says that the agent listens at %q: it must be ip:port.", host)
		}
		if secure {
			scheme = "https"
		}
	}
	path := apiPath
	if process != "" {
		path = "/" + process + apiPath
	}
	return scheme + "://" + host + path
}
