# SPDX-License-Identifier: Apache-2.0
#
#   make                 build/gofer, static; the libraries it needs are got first (tools/deps)
#   make LINK=shared     the same with the shared libraries of this machine
#   make demo            an agent, and calls to it
#   make test            test-unit, test-fuzz, test-cli, test-interop; each is a target of its own
#   make test-brokers    agent and callers through real brokers
#   make test-valgrind   agent and call under valgrind
#   make torture         what an agent has accepted survives everything; PARTS="kill network ..."
#   make lint            formatting, static analysis, and who may include whom
#   make fuzz            FUZZ_RUNS executions of each fuzz target (clang's libFuzzer)
#   make coverage        how many lines the tests reach
#   make bench           speed and memory, beside others measured in the same run; BENCH="latency"
#   make install         DESTDIR= PREFIX=/usr/local SYSCONFDIR=/etc
#   make deps            only what the build needs
#   make clean           removes what was built, but for the libraries in build/deps
#
# Options: V=1 shows the commands, WERROR=1, BUILD=DIR, CC=clang, CFLAGS=..., and, for every test
# target, SANITIZE=address,undefined or SANITIZE=thread.

VERSION := 3.0.0

BUILD ?= build
LINK ?= static
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
FUZZ_RUNS ?= 100000
CFLAGS ?= -O2 -g
WERROR ?= $(filter true,$(CI))
export DEPS ?= build/deps
export PYTHON ?= /usr/bin/python3

ifeq ($(origin CC),default)
CC := gcc
endif
ifneq ($(SANITIZE),)
# libFuzzer goes with static libraries, and they without proton's assertions, which any peer can fail
override LINK := $(if $(FUZZER),static,shared)
endif
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)	$(@:$(BUILD)/%=%)")

all:

# --- what there is --------------------------------------------------------------------

# Objects of different flags never meet: every variant has a directory.
comma := ,
VARIANT := $(LINK)$(patsubst %,-%,$(subst $(comma),-,$(SANITIZE)) $(COVERAGE:%=coverage) $(FUZZER:%=fuzzer))
VARIANT := $(subst $() ,,$(VARIANT))
OUT := $(BUILD)/$(VARIANT)

DIRS := core amqp broker agent cmd plugins
SOURCES := $(wildcard gofer.c) $(sort $(wildcard $(DIRS:%=%/*.c)))
OBJECTS := $(SOURCES:%.c=$(OUT)/%.o)
LIBRARY := $(OUT)/libgofer.a
UNIT := $(patsubst %.c,$(OUT)/%,$(sort $(wildcard test/unit/test_*.c)))
UNIT_HELP := $(patsubst %.c,$(OUT)/%.o,$(filter-out test/unit/test_%,$(sort $(wildcard test/unit/*.c))))
FUZZ := $(patsubst %.c,$(OUT)/%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
HEADERS := $(wildcard $(DIRS:%=%/*.h) test/*/*.h)
TALLY := $(OUT)/test/torture/gofer
TEST_OBJECTS := $(UNIT:%=%.o) $(UNIT_HELP) $(FUZZ:%=%.o) $(OUT)/test/fuzz/replay.o $(TALLY:gofer=tally).o

# Tests run $GOFER. A plain build is stripped on its way to $(BUILD)/gofer.
PROGRAM := $(if $(SANITIZE)$(COVERAGE),$(OUT),$(BUILD))/gofer
export GOFER := $(abspath $(PROGRAM))
export NODE_PATH := $(abspath $(DEPS))/node/node_modules
export OUT UNIT FUZZ TALLY SANITIZE

# --- flags ----------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARNINGS) $(if $(WERROR),-Werror) -pthread -I. -D_GNU_SOURCE \
	-DGOFER_VERSION='"$(VERSION)"' -ffunction-sections -fdata-sections $(DEPS_CFLAGS) $(CHECK)
ALL_LDFLAGS = -pthread -Wl,--gc-sections $(LDFLAGS) $(CHECK)
CHECK := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
	$(if $(COVERAGE),--coverage -O0) $(if $(FUZZER),-fsanitize=fuzzer-no-link)
ifeq ($(strip $(CHECK)),)
ALL_CFLAGS += $(if $(filter -O1 -O2 -O3 -Os,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) \
	-fstack-protector-strong
endif
STATIC := $(if $(filter static,$(LINK)),-static)

ifeq ($(filter clean help,$(MAKECMDGOALS)),)
include $(DEPS)/$(LINK).mk
# Other flags than last time: everything is made again.
write_if_other = $(if $(filter-out x$(subst $() ,_,$(2)),x$(subst $() ,_,$(file <$(1)))),\
	$(shell mkdir -p $(dir $(1)))$(file >$(1),$(2)))
$(call write_if_other,$(OUT)/flags,$(CC) $(ALL_CFLAGS) / $(ALL_LDFLAGS) $(STATIC) $(DEPS_LIBS))
$(call write_if_other,$(BUILD)/variant,$(VARIANT))
endif
$(DEPS)/%.mk: tools/deps
	@tools/deps $*

# --- building -------------------------------------------------------------------------

.PHONY: all deps demo test test-unit test-fuzz test-cli test-interop test-brokers test-valgrind lint
.PHONY: fuzz torture coverage bench install clean help
.DELETE_ON_ERROR:

all: $(PROGRAM)
deps: $(DEPS)/$(LINK).mk

$(BUILD)/gofer: $(OUT)/gofer $(BUILD)/variant
	$(call say,STRIP)
	$(Q)strip -o $@ $<

$(OUT)/gofer: $(OBJECTS) $(OUT)/flags tools/link
	$(call say,LINK)
	$(Q)tools/link $(CC) $(ALL_LDFLAGS) $(STATIC) -o $@ $(OBJECTS) $(DEPS_LIBS)

$(LIBRARY): $(filter-out $(OUT)/gofer.o,$(OBJECTS))
	$(call say,AR)
	$(Q)rm -f $@ && ar rcs $@ $^

$(OUT)/%.o: %.c $(OUT)/flags
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d) $(TEST_OBJECTS:.o=.d)

# --- testing --------------------------------------------------------------------------

$(UNIT): %: %.o $(UNIT_HELP) $(LIBRARY)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DEPS_LIBS) -lcmocka

# Without libFuzzer a target runs through the files it is given.
$(FUZZ): %: %.o $(if $(FUZZER),,$(OUT)/test/fuzz/replay.o) $(LIBRARY)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) $(if $(FUZZER),-fsanitize=fuzzer) -o $@ $^ $(DEPS_LIBS)

# The program with a plugin that keeps books of what was run.
$(TALLY): $(filter-out $(OUT)/plugins/table.o,$(OBJECTS)) $(TALLY:gofer=tally).o $(OUT)/flags
	$(call say,LINK)
	$(Q)tools/link $(CC) $(ALL_LDFLAGS) $(STATIC) -o $@ $(filter %.o,$^) $(DEPS_LIBS)

$(UNIT:%=%.o) $(UNIT_HELP): | test-deps
.PHONY: test-deps brokers-deps fuzz-deps torture-deps lint-deps coverage-deps bench-deps fuzz-run valgrind-run
test-deps brokers-deps fuzz-deps torture-deps lint-deps coverage-deps bench-deps: %-deps:
	@tools/deps $*

test: all $(UNIT) $(FUZZ) $(TALLY) test-deps
	@test/run unit fuzz cli interop
test-unit: $(UNIT)
	@test/run unit
test-fuzz: $(FUZZ)
	@test/run fuzz
test-cli test-interop: test-%: all $(TALLY) test-deps
	@test/run $*
test-brokers: all $(TALLY) test-deps brokers-deps
	@test/run brokers

test-valgrind: test-deps
	@$(MAKE) --no-print-directory LINK=shared PROGRAM=$(BUILD)/shared/gofer valgrind-run
valgrind-run: all
	@test/run valgrind

torture: all $(TALLY) torture-deps
	@$(PYTHON) -B test/torture/run $(PARTS)

demo: all
	@test/demo.sh

lint: lint-deps
	@tools/lint $(ALL_CFLAGS) -- $(SOURCES) $(HEADERS) $(wildcard test/*/*.c)

fuzz: fuzz-deps
	@$(MAKE) --no-print-directory CC=clang FUZZER=1 SANITIZE=address,undefined fuzz-run
fuzz-run: $(FUZZ)
	@test/fuzz/run $(FUZZ_RUNS) $(FUZZ)

coverage: coverage-deps
	@find $(BUILD)/$(LINK)-coverage -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) --no-print-directory COVERAGE=1 test; status=$$?; \
		tools/coverage $(BUILD)/$(LINK)-coverage $(DIRS); exit $$status

bench: all bench-deps
	@test/bench/run $(BENCH)

# --- installing -----------------------------------------------------------------------

ROOT := $(DESTDIR)$(PREFIX)
COMMANDS := goferd gofer-admin gofer-call gofer-plugin gofer-broker
install: all
	install -D -m 755 $(PROGRAM) $(ROOT)/bin/gofer
	for link in $(COMMANDS); do ln -sf gofer $(ROOT)/bin/$$link; done
	tools/install-files $(ROOT) $(DESTDIR)$(SYSCONFDIR) $(PREFIX)

clean:
	rm -rf $(filter-out $(DEPS),$(wildcard $(BUILD)/*))

help:
	@sed -n '/^# /s/^# //p;/^VERSION/q' Makefile
