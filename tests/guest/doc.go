// Package guest boots a whole Debian with systemd, Docker and nothing but cgroup v2 in qemu, so that pods run there as they would
// on such a host. Its tests have the build tag all. It mounts nothing, needs no network once the root is made, and what runs
// dies with the test. For tests only.
package guest
