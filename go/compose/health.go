package compose

import (
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/container"

	"github.com/dce-go/dce/go/engine"
)

// defaultGrace is the ContainerSpec.Grace of a container whose file does not say: others know the default.
const defaultGrace = -1

func healthSource(check *types.HealthCheckConfig) engine.HealthSource {
	switch {
	case check == nil:
		return engine.HealthImage
	case check.Disable, len(check.Test) > 0 && check.Test[0] == "NONE":
		return engine.HealthNone
	case len(check.Test) == 0:
		return engine.HealthImage // its test, the file's timing
	}
	return engine.HealthFile
}

func healthcheck(service string, check *types.HealthCheckConfig) (*container.HealthConfig, error) {
	if check == nil {
		return nil, nil
	}
	if check.StartInterval != nil && check.StartPeriod == nil {
		return nil, badService(service, "healthcheck.start_interval", "set healthcheck.start_period", "it has no effect without a start_period")
	}
	config := &container.HealthConfig{
		Test:          check.Test,
		Interval:      duration(check.Interval),
		Timeout:       duration(check.Timeout),
		StartPeriod:   duration(check.StartPeriod),
		StartInterval: duration(check.StartInterval),
	}
	if check.Retries != nil {
		config.Retries = int(*check.Retries)
	}
	if check.Disable {
		config.Test = []string{"NONE"}
	}
	return config, nil
}

func duration(d *types.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}

// grace is the time between stop signal and SIGKILL, defaultGrace where the file does not say.
func grace(d *types.Duration) time.Duration {
	if d == nil {
		return defaultGrace
	}
	return max(0, time.Duration(*d))
}

// stopTimeout is grace for the engine, which knows whole seconds: part of a second must not become none.
func stopTimeout(d *types.Duration) *int {
	if d == nil {
		return nil
	}
	seconds := int((grace(d) + time.Second - 1) / time.Second)
	return &seconds
}
