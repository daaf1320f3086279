package executor

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// agentEnvironment is what an agent with checkpointing sets.
func agentEnvironment(changes map[string]string) []string {
	env := map[string]string{
		"PATH": "/bin", "MESOS_FRAMEWORK_ID": "F", "MESOS_EXECUTOR_ID": "E", "MESOS_DIRECTORY": "/var/lib/mesos/runs/C", "MESOS_SANDBOX": "/sandbox",
		"MESOS_SLAVE_ID": "S", "MESOS_SLAVE_PID": "slave(1)@10.0.0.1:5051", "MESOS_AGENT_ENDPOINT": "10.0.0.1:5051", "MESOS_CHECKPOINT": "1",
		"MESOS_RECOVERY_TIMEOUT": "15mins", "MESOS_SUBSCRIPTION_BACKOFF_MAX": "250ms", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "1.5secs",
		"MESOS_EXECUTOR_AUTHENTICATION_TOKEN": "s3cret",
	}
	maps.Copy(env, changes)
	var out []string
	for _, key := range slices.Sorted(maps.Keys(env)) {
		if env[key] != "-" {
			out = append(out, key+"="+env[key])
		}
	}
	return out
}

func TestFromEnviron(t *testing.T) {
	environ := agentEnvironment(nil)
	cfg, err := FromEnviron(environ)
	require.NoError(t, err)
	require.Equal(t, "s3cret", cfg.Token.Reveal())
	require.Equal(t, Config{
		Environment: Environment{
			FrameworkID: "F", ExecutorID: "E", AgentID: "S", Directory: "/var/lib/mesos/runs/C", Sandbox: "/sandbox",
			Variables: agentEnvironment(map[string]string{TokenVar: "-"}),
		},
		URL: "http://10.0.0.1:5051/slave(1)/api/v1/executor", Token: NewSecret("s3cret"), Checkpoint: true,
		RecoveryTimeout: 15 * time.Minute, BackoffMax: 250 * time.Millisecond, ShutdownGrace: 1500 * time.Millisecond,
	}, cfg)
}

func TestFromEnvironDefaults(t *testing.T) {
	cfg, err := FromEnviron(agentEnvironment(map[string]string{
		"MESOS_CHECKPOINT": "0", "MESOS_RECOVERY_TIMEOUT": "-", "MESOS_SUBSCRIPTION_BACKOFF_MAX": "-",
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "-", "MESOS_SLAVE_ID": "-", TokenVar: "-",
	}))
	require.NoError(t, err)
	require.False(t, cfg.Checkpoint)
	require.True(t, cfg.Token.Empty())
	require.Equal(t, 5*time.Second, cfg.ShutdownGrace)
	require.Equal(t, 2*time.Second, cfg.BackoffMax)
}

func TestTheAddressOfTheAgent(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes map[string]string
		want    string
	}{
		{"no process id", map[string]string{"MESOS_SLAVE_PID": "-"}, "http://10.0.0.1:5051/api/v1/executor"},
		{"no endpoint", map[string]string{"MESOS_AGENT_ENDPOINT": "-"}, "http://10.0.0.1:5051/slave(1)/api/v1/executor"},
		{"the endpoint wins", map[string]string{"MESOS_AGENT_ENDPOINT": "agent.example:5051"}, "http://agent.example:5051/slave(1)/api/v1/executor"},
		{"IPv6", map[string]string{"MESOS_AGENT_ENDPOINT": "[::1]:5051"}, "http://[::1]:5051/slave(1)/api/v1/executor"},
		{"TLS", map[string]string{"LIBPROCESS_SSL_ENABLED": "1"}, "https://10.0.0.1:5051/slave(1)/api/v1/executor"},
		{"TLS as before 1.0", map[string]string{"SSL_ENABLED": "true"}, "https://10.0.0.1:5051/slave(1)/api/v1/executor"},
		{"a socket, which has no TLS", map[string]string{"LIBPROCESS_SSL_ENABLED": "1", "MESOS_DOMAIN_SOCKET": "/s"}, "http://agent/slave(1)/api/v1/executor"},
		{"only a socket", map[string]string{"MESOS_AGENT_ENDPOINT": "-", "MESOS_SLAVE_PID": "-", "MESOS_DOMAIN_SOCKET": "/s"}, "http://agent/api/v1/executor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := FromEnviron(agentEnvironment(c.changes))
			require.NoError(t, err)
			require.Equal(t, c.want, cfg.URL)
		})
	}
}

func TestFromEnvironSaysAllThatIsWrong(t *testing.T) {
	_, err := FromEnviron([]string{"PATH=/bin"})
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 5)
	for i, key := range []string{"MESOS_FRAMEWORK_ID", "MESOS_EXECUTOR_ID", "MESOS_DIRECTORY", "MESOS_SANDBOX", "MESOS_AGENT_ENDPOINT"} {
		require.Contains(t, lines[i], key)
		require.Contains(t, lines[i], "set")
		require.True(t, strings.HasSuffix(lines[i], "."))
	}

	for key, value := range map[string]string{
		"MESOS_CHECKPOINT": "maybe", "MESOS_RECOVERY_TIMEOUT": "15m", "MESOS_SUBSCRIPTION_BACKOFF_MAX": "-2secs",
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5", "MESOS_SLAVE_PID": "10.0.0.1:5051", "MESOS_AGENT_ENDPOINT": "10.0.0.1",
		"LIBPROCESS_SSL_ENABLED": "on",
	} {
		_, err := FromEnviron(agentEnvironment(map[string]string{key: value}))
		require.ErrorContains(t, err, key)
		require.ErrorContains(t, err, value)
	}

	_, err = FromEnviron(agentEnvironment(map[string]string{
		"LIBPROCESS_SSL_ENABLED": "1", "LIBPROCESS_SSL_CERT_FILE": "/c", "LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME": "x",
	}))
	require.ErrorContains(t, err, "CERT_FILE")
	require.ErrorContains(t, err, "HOSTNAME_VALIDATION_SCHEME")
}

func TestTLSFromEnviron(t *testing.T) {
	cfg, err := FromEnviron(agentEnvironment(map[string]string{
		"LIBPROCESS_SSL_ENABLED": "true", "LIBPROCESS_SSL_CA_FILE": "/ca", "LIBPROCESS_SSL_CA_DIR": "/cas", "LIBPROCESS_SSL_CERT_FILE": "/c",
		"LIBPROCESS_SSL_KEY_FILE": "/k", "LIBPROCESS_SSL_VERIFY_CERT": "1", "LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME": "openssl",
	}))
	require.NoError(t, err)
	require.Equal(t, TLS{Enabled: true, Verify: true, CAFile: "/ca", CADir: "/cas", CertFile: "/c", KeyFile: "/k"}, cfg.TLS)
	cfg, err = FromEnviron(agentEnvironment(map[string]string{"LIBPROCESS_SSL_VERIFY_CERT": "1"}))
	require.NoError(t, err)
	require.Equal(t, TLS{}, cfg.TLS, "nothing of it counts unless TLS is enabled")
}

func TestASecretNeverPrints(t *testing.T) {
	cfg, err := FromEnviron(agentEnvironment(nil))
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.NotContains(t, fmt.Sprintf(verb, cfg), "s3cret", verb)
		require.NotContains(t, fmt.Sprintf(verb, &cfg), fmt.Sprintf("%x", "s3cret"), verb)
	}
	b, err := json.Marshal(cfg)
	require.NoError(t, err)
	require.NotContains(t, string(b), "s3cret")
	require.NotContains(t, strings.Join(WithoutSecrets(agentEnvironment(nil)), " "), "s3cret")
	require.Contains(t, WithoutSecrets(agentEnvironment(nil)), "PATH=/bin")
}
