# Everything that people and CI type. Each target does its own set-up; a second call costs nothing.

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
PREFIX  ?= /usr/local
TOOLS   := build/tools
BOX     := $(TOOLS)/box

# Same code, same bytes: no paths of this machine, no cgo, no symbols.
STATIC  := CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"

GOLANGCI_LINT := v2.15.0

# Which Mesos the module is built for, as docs/module.md tells: make module MESOS="-DMesos_ROOT=/usr".
MESOS   ?=
CMAKE   := cmake --preset dev $(MESOS)

.PHONY: help setup build programs module run test test-kernel test-mesos test-cpp test-all test-guest bench lint clean install FORCE

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## install what the tests need from Debian's packages
	@tests/setup.sh test

build: programs module ## build all of it

programs: bin/dce bin/dce-executor ## build bin/dce and bin/dce-executor, both static

module: go/pause/pause ## build lib/libdcecore.so and, with MESOS=…, lib/libmesos_dce.so; without it the module's test variant
	@tests/setup.sh module
	@mkdir -p build lib
	@$(CMAKE) >build/cmake.log 2>&1 || { cat build/cmake.log; exit 1; }
	@grep 'No Mesos was named' build/cmake.log || true
	@cmake --build --preset dev -j 2 >build/cmake.log 2>&1 || { cat build/cmake.log; exit 1; }
	@cp -u build/cmake/dev/core/libdcecore.so lib/
	@[ ! -e build/cmake/dev/module/libmesos_dce.so ] || cp -u build/cmake/dev/module/libmesos_dce.so lib/

bin/dce bin/dce-executor: bin/%: go/pause/pause FORCE
	$(STATIC) -o $@ ./go/cmd/$*

# The line of the file's own comment.
go/pause/pause: go/pause/pause.c
	@tests/setup.sh run
	gcc -Os -static -nostdlib -ffreestanding -fno-pie -no-pie -fno-ident -fno-stack-protector \
	  -fno-asynchronous-unwind-tables -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,noexecstack -s \
	  -Wall -Wextra -Werror -o $@ $<

$(TOOLS)/%: FORCE | go/pause/pause
	@go build -o $@ ./tests/cmd/$*

run: ## run the example as a task, with the engine that is there or a private one
	@tests/setup.sh run
	@$(MAKE) --no-print-directory -s programs $(BOX) $(TOOLS)/demo
	@$(BOX) run --name run --images -- $(TOOLS)/demo

test: ## check the format, vet, and run all tests in a private engine, with the race detector
	@tests/setup.sh test
	@$(MAKE) --no-print-directory build $(BOX)
	@tests/format.sh
	go vet ./...
	ctest --preset dev -j 2 -E '^bench'
	@MESOS="$(MESOS)" tests/install.sh
	$(BOX) run --name test --private --images --clean -- go test -race -count=1 -timeout 10m $$(go list ./... | grep -v /tests/kernel)
	go test -count=1 ./tests/kernel # alone: an emulated machine measures what the rest of this one leaves it

test-kernel: ## boot other kernels in qemu and test cgroups there; part of make test
	@tests/setup.sh test
	go test -count=1 -v ./tests/kernel

test-mesos: ## run pods under a real Mesos, which MESOS_BIN and MESOS_LIB name (tests/mesos); not part of the others
	@[ -n "$(MESOS_BIN)" ] && [ -n "$(MESOS_LIB)" ] || { echo 'There is no Mesos to run against, so nothing was tested: set MESOS_BIN to the folder with mesos-master and mesos-agent and MESOS_LIB to the folder with libmesos.so, and build the module for it with make module MESOS=... (docs/module.md).' >&2; exit 1; }
	@tests/setup.sh test
	@$(MAKE) --no-print-directory programs $(BOX)
	MESOS_BIN="$(MESOS_BIN)" MESOS_LIB="$(MESOS_LIB)" $(BOX) run --name test-mesos --private --clean -- go test -v -tags mesos -count=1 -timeout 30m ./tests/mesos

test-cpp: ## run the C++ tests under valgrind and the address, undefined-behaviour and thread sanitizers; part of make test-all
	@tests/setup.sh all
	@$(MAKE) --no-print-directory module
	ctest --preset dev -R valgrind
	for preset in asan tsan; do \
	  { cmake --preset $$preset && cmake --build --preset $$preset -j 2; } >build/cmake.log 2>&1 || { cat build/cmake.log; exit 1; }; \
	  ctest --preset $$preset -E '^bench' || exit 1; \
	done

test-all: lint test build/peers/docker-compose ## everything: lint, test, and the slow tests (build tag all)
	@tests/setup.sh all
	$(BOX) run --name test --private --images --clean -- go test -race -count=1 -timeout 120m -tags all -run 'TestAll' $$(go list ./tests/... | grep -v /tests/guest)
	@$(MAKE) --no-print-directory test-cpp test-guest

test-guest: module ## boot a Debian with systemd and Docker on cgroup v2 in qemu and run pods there; part of make test-all
	@tests/setup.sh all
	go test -count=1 -v -timeout 60m -tags all -run TestAll ./tests/guest # alone: its emulated machine takes all there is

bench: build/peers/docker-compose ## measure against docker compose and the raw API, in a private engine
	@tests/setup.sh bench
	@$(MAKE) --no-print-directory build $(BOX)
	@go build -o $(TOOLS)/bench ./tests/bench
	ctest --preset dev -R '^bench' --verbose
	$(BOX) run --name bench --private --images --clean -- $(TOOLS)/bench

build/peers/docker-compose: tests/peers/go.mod
	cd tests/peers && go build -o $(CURDIR)/$@ github.com/docker/compose/v5/cmd

lint: $(TOOLS)/golangci-lint-$(GOLANGCI_LINT) ## check the format, and the code by the rules in .golangci.yml
	@tests/setup.sh lint
	@tests/format.sh all
	shellcheck tests/*.sh .ci/run
	$< run --allow-parallel-runners ./...

$(TOOLS)/golangci-lint-%:
	GOBIN=$(CURDIR)/$(TOOLS) GOFLAGS= go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$*
	mv $(TOOLS)/golangci-lint $@

# The programs go below PREFIX. So does the module where PREFIX is given; else it goes where packages of Mesos have theirs.
MODULE_PREFIX ?= $(if $(filter file,$(origin PREFIX)),/usr,$(PREFIX))

install: ## install the programs below $(DESTDIR)$(PREFIX), and module and core below $(DESTDIR)/usr/lib/mesos/modules
	@$(MAKE) --no-print-directory build
	install -D -m 755 bin/dce "$(DESTDIR)$(PREFIX)/bin/dce"
	install -D -m 755 bin/dce-executor "$(DESTDIR)$(PREFIX)/bin/dce-executor"
	@$(CMAKE) -DCMAKE_INSTALL_PREFIX="$(MODULE_PREFIX)" >build/cmake.log 2>&1 || { cat build/cmake.log; exit 1; }
	@DESTDIR="$(DESTDIR)" cmake --install build/cmake/dev

clean: ## end what killed runs left, and remove everything that was built
	@[ ! -x $(BOX) ] || $(BOX) clean
	rm -rf bin lib build go/pause/pause
