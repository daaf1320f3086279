package health

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/pod"
)

// probe makes a check once. An error says why there is no result; errdefs.IsUnavailable that the engine is to blame, not the pod.
type probe func(ctx context.Context) (Result, error)

// Checker makes one check, again and again.
type Checker struct {
	check Check
	probe probe
	log   logrus.FieldLogger

	began  time.Time
	health Health
	told   *int // result of a check as last told, nil for none
}

// Run makes the checks until ctx ends, each in a goroutine of its own, one at a time. post gets pod.TaskHealth and pod.CheckUpdated.
func Run(ctx context.Context, checkers []*Checker, post func(pod.Event)) {
	var wg sync.WaitGroup
	for _, c := range checkers {
		wg.Go(func() { c.run(ctx, post) })
	}
	wg.Wait()
}

func (c *Checker) run(ctx context.Context, post func(pod.Event)) {
	history := History{Began: time.Now()}
	c.began = history.Began
	for {
		due := time.NewTimer(c.check.Wait(history, time.Now()))
		select {
		case <-ctx.Done():
			due.Stop()
			return
		case <-due.C:
		}
		result, err := c.once(ctx)
		if ctx.Err() != nil {
			return
		}
		history.Ended = time.Now()
		if event := c.take(result, err, history.Ended); event != nil {
			post(event)
		}
	}
}

func (c *Checker) once(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.check.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, c.check.Timeout)
		defer cancel()
	}
	result, err := c.probe(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && !errdefs.IsUnavailable(err) {
		return result, fmt.Errorf("it did not end within %v", c.check.Timeout)
	}
	return result, err
}

// take says what is to be told of a check; nil for nothing.
func (c *Checker) take(result Result, err error, now time.Time) pod.Event {
	log := c.log.WithField("check", c.check.name())
	if errdefs.IsUnavailable(err) { // as a failure that Mesos calls transient: it changes nothing
		log.WithError(err).Warn("A check could not be made; it does not count.")
		return nil
	}
	if c.check.Health == nil {
		return c.update(log, result, err)
	}
	passed := err == nil && c.check.passes(result)
	what := c.check.says(result)
	if err != nil {
		what = strings.TrimSuffix(err.Error(), ".")
	}
	var v Verdict
	c.health, v = c.check.Health.Judge(c.health, passed, now.Sub(c.began))
	message := c.message(passed, v, what)
	switch {
	case passed:
		log.Debug(message)
	case !v.Report:
		log.Info(message)
	default:
		log.Warn(message)
	}
	if !v.Report {
		return nil
	}
	return pod.TaskHealth{Healthy: v.Healthy, Fatal: v.Fatal, Message: message}
}

func (c *Checker) message(passed bool, v Verdict, what string) string {
	switch {
	case passed:
		return fmt.Sprintf("%s passed: %s.", c.check.name(), what)
	case !v.Report:
		return fmt.Sprintf("%s failed within its grace period of %v, which does not count: %s.", c.check.name(), c.check.Health.Grace, what)
	case v.Fatal:
		return fmt.Sprintf("%s failed too often (%d in a row), so the pod is killed: %s.", c.check.name(), c.health.Failures, what)
	}
	return fmt.Sprintf("%s failed (%d in a row, %d end the pod): %s.", c.check.name(), c.health.Failures, c.check.Health.Failures, what)
}

// update follows src/checks/checker.cpp, processCheckResult: what is another than before is told, and a check that could not
// be made has no result.
func (c *Checker) update(log logrus.FieldLogger, result Result, err error) pod.Event {
	var now *int
	message := fmt.Sprintf("%s: %s.", c.check.name(), c.check.says(result))
	if err != nil {
		message = fmt.Sprintf("%s has no result: %s.", c.check.name(), strings.TrimSuffix(err.Error(), "."))
	} else {
		now = &result.Value
	}
	log.Debug(message)
	if now == nil && c.told == nil || now != nil && c.told != nil && *now == *c.told {
		return nil
	}
	c.told = now
	return pod.CheckUpdated{Check: pod.Check{Type: string(c.check.Type), Result: now}, Message: message}
}
