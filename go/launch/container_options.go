package launch

import (
	"fmt"
	"strconv"
	"strings"
)

// option is a long option of `docker run` as compose says it: the key below the service, whether it may be given several
// times, and how its value is read, word for word where read is nil.
type option struct {
	key  string
	many shape
	read func(value string) (any, error)
}

// shape is what becomes of an option's value.
type shape int

const (
	single shape = iota
	list         // several make a list
	pairs        // name=value, several make a map
)

// runOptions are the options of `docker run` that a pod can honour. Mesos hands docker.parameters to `docker run` as
// --key=value (src/docker/docker.cpp, Docker::run).
var runOptions = map[string]option{
	"add-host":              {"extra_hosts", list, nil},
	"annotation":            {"annotations", pairs, nil},
	"blkio-weight":          {"blkio_config.weight", single, number},
	"blkio-weight-device":   {"blkio_config.weight_device", list, device("weight")},
	"cap-add":               {"cap_add", list, nil},
	"cap-drop":              {"cap_drop", list, nil},
	"cgroup-parent":         {"cgroup_parent", single, nil},
	"cgroupns":              {"cgroup", single, nil},
	"cpu-count":             {"cpu_count", single, nil},
	"cpu-percent":           {"cpu_percent", single, nil},
	"cpu-period":            {"cpu_period", single, nil},
	"cpu-quota":             {"cpu_quota", single, nil},
	"cpu-rt-period":         {"cpu_rt_period", single, nil},
	"cpu-rt-runtime":        {"cpu_rt_runtime", single, nil},
	"cpu-shares":            {"cpu_shares", single, nil},
	"cpus":                  {"cpus", single, nil},
	"cpuset-cpus":           {"cpuset", single, nil},
	"device":                {"devices", list, nil},
	"device-cgroup-rule":    {"device_cgroup_rules", list, nil},
	"device-read-bps":       {"blkio_config.device_read_bps", list, device("rate")},
	"device-read-iops":      {"blkio_config.device_read_iops", list, device("rate")},
	"device-write-bps":      {"blkio_config.device_write_bps", list, device("rate")},
	"device-write-iops":     {"blkio_config.device_write_iops", list, device("rate")},
	"dns":                   {"dns", list, nil},
	"dns-opt":               {"dns_opt", list, nil},
	"dns-option":            {"dns_opt", list, nil},
	"dns-search":            {"dns_search", list, nil},
	"domainname":            {"domainname", single, nil},
	"entrypoint":            {"entrypoint", single, entrypoint},
	"env":                   {"environment", pairs, nil},
	"env-file":              {"env_file", list, nil},
	"expose":                {"expose", list, nil},
	"gpus":                  {"gpus", single, gpus},
	"group-add":             {"group_add", list, nil},
	"health-cmd":            {"healthcheck.test", single, func(v string) (any, error) { return []any{"CMD-SHELL", v}, nil }},
	"health-interval":       {"healthcheck.interval", single, nil},
	"health-retries":        {"healthcheck.retries", single, nil},
	"health-start-interval": {"healthcheck.start_interval", single, nil},
	"health-start-period":   {"healthcheck.start_period", single, nil},
	"health-timeout":        {"healthcheck.timeout", single, nil},
	"hostname":              {"hostname", single, nil},
	"init":                  {"init", single, nil},
	"interactive":           {"stdin_open", single, nil},
	"ip":                    {endpointKey + ".ipv4_address", single, nil},
	"ip6":                   {endpointKey + ".ipv6_address", single, nil},
	"ipc":                   {"ipc", single, nil},
	"isolation":             {"isolation", single, nil},
	"label":                 {"labels", pairs, nil},
	"label-file":            {"label_file", list, nil},
	"link":                  {"external_links", list, nil},
	"link-local-ip":         {endpointKey + ".link_local_ips", list, nil},
	"log-driver":            {"logging.driver", single, nil},
	"log-opt":               {"logging.options", pairs, nil},
	"mac-address":           {"mac_address", single, nil},
	"memory":                {"mem_limit", single, nil},
	"memory-reservation":    {"mem_reservation", single, nil},
	"memory-swap":           {"memswap_limit", single, size},
	"memory-swappiness":     {"mem_swappiness", single, size},
	"net-alias":             {endpointKey + ".aliases", list, nil},
	"network-alias":         {endpointKey + ".aliases", list, nil},
	"no-healthcheck":        {"healthcheck.disable", single, nil},
	"oom-kill-disable":      {"oom_kill_disable", single, nil},
	"oom-score-adj":         {"oom_score_adj", single, nil},
	"pid":                   {"pid", single, nil},
	"pids-limit":            {"pids_limit", single, nil},
	"platform":              {"platform", single, nil},
	"privileged":            {"privileged", single, nil},
	"pull":                  {"pull_policy", single, nil},
	"read-only":             {"read_only", single, nil},
	"restart":               {"restart", single, nil},
	"runtime":               {"runtime", single, nil},
	"security-opt":          {"security_opt", list, nil},
	"shm-size":              {"shm_size", single, nil},
	"stop-signal":           {"stop_signal", single, nil},
	"stop-timeout":          {"stop_grace_period", single, func(v string) (any, error) { return v + "s", nil }},
	"storage-opt":           {"storage_opt", pairs, nil},
	"sysctl":                {"sysctls", pairs, nil},
	"tmpfs":                 {"tmpfs", list, nil},
	"tty":                   {"tty", single, nil},
	"ulimit":                {"ulimits", pairs, ulimit},
	"user":                  {"user", single, nil},
	"userns":                {"userns_mode", single, nil},
	"uts":                   {"uts", single, nil},
	"volume":                {"volumes", list, nil},
	"volumes-from":          {"volumes_from", list, func(v string) (any, error) { return "container:" + v, nil }},
	"workdir":               {"working_dir", single, nil},
}

func badParameter(name, fix, problem string, args ...any) error {
	return badContainer("docker.parameters."+name, fix, problem, args...)
}

// parameters translates docker.parameters.
func (m *containerModel) parameters() error {
	for _, p := range m.info.GetDocker().GetParameters() {
		switch p.Key {
		case "net", "network":
			if other, twice := m.given["network"]; twice && other != p.Value {
				return badParameter(p.Key, "name one", "a container can be on one network, not on %s and %s", other, p.Value)
			}
			m.given["network"] = p.Value
			continue
		case "volume-driver":
			m.volumeDriver = p.Value
			continue
		case "publish":
			return badParameter(p.Key, "use docker.port_mappings", "only the host ports of the offer can be published")
		}
		known, ok := runOptions[p.Key]
		if !ok {
			return badParameter(p.Key, "leave it out, or say it in a compose file", "dce can't translate this option of docker run")
		}
		if err := m.parameter(known, p.Key, p.Value); err != nil {
			return err
		}
	}
	return nil
}

func (m *containerModel) parameter(o option, name, text string) error {
	entry := ""
	if o.many == pairs {
		var ok bool
		if entry, text, ok = strings.Cut(text, "="); !ok || entry == "" {
			return badParameter(name, "write it as name=value", "%q has no name and value", entry)
		}
	}
	var value any = text
	if o.read != nil {
		var err error
		if value, err = o.read(text); err != nil {
			return badParameter(name, "correct it", "%v", err)
		}
	}
	switch o.many {
	case list:
		m.add(o.key, value)
	case pairs:
		setAt(m.service, o.key, func(old any) any {
			all, ok := old.(map[string]any)
			if !ok {
				all = map[string]any{}
			}
			all[entry] = value // of two the last wins, as in docker run
			return all
		})
	case single:
		return m.once(o.key, "docker.parameters."+name, value)
	}
	return nil
}

func number(text string) (any, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("%q is no number", text)
	}
	return n, nil
}

// size is a number, which may be negative, or a text such as 64m.
func size(text string) (any, error) {
	if n, err := strconv.Atoi(text); err == nil {
		return n, nil
	}
	return text, nil
}

// entrypoint is a single word, which may be empty to have none.
func entrypoint(text string) (any, error) {
	if text == "" {
		return "", nil
	}
	return []any{text}, nil
}

func gpus(text string) (any, error) {
	if text == "all" {
		return text, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("%q is neither all nor a number", text)
	}
	return []any{map[string]any{"count": n}}, nil
}

// ulimit is "soft:hard", or one number for both.
func ulimit(text string) (any, error) {
	var limits []int
	for _, part := range strings.Split(text, ":") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("%q is no limit such as 1024 or 1024:2048", text)
		}
		limits = append(limits, n)
	}
	switch len(limits) {
	case 1:
		return limits[0], nil
	case 2:
		return map[string]any{"soft": limits[0], "hard": limits[1]}, nil
	}
	return nil, fmt.Errorf("%q is no limit such as 1024 or 1024:2048", text)
}

// device is "/dev/sda:<what>".
func device(what string) func(string) (any, error) {
	return func(text string) (any, error) {
		path, value, ok := strings.Cut(text, ":")
		if !ok {
			return nil, fmt.Errorf("%q is not written as device:%s", text, what)
		}
		if what == "rate" {
			v, err := size(value)
			return map[string]any{"path": path, what: v}, err
		}
		n, err := number(value)
		return map[string]any{"path": path, what: n}, err
	}
}
