#!/bin/sh
# Fails where a file of Go is not formatted; with the argument "all", where one of C or C++ is not.
set -eu
cd "$(dirname "$0")/.."

unformatted=$(gofmt -l go tests)
if [ -n "$unformatted" ]; then
	printf 'not formatted, run gofmt -w on:\n%s\n' "$unformatted" >&2
	exit 1
fi
if [ "${1:-}" = all ]; then
	git ls-files -z -- '*.c' '*.h' '*.cpp' '*.hpp' | xargs -0 -r clang-format --dry-run -Werror
fi
