package compose

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every refusal is one sentence that says where, what, and the way out. A case is a whole file, or a service's keys.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		// the loader's
		"unknown key":       {"imagee: x", "compose.yaml, service web, key imagee: is not known to the compose file format; did you mean image?"},
		"unknown below":     {"healthcheck: {tset: x}", "compose.yaml, service web, key healthcheck.tset: is not known to the compose file format; did you mean test?"},
		"nothing near":      {"qwertyuiop: x", "compose.yaml, service web, key qwertyuiop: is not known to the compose file format; remove it, or prefix it with x-"},
		"unknown at top":    {"servces:\n  web: {image: i}\n", "compose.yaml, key servces: is not known to the compose file format; did you mean services?"},
		"second document":   {one + "---\nservices:\n  b: {image: i, tyt: true}\n", "compose.yaml, service b, key tyt: is not known to the compose file format; did you mean tty?"},
		"wrong type":        {"cap_add: x", "compose.yaml, service web, key cap_add: must be a list; correct it"},
		"not YAML":          {"services:\n  web:\n   image: y\n  - x\n", "compose.yaml: is not valid YAML: while parsing a block mapping at line 1, column 3: line 3, column 3: did not find expected key; correct the line"},
		"a key twice":       {"services:\n  web:\n    image: y\n    image: z\n", `compose.yaml: is not valid YAML: line 1: line 4: mapping key "image" already defined at line 3; correct the line`},
		"empty":             {"# nothing\n", "compose.yaml: empty compose file; correct it"},
		"cycle":             {"services:\n  a: {image: i, depends_on: [b]}\n  b: {image: i, depends_on: [a]}\n", "compose.yaml: dependency cycle detected: a -> b -> a; break the cycle"},
		"hidden cycle":      {"services:\n  a: {image: i, network_mode: 'service:b'}\n  b: {image: i, ipc: 'service:a'}\n", "compose.yaml: dependency cycle detected: a -> b -> a; break the cycle"},
		"extends cycle":     {"services:\n  a:\n    extends: {service: a}\n", "compose.yaml: Circular reference: a in compose.yaml extends a in compose.yaml; break the cycle"},
		"unknown service":   {"depends_on: [db]", `compose.yaml, service web: depends on undefined service "db"; correct it`},
		"open variable":     {"command: ${FOO", "compose.yaml, service web, key command: has a variable that is not written right: ${FOO; write ${NAME}, or $$ for a dollar sign"},
		"required variable": {"user: ${FOO:?who}", "compose.yaml, service web, key user: wants the variable FOO, which has no value (who); set it in .env or in the task's environment"},
		"two variables":     {"user: ${FOO?}\n    command: ${BAR?}", "compose.yaml, service web, key command: wants the variable BAR, which has no value (and it is not the only one); set it in .env or in the task's environment"},
		"bad boolean":       {"privileged: ${X:-maybe}", "compose.yaml, service web, key privileged: invalid boolean: maybe; correct it"},
		"bad number":        {"ulimits: {nofile: {soft: x, hard: 1}}", `compose.yaml, service web, key ulimits.nofile.soft: it is no number: "x": invalid syntax; correct it`},
		"bad duration":      {"stop_grace_period: 5x", `compose.yaml, service web, key stop_grace_period: time: unknown unit "x" in duration "5x"; correct it`},
		"bad size":          {"mem_limit: 5x", "compose.yaml, service web, key mem_limit: invalid suffix: 'x'; correct it"},
		"bad port":          {"ports: ['99999:80']", "compose.yaml, service web, key ports.[]: Invalid hostPort: 99999; correct it"},
		"home directory":    {"volumes: ['~/data:/data']", `compose.yaml, service web, key volumes.[]: a task has no home directory for "~"; write a path relative to the sandbox`},
		"home in env_file":  {"env_file: ${X:-~/a.env}", `compose.yaml, service web, key env_file: a task has no home directory for "~"; write a path relative to the sandbox`},
		"no env_file":       {"env_file: nope.env", "compose.yaml: the file nope.env does not exist; fetch it into the sandbox, or correct its path"},
		"no extended file":  {"extends: {file: nope.yaml, service: b}", "compose.yaml: the file nope.yaml does not exist; fetch it into the sandbox, or correct its path"},
		"no included file":  {"include: [nope.yaml]\n" + one, "compose.yaml: the file nope.yaml does not exist; fetch it into the sandbox, or correct its path"},
		"unknown volume":    {"volumes: ['data:/data']", "compose.yaml, service web: refers to undefined volume data; correct it"},
		"replica's name":    {"container_name: shop\n    scale: 2", "compose.yaml, service web, key container_name: can't set container_name and several containers as container name must be unique; correct it"},
		"no secret file":    {"secrets: [s]\nsecrets: {s: {file: nope}}", "compose.yaml, service web, key secrets.s: the file nope can't be used: no such file or directory; fetch it into the sandbox, or correct its path"},
		"no profile file":   {"security_opt: ['seccomp:nope.json']", "compose.yaml, service web, key security_opt: the seccomp profile nope.json can't be read: no such file or directory; name a JSON file in the sandbox"},
		// what a pod can't honour
		"build":           {"services:\n  web: {build: .}\n", "compose.yaml, service web, key build: images are not built on a Mesos agent; build it before, push it, and name it with image"},
		"no image's name": {"services:\n  web: {image: nginx latest}\n", `compose.yaml, service web, key image: "nginx latest" is no name of an image: invalid reference format; write it like registry.example.org/team/name:tag`},
		"post_start":      {"post_start: [{command: x}]", "compose.yaml, service web, key post_start: lifecycle hooks are not run by dce; do it in the service's own entrypoint"},
		"pre_start":       {"pre_start: [{command: x}]", "compose.yaml, service web, key pre_start: lifecycle hooks are not run by dce; use a service that others wait for with service_completed_successfully"},
		"pre_stop":        {"pre_stop: [{command: x}]", "compose.yaml, service web, key pre_stop: lifecycle hooks are not run by dce; do it in the service's own entrypoint, on its stop signal"},
		"provider":        {"services:\n  web: {provider: {type: x}}\n", "compose.yaml, service web, key provider: a provider is a program on the host; run what it provides as a service"},
		"models":          {one + "models: {m: {model: x}}\n", "compose.yaml, key models: models need Docker's model runner, which a Mesos agent does not have; remove them"},
		"jobs":            {one + "jobs: {j: {image: i, triggers: {manual: true}}}\n", "compose.yaml, key jobs: jobs are not run by dce; make them services, or tasks of kind job"},
		"use_api_socket":  {"use_api_socket: true", "compose.yaml, service web, key use_api_socket: a pod gets no access to the engine's socket; remove it"},
		"credential_spec": {"credential_spec: {file: x}", "compose.yaml, service web, key credential_spec: credential_spec is for Windows containers; remove it"},
		"external secret": {"secrets: [s]\nsecrets: {s: {external: true}}", "compose.yaml, service web, key secrets.s: external secrets are kept by Docker Swarm, which a Mesos agent does not have; use file or environment"},
		"secret driver":   {one + "secrets: {s: {driver: vault, environment: X}}\n", "compose.yaml, key secrets.s.driver: secrets with a driver are for Docker Swarm; use file or environment"},
		"named pipe":      {"volumes: [{type: npipe, source: x, target: /x}]", `compose.yaml, service web, key volumes: a mount of type "npipe" is not for Linux hosts; use a bind, volume, tmpfs or image`},
		"uts of another":  {"uts: x", `compose.yaml, service web, key uts: Docker can't share a UTS namespace with "x"; use host, or remove it`},
		"restart policy":  {"restart: sometimes", `compose.yaml, service web, key restart: "sometimes" is no restart policy; write "no", always, unless-stopped, on-failure or on-failure:<attempts>`},
		"attempts":        {"restart: on-failure:x", `compose.yaml, service web, key restart: "x" is no number of attempts; write "no", always, unless-stopped, on-failure or on-failure:<attempts>`},
		"limited always":  {"restart: always:3", `compose.yaml, service web, key restart: "always:3" is no restart policy; write "no", always, unless-stopped, on-failure or on-failure:<attempts>`},
		"condition":       {"deploy: {restart_policy: {condition: never}}", `compose.yaml, service web, key deploy.restart_policy.condition: "never" is no condition; use none, on-failure or any`},
		"network off":     {"network_mode: disabled", "compose.yaml, service web, key network_mode: network_mode disabled is not for a pod; use none"},
		// what the engine would refuse with fewer words
		"nothing to run":     {"profiles: [debug]", "compose.yaml: there is no service to run; add one, or activate its profile"},
		"scaled to nothing":  {"scale: 0", "compose.yaml: there is no service to run; add one, or activate its profile"},
		"no port":            {"ports: [{target: 70000}]", "compose.yaml, service web, key ports: there is no port 70000/tcp; use a port from 1 to 65535 with tcp, udp or sctp"},
		"no host port":       {"ports: [{target: 80, published: http}]", "compose.yaml, service web, key ports: there is no host port http; use a port from 1 to 65535, or a range of them"},
		"bad expose":         {"expose: [http]", `compose.yaml, service web, key expose: "http" is no port; write 80, 80/udp or 80-90`},
		"bad DNS":            {"dns: example.com", `compose.yaml, service web, key dns: "example.com" is no address of a name server; write an IP address`},
		"bad MAC":            {"mac_address: 'x'", `compose.yaml, service web, key mac_address: "x" is no MAC address; write it as 02:42:ac:11:00:02`},
		"bad security_opt":   {"security_opt: [x]", `compose.yaml, service web, key security_opt: "x" is no security option; write it as name=value`},
		"bad label":          {"labels: {io.dce.essential: perhaps}", `compose.yaml, service web, key labels.io.dce.essential: "perhaps" is neither true nor false; write true or false`},
		"nothing essential":  {"labels: {io.dce.essential: 'false'}", "compose.yaml, key labels.io.dce.essential: no service that runs is essential, so nothing would end the pod; label a service true that is no init container"},
		"one letter":         {"volumes: ['v:/v']", `compose.yaml, service web, key volumes: with one letter before the colon, "v:/v" is a path on a Windows drive; give the volume a longer name, or write {type: volume, source: v, target: /v}; a folder is ./v`},
		"one letter, mode":   {"volumes: ['V:/v:ro']", `compose.yaml, service web, key volumes: with one letter before the colon, "V:/v" is a path on a Windows drive; give the volume a longer name, or write {type: volume, source: V, target: /v}; a folder is ./V`},
		"relative target":    {"volumes: ['./x:x']", `compose.yaml, service web, key volumes: "x" is no path in a container; write an absolute path`},
		"start_interval":     {"healthcheck: {test: x, start_interval: 1s}", "compose.yaml, service web, key healthcheck.start_interval: it has no effect without a start_period; set healthcheck.start_period"},
		"bad subnet":         {"networks: [n]\nnetworks: {n: {ipam: {config: [{subnet: x}]}}}", "compose.yaml, key networks.n.ipam.config: subnet x is not valid; correct it"},
		"bad address":        {"networks: {n: {ipv4_address: x}}\nnetworks: {n: {}}", `compose.yaml, service web, key networks.n: "x" is no address; write an IP address`},
		"waits for no check": {"depends_on: {db: {condition: service_healthy}}\n  db: {image: i, healthcheck: {disable: true}}", "compose.yaml, service web, key depends_on.db: it waits for service db to be healthy, whose healthcheck is disabled; wait for service_started, or give it a healthcheck"},
		"shares with none":   {"pid: service:db\n  db: {image: i, scale: 0}", "compose.yaml, service web, key pid: there is no container of service db to share with; refer to a service that runs"},
		"private ipc":        {"ipc: service:db\n  db: {image: i, ipc: private}", "compose.yaml, service db, key ipc: private keeps the service web out, which wants to share it; make it shareable, or remove it"},
		"joined elsewhere":   {"network_mode: container:vpn\n    hostname: web", "compose.yaml, service web, key hostname: belongs to the container whose network the service joins (container:vpn); set it there"},
		"secret on read_only": {"read_only: true\n    configs: [c]\nconfigs: {c: {content: x}}",
			"compose.yaml, service web, key configs.c: it has to be copied into the container, whose file system is read-only; use file, or remove read_only"},
		"secret without value": {"secrets: [s]\nsecrets: {s: {environment: NOBODY}}",
			"compose.yaml, service web, key secrets.s: it wants the variable NOBODY, which has no value; set it in .env or in the task's environment"},
		"secret's owner": {"configs: [{source: c, uid: root}]\nconfigs: {c: {content: x}}", `compose.yaml, service web, key configs.c.uid: "root" is no numeric id; write a number`},
	} {
		t.Run(name, func(t *testing.T) {
			text := c.yaml
			if !strings.HasSuffix(text, "\n") {
				text = one + "    " + text + "\n"
			}
			_, err := tryBuild(t, map[string]string{"compose.yaml": text}, Source{}, target())
			require.EqualError(t, err, c.want)
			var refusal *Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, "REASON_TASK_INVALID", refusal.Reason())
		})
	}
}

func TestRefusalsOfTargets(t *testing.T) {
	for want, change := range map[string]func(*Target){
		`a pod can't share the namespace "uts"; use net, ipc or pid`: func(t *Target) { t.Share = []string{"uts"} },
		`there is no pod of kind "cron"; use service or job`:         func(t *Target) { t.Kind = "cron" },
		"the pod needs an infra container, but no pause image is given; set Target.PauseImage": func(t *Target) {
			t.PauseImage = ""
		},
	} {
		_, err := tryBuild(t, map[string]string{"compose.yaml": one}, Source{}, target(change))
		require.EqualError(t, err, "compose.yaml: "+want)
	}
}

// The files of an error are those that were loaded, as the user named them.
func TestErrorNamesTheFiles(t *testing.T) {
	_, err := tryBuild(t, map[string]string{"a.yaml": one, "sub/b.yaml": "services:\n  web: {dns: [x]}\n"},
		Source{Files: []string{"a.yaml", "sub/b.yaml"}}, target())
	var refusal *Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, Error{
		File: "a.yaml, sub/b.yaml", Service: "web", Key: "dns",
		Problem: `"x" is no address of a name server`, Fix: "write an IP address",
	}, *refusal)
}

func TestErrorIsOneLine(t *testing.T) {
	e := &Error{Problem: "a\n  b\tc", Fix: "d\r\ne"}
	require.EqualError(t, e, "a b c; d e")
	require.Equal(t, errors.ErrUnsupported, fileOf(errors.ErrUnsupported, "/", nil), "errors that are not ours stay as they are")
}
