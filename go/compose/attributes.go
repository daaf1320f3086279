package compose

import (
	"fmt"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/tree"
	"github.com/compose-spec/compose-go/v2/types"
)

// Every attribute of the compose file format is in exactly one of the tables below; a test compares them with the schema
// in compose-go. What is in none of them (a newer compose-go) is refused by name: nothing is dropped in silence.

// handled lists what Rewrite and Convert translate, or what the loader has used up. "*" is any key, "[]" any item of a
// list; only the very path is meant, not what is below it.
const handled = `
version name
include include.[].env_file include.[].path include.[].project_directory

services services.*
services.*.annotations services.*.annotations.*
services.*.blkio_config services.*.blkio_config.weight
services.*.blkio_config.weight_device
services.*.blkio_config.weight_device.[].path services.*.blkio_config.weight_device.[].weight
services.*.blkio_config.device_read_bps
services.*.blkio_config.device_read_bps.[].path services.*.blkio_config.device_read_bps.[].rate
services.*.blkio_config.device_read_iops
services.*.blkio_config.device_read_iops.[].path services.*.blkio_config.device_read_iops.[].rate
services.*.blkio_config.device_write_bps
services.*.blkio_config.device_write_bps.[].path services.*.blkio_config.device_write_bps.[].rate
services.*.blkio_config.device_write_iops
services.*.blkio_config.device_write_iops.[].path services.*.blkio_config.device_write_iops.[].rate
services.*.cap_add services.*.cap_drop
services.*.command services.*.entrypoint
services.*.configs
services.*.configs.[].gid services.*.configs.[].mode services.*.configs.[].source services.*.configs.[].target
services.*.configs.[].uid
services.*.container_name
services.*.cpu_count services.*.cpu_percent services.*.cpu_period services.*.cpu_quota services.*.cpu_rt_period
services.*.cpu_rt_runtime services.*.cpu_shares services.*.cpus services.*.cpuset
services.*.depends_on services.*.depends_on.* services.*.depends_on.*.condition services.*.depends_on.*.required
services.*.deploy services.*.deploy.mode services.*.deploy.replicas
services.*.deploy.resources
services.*.deploy.resources.limits services.*.deploy.resources.limits.cpus
services.*.deploy.resources.limits.memory services.*.deploy.resources.limits.pids
services.*.deploy.resources.reservations services.*.deploy.resources.reservations.cpus
services.*.deploy.resources.reservations.memory
services.*.deploy.resources.reservations.devices
services.*.deploy.resources.reservations.devices.[].capabilities
services.*.deploy.resources.reservations.devices.[].count
services.*.deploy.resources.reservations.devices.[].device_ids
services.*.deploy.resources.reservations.devices.[].driver
services.*.deploy.resources.reservations.devices.[].options
services.*.deploy.resources.reservations.devices.[].options.*
services.*.deploy.restart_policy services.*.deploy.restart_policy.condition services.*.deploy.restart_policy.delay
services.*.deploy.restart_policy.max_attempts services.*.deploy.restart_policy.window
services.*.device_cgroup_rules
services.*.devices
services.*.devices.[].permissions services.*.devices.[].source services.*.devices.[].target
services.*.dns services.*.dns_opt services.*.dns_search
services.*.domainname
services.*.env_file
services.*.env_file.[].format services.*.env_file.[].path services.*.env_file.[].required
services.*.environment services.*.environment.*
services.*.expose
services.*.extends services.*.extends.file services.*.extends.service
services.*.external_links
services.*.extra_hosts services.*.extra_hosts.*
services.*.gpus
services.*.gpus.[].capabilities services.*.gpus.[].count services.*.gpus.[].device_ids services.*.gpus.[].driver
services.*.gpus.[].options services.*.gpus.[].options.*
services.*.group_add
services.*.healthcheck
services.*.healthcheck.disable services.*.healthcheck.interval services.*.healthcheck.retries
services.*.healthcheck.start_interval services.*.healthcheck.start_period services.*.healthcheck.test
services.*.healthcheck.timeout
services.*.hostname
services.*.image services.*.init services.*.ipc services.*.isolation
services.*.label_file services.*.labels services.*.labels.*
services.*.links
services.*.logging services.*.logging.driver services.*.logging.options services.*.logging.options.*
services.*.mac_address
services.*.mem_limit services.*.mem_reservation services.*.mem_swappiness services.*.memswap_limit
services.*.network_mode
services.*.networks services.*.networks.*
services.*.networks.*.aliases services.*.networks.*.driver_opts services.*.networks.*.driver_opts.*
services.*.networks.*.gw_priority services.*.networks.*.interface_name services.*.networks.*.ipv4_address
services.*.networks.*.ipv6_address services.*.networks.*.link_local_ips services.*.networks.*.mac_address
services.*.networks.*.priority services.*.networks.*.use_service_name_alias
services.*.oom_kill_disable services.*.oom_score_adj
services.*.pid services.*.pids_limit
services.*.platform
services.*.ports
services.*.ports.[].host_ip services.*.ports.[].name services.*.ports.[].protocol services.*.ports.[].published
services.*.ports.[].target
services.*.privileged
services.*.profiles
services.*.pull_policy
services.*.read_only services.*.restart services.*.runtime services.*.scale
services.*.secrets
services.*.secrets.[].gid services.*.secrets.[].mode services.*.secrets.[].source services.*.secrets.[].target
services.*.secrets.[].uid
services.*.security_opt services.*.shm_size services.*.stdin_open services.*.stop_grace_period services.*.stop_signal
services.*.storage_opt services.*.storage_opt.* services.*.sysctls services.*.sysctls.* services.*.tmpfs services.*.tty
services.*.ulimits services.*.ulimits.* services.*.ulimits.*.hard services.*.ulimits.*.soft
services.*.user services.*.userns_mode services.*.uts
services.*.volumes
services.*.volumes.[].bind services.*.volumes.[].bind.create_host_path services.*.volumes.[].bind.propagation
services.*.volumes.[].bind.recursive services.*.volumes.[].bind.selinux
services.*.volumes.[].consistency
services.*.volumes.[].image services.*.volumes.[].image.subpath
services.*.volumes.[].read_only services.*.volumes.[].source services.*.volumes.[].target
services.*.volumes.[].tmpfs services.*.volumes.[].tmpfs.mode services.*.volumes.[].tmpfs.size
services.*.volumes.[].type
services.*.volumes.[].volume services.*.volumes.[].volume.labels services.*.volumes.[].volume.labels.*
services.*.volumes.[].volume.nocopy services.*.volumes.[].volume.subpath
services.*.volumes_from
services.*.working_dir

configs configs.*
configs.*.content configs.*.environment configs.*.external configs.*.external.name configs.*.file configs.*.name
secrets secrets.*
secrets.*.environment secrets.*.external secrets.*.external.name secrets.*.file secrets.*.name

networks networks.*
networks.*.attachable networks.*.driver networks.*.driver_opts networks.*.driver_opts.*
networks.*.enable_ipv4 networks.*.enable_ipv6 networks.*.external networks.*.external.name networks.*.internal
networks.*.ipam networks.*.ipam.config
networks.*.ipam.config.[].aux_addresses networks.*.ipam.config.[].aux_addresses.*
networks.*.ipam.config.[].gateway networks.*.ipam.config.[].ip_range networks.*.ipam.config.[].subnet
networks.*.ipam.driver networks.*.ipam.options networks.*.ipam.options.*
networks.*.labels networks.*.labels.* networks.*.name

volumes volumes.*
volumes.*.driver volumes.*.driver_opts volumes.*.driver_opts.* volumes.*.external volumes.*.external.name
volumes.*.labels volumes.*.labels.* volumes.*.name
`

// ignored has, with all that is below them, the attributes without effect, and the sentence that the log gets. No
// sentence: compose itself does nothing with them when it runs a project on one engine.
var ignored = map[tree.Path]string{
	"services.*.build":         "the image is used as it is, build is ignored",
	"services.*.cgroup":        "the containers of a pod live under the task's cgroup, cgroup is ignored",
	"services.*.cgroup_parent": "the containers of a pod live under the task's cgroup, cgroup_parent is ignored",

	"services.*.attach":                                          "",
	"services.*.depends_on.*.restart":                            "",
	"services.*.develop":                                         "",
	"services.*.deploy.endpoint_mode":                            "",
	"services.*.deploy.labels":                                   "",
	"services.*.deploy.placement":                                "",
	"services.*.deploy.resources.reservations.generic_resources": "",
	"services.*.deploy.rollback_config":                          "",
	"services.*.deploy.update_config":                            "",
	"services.*.ports.[].app_protocol":                           "",
	"services.*.ports.[].mode":                                   "",
	"services.*.pull_refresh_after":                              "",
	"configs.*.labels":                                           "",
	"secrets.*.labels":                                           "",
}

// refused has, with all that is below them, the attributes that a pod can't honour: why, and the way out.
var refused = map[tree.Path][2]string{
	"jobs":                       {"jobs are not run by dce", "make them services, or tasks of kind job"},
	"models":                     {"models need Docker's model runner, which a Mesos agent does not have", "remove them"},
	"services.*.models":          {"models need Docker's model runner, which a Mesos agent does not have", "remove them"},
	"services.*.provider":        {"a provider is a program on the host", "run what it provides as a service"},
	"services.*.pre_start":       {"lifecycle hooks are not run by dce", "use a service that others wait for with service_completed_successfully"},
	"services.*.post_start":      {"lifecycle hooks are not run by dce", "do it in the service's own entrypoint"},
	"services.*.pre_stop":        {"lifecycle hooks are not run by dce", "do it in the service's own entrypoint, on its stop signal"},
	"services.*.credential_spec": {"credential_spec is for Windows containers", "remove it"},
	"services.*.umask":           {"Docker has no setting for umask", "set it in the service's command"},
	"services.*.use_api_socket":  {"a pod gets no access to the engine's socket", "remove it"},
	"configs.*.template_driver":  {"configs with a driver are for Docker Swarm", "use file, content or environment"},
	"secrets.*.driver":           {"secrets with a driver are for Docker Swarm", "use file or environment"},
	"secrets.*.driver_opts":      {"secrets with a driver are for Docker Swarm", "use file or environment"},
	"secrets.*.template_driver":  {"secrets with a driver are for Docker Swarm", "use file or environment"},
}

func translated() []tree.Path {
	fields := strings.Fields(handled)
	paths := make([]tree.Path, len(fields))
	for i, field := range fields {
		paths[i] = tree.Path(field)
	}
	return paths
}

func notTranslated() []loader.UnsupportedAttributePattern {
	var patterns []loader.UnsupportedAttributePattern
	for path := range ignored {
		patterns = append(patterns, loader.UnsupportedAttributePattern{Path: path})
	}
	for path := range refused {
		patterns = append(patterns, loader.UnsupportedAttributePattern{Path: path})
	}
	return patterns
}

// judge sorts what the loader found, which is ordered by path, into warnings and an error. Services that no profile
// activates may say what they like.
func judge(project *types.Project, found []loader.UnsupportedAttribute) (warnings []string, err error) {
	for _, attribute := range found {
		service, key := place(attribute.Path)
		if _, active := project.Services[service]; service != "" && !active {
			continue
		}
		if why, ok := lookup(ignored, attribute.Path); ok {
			if why != "" {
				warnings = append(warnings, fmt.Sprintf("service %s: %s", service, why))
			}
			continue
		}
		if why, ok := lookup(refused, attribute.Path); ok {
			return nil, badService(service, key, why[1], "%s", why[0])
		}
		return nil, badService(service, key, "remove it", "dce does not know how to translate it")
	}
	return warnings, nil
}

func lookup[V any](table map[tree.Path]V, path tree.Path) (V, bool) {
	for pattern, value := range table {
		if path.Matches(pattern) {
			return value, true
		}
	}
	var none V
	return none, false
}
