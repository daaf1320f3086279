package qos

import (
	"fmt"
	"strconv"
	"strings"
)

// ContradictionError is a class that was asked for and can't be, or a file that says two things.
type ContradictionError struct{ Sentence string }

func (e *ContradictionError) Error() string { return e.Sentence }

// Reason is what Mesos is told.
func (e *ContradictionError) Reason() string { return "REASON_TASK_INVALID" }

func contradiction(format string, args ...any) error {
	return &ContradictionError{fmt.Sprintf(format, args...)}
}

// Decide is the class that was asked for, or the derived one where that is "". The error is a *ContradictionError: the file or
// the task says otherwise, or a service is to be sure of more memory than it may use. A lower class than could be had is no error.
func (p Pod) Decide(asked Class) (Class, error) {
	for _, s := range p.Services {
		if s.Limit.Memory > 0 && s.Request.Memory > s.Limit.Memory { // the engine would refuse it, too, without the names
			return "", contradiction("service %s reserves %s of memory and its limit is %s: lower deploy.resources.reservations.memory, or raise the limit",
				s.Name, Megabytes(s.Request.Memory), Megabytes(s.Limit.Memory))
		}
	}
	derived := p.Class()
	switch asked {
	case "":
		return derived, nil
	case Guaranteed:
		if each, whole := p.each(), p.wholly(); each != nil && whole != nil {
			return "", contradiction("dce.qos is guaranteed, but %v, nor does the task as a whole have limits that are its requests: %v; "+
				"correct one of the two, or take dce.qos out", each, whole)
		}
	case BestEffort:
		if some := p.some(); some != "" {
			return "", contradiction("dce.qos is best-effort, but %s: take that out of the file, or say burstable", some)
		}
	case Burstable:
		if derived == BestEffort {
			return "", contradiction("dce.qos is burstable, but neither the task nor a service is sure of anything: " +
				"give the task resources that are not revocable, give a service deploy.resources.reservations, or say best-effort")
		}
	default:
		return "", contradiction("dce.qos is %q, which is none of %s", asked, strings.Join(Classes(), ", "))
	}
	return asked, nil
}

// Megabytes is an amount of memory for people.
func Megabytes[N uint64 | float64](bytes N) string { return Decimal(float64(bytes)/(1<<20)) + " MB" }

// Apart are two amounts for people, with as many digits as it takes to see that they differ.
func Apart(a, b float64) (string, string) {
	x, y := Decimal(a), Decimal(b)
	for digits := 3; x == y && a != b && digits <= 9; digits++ {
		x, y = strconv.FormatFloat(a, 'f', digits, 64), strconv.FormatFloat(b, 'f', digits, 64)
	}
	return x, y
}

// Decimal rounds to what people read.
func Decimal(v float64) string {
	if short := strconv.FormatFloat(v, 'f', 2, 64); strings.Trim(short, "0.") != "" {
		return strings.TrimRight(strings.TrimRight(short, "0"), ".")
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
