#!/bin/sh
# Fails where a file of Go, C or C++ is not formatted. clang-format is asked only where it is installed (make lint does that).
set -eu
cd "$(dirname "$0")/.."

unformatted=$(gofmt -l go tests)
if [ -n "$unformatted" ]; then
	printf 'not formatted, run gofmt -w on:\n%s\n' "$unformatted" >&2
	exit 1
fi
if command -v clang-format >/dev/null; then
	find go module-cpp cgo-bridge tests \( -name '*.c' -o -name '*.h' -o -name '*.cpp' -o -name '*.hpp' \) -print0 2>/dev/null |
		xargs -0 -r clang-format --dry-run -Werror
fi
