#!/bin/sh
# Installs into an empty folder, as a package would, and checks what is there. Set MESOS as for make where it names a Mesos.
set -eu
cd "$(dirname "$0")/.."

to=$(mktemp -d)
trap 'rm -rf "$to"' EXIT

fail() {
	printf 'make install: %s\n' "$*" >&2
	exit 1
}

# installed SAYS FILE...: what make said has SAYS in it, and these files are there and no others.
installed() {
	case $said in *"$1"*) ;; *) fail "does not say $1, but: $said" ;; esac
	shift
	there=$(cd "$to" && find . -type f | sort)
	[ "$there" = "$(printf '%s\n' "$@" | sort)" ] || fail "these are the files, and not $*: $there"
}

built=no
[ -z "${MESOS:-}" ] || built=yes

said=$(make -s install DESTDIR="$to" 2>&1) || fail "$said"
if [ $built = yes ]; then
	installed 'Installing' ./usr/local/bin/dce ./usr/local/bin/dce-executor ./usr/lib/mesos/modules/libdcecore.so ./usr/share/dce/dce.json \
		./usr/lib/mesos/modules/libmesos_dce.so ./etc/mesos/modules/dce.json
	echo mine >"$to/etc/mesos/modules/dce.json"
	make -s install DESTDIR="$to" >/dev/null
	grep -qx mine "$to/etc/mesos/modules/dce.json" || fail "what an operator wrote was overwritten"
else
	installed 'libmesos_dce.so was not built' ./usr/local/bin/dce ./usr/local/bin/dce-executor ./usr/lib/mesos/modules/libdcecore.so \
		./usr/share/dce/dce.json
fi
grep -q '"/usr/lib/mesos/modules/libmesos_dce.so"' "$to/usr/share/dce/dce.json" || fail "the JSON names another library"
"$to/usr/local/bin/dce" version >/dev/null || fail "dce does not run"
mode=$(stat -c %a "$to/usr/local/bin/dce-executor" "$to/usr/lib/mesos/modules/libdcecore.so" | sort -u)
[ "$mode" = 755 ] || fail "the modes are $mode"

rm -rf "${to:?}"/*
make -s install DESTDIR="$to" PREFIX=/opt/dce >/dev/null
for file in bin/dce lib/mesos/modules/libdcecore.so; do
	[ -x "$to/opt/dce/$file" ] || fail "PREFIX is not honoured for $file"
done
grep -q '"/opt/dce/lib/mesos/modules/libmesos_dce.so"' "$to/opt/dce/share/dce/dce.json" || fail "the JSON does not follow PREFIX"
echo "make install: what it says, and no more"
