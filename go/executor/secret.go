package executor

import (
	"fmt"
	"strings"
)

// TokenVar holds the executor's token. A program takes it out of its own environment once FromEnviron has read it, so that no
// child inherits it (src/executor/executor.cpp does the same).
const TokenVar = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN"

// Secret is a string that no formatting prints.
type Secret struct{ value string }

// NewSecret hides s.
func NewSecret(s string) Secret { return Secret{s} }

// Reveal returns what is hidden, for the one place that needs it.
func (s Secret) Reveal() string { return s.value }

// Empty says whether there is nothing to hide.
func (s Secret) Empty() bool { return s.value == "" }

// Format prints the same for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "[hidden]") }

// MarshalText prints the same in JSON, logs and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte("[hidden]"), nil }

// WithoutSecrets returns environ without what only the executor may know. Containers, probes and logs get this one.
func WithoutSecrets(environ []string) []string {
	out := make([]string, 0, len(environ))
	for _, v := range environ {
		if !strings.HasPrefix(v, TokenVar+"=") {
			out = append(out, v)
		}
	}
	return out
}
