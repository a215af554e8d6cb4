# SPDX-License-Identifier: Apache-2.0
# What cases may use, read by bash before each. What is started here is ended with the case.

started=()
trap 'for p in "${started[@]}"; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done' EXIT

# Runs a command until it succeeds, for 10 s at most.
until_good() {
	local i
	for ((i = 0; i < 200 * ${TEST_SLOW%.*}; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	echo "in vain: $*" >&2
	return 1
}

# A process that listens at $url, for as long as the case runs: start_listener COMMAND OPTION...
start_listener() {
	local port
	port=$(free_port)
	url=amqp://127.0.0.1:$port
	"${@//URL/$url}" 2>>listener.log &
	pid=$!
	started+=($pid)
	until_good bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
}

# A broker, and an agent that is its own, each with more options; $url and $pid are theirs.
start_broker() {
	start_listener gofer broker --listen URL "$@"
}

start_agent() {
	start_listener gofer agentd -f --root "$(mktemp -d root.XXXXXX)" --listen URL --plugin demo "$@"
	until_good gofer call -q -u "$url" demo Admin.hello
}

# Something that is no broker: accepts, says TEXT (with printf's escapes), reads and says no more.
start_stranger() {
	local port
	port=$(free_port)
	url=amqp://127.0.0.1:$port
	stranger "$port" "$1" &
	started+=($!)
	until_good test -e "stranger.$port"
}

# The management of an agent that is none; its requests are in the file `asked`: start_fake WHERE [MODE]
start_fake() {
	"$SOURCE/test/cli/fake_agent" "$@" &
	started+=($!)
	until_good test -e listening
}
