#!/bin/sh
# Installs what a target of the Makefile needs from Debian's packages, where it is missing, without starting a daemon.
# Usage: tests/setup.sh run|module|test|bench|all|lint. A second call installs nothing and ends at once.
set -eu

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
cd "$(dirname "$0")/.."

die() {
	printf 'set-up: %s\n' "$*" >&2
	exit 1
}

missing=''
need() { # need COMMAND PACKAGE: the package is missing where the command is
	command -v "$1" >/dev/null || missing="$missing $2"
}

go_is_there() {
	command -v go >/dev/null || die "Go is not installed or not in PATH; install the version that go.mod names, from https://go.dev/dl"
	said=$(go list -m 2>&1) || die "this Go can't build the module ($said); install the version that go.mod names"
}

engine_may_be_there() {
	[ -n "${DOCKER_HOST:-}" ] || [ -n "${DOCKER_CONTEXT:-}" ] || [ -S /var/run/docker.sock ]
}

# Packages start their daemons when they are installed. A private engine needs the programs only, and an engine of the host
# is not to be restarted; so for the time of the installation the host's policy says no. Then it is put back.
policy=/usr/sbin/policy-rc.d
ours='# for the set-up of dce, which removes this'
forbid_daemons() {
	allow_daemons # what a killed set-up left
	[ ! -e "$policy" ] || mv "$policy" "$policy.before-dce"
	trap allow_daemons EXIT
	trap 'exit 130' INT TERM HUP
	printf '#!/bin/sh\n%s\nexit 101\n' "$ours" >"$policy"
	chmod 755 "$policy"
}

allow_daemons() {
	! grep -qsxF "$ours" "$policy" || rm "$policy"
	[ ! -e "$policy.before-dce" ] || mv "$policy.before-dce" "$policy"
}

install_missing() {
	command -v apt-get >/dev/null ||
		die "there is no apt-get to install$missing with; install what these Debian packages hold by hand"
	[ "$(id -u)" = 0 ] || die "root is needed once, to install$missing; run this with sudo, or: sudo apt-get install$missing"
	free=$(df -Pm /usr | awk 'NR == 2 { print $4 }')
	[ "$free" -ge 1000 ] || die "/usr has $free MiB free and$missing take up to 1000; free some space"
	echo "Installing from Debian's packages:$missing"
	forbid_daemons
	export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
	log=$(mktemp)
	# shellcheck disable=SC2086 # a list of package names
	{
		apt-get -q update && apt-get -q -y install --no-install-recommends --no-upgrade $missing
	} </dev/null >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		die "apt-get could not install$missing; its whole output is in $log"
	}
	rm -f "$log"
}

module() { # what the C++ half is built and tested with
	need gcc gcc
	need g++ g++
	need cmake cmake
	[ -e /usr/include/gtest/gtest.h ] || missing="$missing libgtest-dev"
	[ -e /usr/include/gmock/gmock.h ] || missing="$missing libgmock-dev"
}

go_is_there
case ${1:-} in
run | test | bench | all)
	need gcc gcc
	[ -e /usr/include/stdlib.h ] || missing="$missing libc6-dev"
	need ip iproute2
	if [ "$1" != run ] || ! engine_may_be_there; then
		need dockerd docker.io
		need containerd containerd
		need runc runc
		need iptables iptables
	fi
	# Tests put it into images, so it must not need a library. The package takes the place of Debian's dynamic busybox.
	[ "$1" = run ] || { [ -x /bin/busybox ] && ! ldd /bin/busybox 2>/dev/null | grep -q '=>'; } || missing="$missing busybox-static"
	[ "$1" = run ] || module
	case $1 in test | all) need qemu-system-x86_64 qemu-system-x86 ;; esac
	case $1 in bench | all) need docker-compose docker-compose ;; esac
	if [ "$1" = all ]; then # also for the root of a virtual machine
		need valgrind valgrind
		need debootstrap debootstrap
		need mke2fs e2fsprogs
	fi
	;;
module)
	module
	;;
lint)
	need shellcheck shellcheck
	need clang-format clang-format
	;;
*) die "usage: tests/setup.sh run|module|test|bench|all|lint" ;;
esac
[ -z "$missing" ] || install_missing
