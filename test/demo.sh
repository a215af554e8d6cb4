#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test/demo.sh: an agent that is its own broker, and calls to it, for people to look at. Exits 0 if all went
# as it should. GOFER names the binary.

set -u
GOFER=${GOFER:-build/gofer}
dir=$(mktemp -d "${TMPDIR:-/tmp}/gofer-demo.XXXXXX") || exit 1
agent=
failed=0

finish() {
	[ -z "$agent" ] || kill "$agent" 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m')
else
	bold='' dim='' plain=''
fi

say() {
	printf '\n%s# %s%s\n' "$dim" "$1" "$plain"
}

# Runs gofer with the rest of the arguments, and shows how; it must exit with the first.
try() {
	expected=$1
	shift
	printf '%s$ gofer' "$bold"
	for word in "$@"; do
		case $word in
		*[\ \'\"]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '%s\n' "$plain"
	"$GOFER" "$@" 2>&1
	got=$?
	[ $got = 0 ] || printf '%s(exit %d)%s\n' "$dim" $got "$plain"
	[ $got = "$expected" ] && return
	echo "demo: expected exit code $expected" >&2
	failed=1
}

# What a terminal would get to see, each state of the line on a line of its own.
show_terminal() {
	printf '%s$ gofer %s%s\n' "$bold" "$*" "$plain"
	TERM=xterm NO_COLOR='' script -qec "$GOFER $*" /dev/null </dev/null |
		tr '\r' '\n' | sed "s/$(printf '\033')\[K//g; /^\$/d" | tee "$dir/shown"
	grep -q '\[##*-*\] [0-9]*%' "$dir/shown" || { echo "demo: no progress bar" >&2; failed=1; }
}

# A port that is in use makes the agent exit; another one is tried then.
start_agent() {
	for n in 1 2 3 4 5 6 7 8; do
		port=$((20000 + ($$ + n * 3571) % 12000))
		GOFER_URL=amqp://127.0.0.1:$port
		"$GOFER" agentd -f --root "$dir" --listen "$GOFER_URL" --plugin demo 2>"$dir/log" &
		agent=$!
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			"$GOFER" call -u "$GOFER_URL" -w 2 demo Admin.hello >/dev/null 2>&1 &&
				kill -0 $agent 2>/dev/null && return
			kill -0 $agent 2>/dev/null || break
			sleep 0.1
		done
		kill $agent 2>/dev/null
		wait $agent 2>/dev/null
		agent=
	done
	cat "$dir/log" >&2
	echo "demo: the agent did not start" >&2
	exit 1
}

unset GOFER_ADDRESS GOFER_WAIT
say "An agent that is its own broker, with the demo plugin."
start_agent
export GOFER_URL
printf '%s$ gofer agentd -f --root %s --listen %s --plugin demo &%s\n' "$bold" "$dir" "$GOFER_URL" "$plain"
sed 's/^/  /' "$dir/log"

say "Hello. The address is the plugin's queue; then what to call, and with what."
try 0 call demo Demo.hello

say "What goes in comes back: text, and any JSON."
try 0 call demo Demo.echo 'hello there'
try 0 call demo Demo.echo 'something:={"n": 12345678901234567890, "x": [1.0, null]}'

say "An object with arguments of its own, made for this call."
try 0 call -c '[["world"], {"greeting": "good morning"}]' demo Greeter.greet

say "A long call tells how far it is, on a terminal; the line goes when the call is over."
if [ -t 2 ]; then
	try 0 call demo Demo.count total=20 delay:=0.1
else
	show_terminal call demo Demo.count total=5 delay:=0.3
fi

say "The same, as lines for a script."
try 0 call -p '> ' demo Demo.count 3

say "An exception: its text on standard error, and exit code 1."
try 1 call demo Demo.fail 'no such luck'
try 1 call demo Demo.echo

say "There is nobody at this address."
try 69 call nobody Demo.hello

say "Do not wait: the replies go to a queue, and are read later."
sn=$("$GOFER" call -r replies demo Demo.count 2) || failed=1
printf '%s$ sn=$(gofer call -r replies demo Demo.count 2)%s\n' "$bold" "$plain"
try 0 call --listen replies --until-done "$sn"

say "How fast: 5000 calls, 16 at a time."
try 0 call -n 5000 -C 16 demo Demo.echo hello

say "SIGTERM ends the agent."
kill "$agent"
wait "$agent"
got=$?
agent=
sed -n '$s/^/  /p' "$dir/log"
[ $got = 0 ] || { echo "demo: the agent exited with $got" >&2; failed=1; }
exit $failed
