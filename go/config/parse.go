package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dce-go/dce/go/nearest"
)

// parse puts values into the field of the key. Several values are the entries of a list, one may hold them all, with commas.
func (k Key) parse(c *Config, values []string) error {
	if list, ok := k.field(c).(*[]string); ok {
		if len(values) == 1 {
			values = strings.Split(values[0], ",")
			if len(values) == 1 && strings.TrimSpace(values[0]) == "" {
				values = nil
			}
		}
		var out []string
		for _, v := range values {
			v, err := k.one(v)
			if err != nil {
				return err
			}
			if v == "" {
				return errors.New("an entry of the list is empty")
			}
			if slices.Contains(out, v) {
				return fmt.Errorf("%q is there twice", v)
			}
			out = append(out, v)
		}
		*list = out
		return nil
	}
	if len(values) != 1 {
		return fmt.Errorf("this takes one value (%s), not a list", k.kind())
	}
	v, err := k.one(values[0])
	if err != nil {
		return err
	}
	switch field := k.field(c).(type) {
	case *string:
		*field = v
	case *bool:
		*field, err = strconv.ParseBool(strings.ToLower(v))
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", v)
		}
	case *time.Duration:
		*field, err = ParseDuration(v)
	case *uint64:
		*field, err = parseNumber(v)
	}
	return err
}

// one checks a single value or entry.
func (k Key) one(v string) (string, error) {
	v = strings.TrimSpace(v)
	if len(k.Choices) > 0 && !slices.Contains(k.Choices, v) {
		if near := nearest.To(v, k.Choices); near != "" {
			return "", fmt.Errorf("%q is not one of %s: did you mean %s?", v, strings.Join(k.Choices, ", "), near)
		}
		return "", fmt.Errorf("%q is not one of %s", v, strings.Join(k.Choices, ", "))
	}
	if k.check != nil {
		return v, k.check(v)
	}
	return v, nil
}

// kind is the type, with the choices.
func (k Key) kind() string {
	switch {
	case k.Type == Choice:
		return strings.Join(k.Choices, ", ")
	case len(k.Choices) > 0:
		return string(k.Type) + " of " + strings.Join(k.Choices, ", ")
	}
	return string(k.Type)
}

// dockerName is what Docker takes as a name (moby: daemon/names, RestrictedNameChars).
var dockerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

func networkName(v string) error {
	if !dockerName.MatchString(v) {
		return fmt.Errorf("%q is not one of pod, compose, host, none, nor a name that a Docker network can have", v)
	}
	return nil
}

func parseNumber(v string) (uint64, error) {
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number from 0 up", v)
	}
	return n, nil
}

// Bounds of pids.limit: what a container's start takes for a moment, with room (runc's own threads), and what a Linux host can have
// (include/linux/threads.h, PID_MAX_LIMIT).
const (
	leastPids = 16
	mostPids  = 4 << 20
)

func pidsLimit(v string) error {
	n, err := parseNumber(v)
	switch {
	case err != nil:
		return err
	case n > 0 && n < leastPids:
		return fmt.Errorf("%s are fewer than the start of a container takes: write at least %d, or 0 for no limit", v, leastPids)
	case n > mostPids:
		return fmt.Errorf("%s are more than Linux can have: write at most %d, or 0 for no limit", v, mostPids)
	}
	return nil
}

// mesosUnits are those of 3rdparty/stout/include/stout/duration.hpp, Duration::parse.
var mesosUnits = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "ms": time.Millisecond, "secs": time.Second, "mins": time.Minute,
	"hrs": time.Hour, "days": 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

// ParseDuration reads a duration that is not negative, written as in Go (1m30s) or as in Mesos (90secs, 1.5mins).
func ParseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		number := strings.TrimRightFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' })
		size, known := mesosUnits[s[len(number):]]
		n, nerr := strconv.ParseFloat(number, 64)
		switch {
		case nerr == nil && number == s:
			return 0, fmt.Errorf("%q has no unit: write %ss or %smins", s, s, s)
		case nerr != nil || !known || math.IsNaN(n) || math.Abs(n*float64(size)) >= math.MaxInt64:
			return 0, fmt.Errorf("%q is no duration: write 10s, 1m30s, 10secs or 15mins", s)
		}
		d = time.Duration(n * float64(size))
	}
	if d < 0 {
		return 0, fmt.Errorf("%q is negative", s)
	}
	return d, nil
}
