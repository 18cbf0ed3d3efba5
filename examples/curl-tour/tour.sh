#!/usr/bin/env bash
#
# A tour of metad with curl. It prints each command before its answer, and fails when an answer is not as expected.
#
#     npm start                                    in another terminal
#     examples/curl-tour/tour.sh
#
# Other addresses than those of npm start are given by the environment:
#
#     METADATA=http://127.0.0.1:8081 MANAGE=http://127.0.0.1:9612 CLUSTER=http://127.0.0.1:21002 examples/curl-tour/tour.sh
#
# It uses the subtree /curl-tour and the client addresses 192.0.2.7 and 192.0.2.8, which belong to nobody, and removes
# what it has written. The node must run with --xff, as it does with npm start, so that we can speak as those clients.
set -euo pipefail

METADATA=${METADATA:-http://127.0.0.1:8080}
MANAGE=${MANAGE:-http://127.0.0.1:9611}
CLUSTER=${CLUSTER:-http://127.0.0.1:21001}

WEB='X-Forwarded-For: 192.0.2.7'
GUEST='X-Forwarded-For: 192.0.2.8'
JSON='Accept: application/json'
YAML='Accept: application/yaml'

answer=
waiting=
scratch=$(mktemp)

remove_traces() {
  local what
  for what in data/curl-tour mapping/192.0.2.7 mapping/192.0.2.8 'rule?hosts=192.0.2.7,192.0.2.8'; do
    curl --silent --max-time 10 --output /dev/null --request DELETE "$MANAGE/v1/$what" || true
  done
}

clean_up() {
  if [[ -n $waiting ]]; then kill "$waiting" 2>/dev/null || true; fi
  remove_traces
  rm -f "$scratch"
}
trap clean_up EXIT

say() { printf '\n# %s\n' "$*"; }

fail() {
  printf '\nNot as expected: %s\n' "$*" >&2
  exit 1
}

# Prints a command as one would type it.
show() {
  local word
  printf '\n$'
  for word in "$@"; do
    if [[ $word == '&' || $word =~ ^[A-Za-z0-9_./:=@%+,-]+$ ]]; then printf ' %s' "$word"; else printf " '%s'" "$word"; fi
  done
  printf '\n'
}

# Runs curl, prints the command and the answer, and keeps the answer.
ask() {
  show curl "$@"
  answer=$(curl --silent --show-error --max-time 30 "$@") || fail "curl ended with $?"
  printf '%s\n' "$answer"
}

is() { [[ $answer == "$1" ]] || fail "expected $1"; }
has() { [[ $answer == *"$1"* ]] || fail "expected it to contain $1"; }
lacks() { [[ $answer != *"$1"* ]] || fail "expected it not to contain $1"; }

# The version that the last answer, taken with --include, carries.
version() { sed -n 's/^[Xx]-[Mm]etad-[Vv]ersion: *\([0-9]*\).*/\1/p' <<<"$answer"; }

# An earlier tour may have been killed on its way.
remove_traces

say 'POST creates or replaces, PUT merges; any node takes writes.'
ask -X POST -d '{"web-1":{"ip":"192.0.2.7","role":"web"},"db-1":{"role":"db","password":"hush"}}' "$MANAGE/v1/data/curl-tour"
is OK
ask -X PUT -d '{"web-1":{"port":8080}}' "$MANAGE/v1/data/curl-tour"
is OK

say 'One tree, three formats: text unless another is asked for.'
ask "$MANAGE/v1/data/curl-tour"
is $'/db-1/password\thush\n/db-1/role\tdb\n/web-1/ip\t192.0.2.7\n/web-1/port\t8080\n/web-1/role\tweb'
ask -H "$JSON" "$MANAGE/v1/data/curl-tour?pretty=true"
has '"port": "8080"'
ask -H "$YAML" "$MANAGE/v1/data/curl-tour/web-1"
has 'role: web'

say 'A mapping says what a client is: /self answers by the address it comes from.'
ask -X PUT -d '{"192.0.2.7":{"node":"/curl-tour/web-1"}}' "$MANAGE/v1/mapping"
is OK
ask -H "$WEB" "$METADATA/self"
is $'/node/ip\t192.0.2.7\n/node/port\t8080\n/node/role\tweb'
ask -H "$WEB" "$METADATA/self/node/role"
is web

say 'Nobody else sees anything: no mapping and no rule is 404.'
ask -H "$GUEST" -H "$JSON" "$METADATA/curl-tour"
has '"code":404'

say 'Rules open parts of the tree. The deeper rule wins, and what is forbidden looks as if it did not exist.'
ask -X PUT -d '{"192.0.2.8":[{"path":"/curl-tour","mode":1},{"path":"/curl-tour/*/password","mode":0}]}' "$MANAGE/v1/rule"
is OK
ask -H "$GUEST" "$METADATA/curl-tour"
has $'/db-1/role\tdb'
lacks hush
ask -H "$GUEST" "$METADATA/curl-tour/db-1/password"
has 'Not found'

say 'Every answer carries the version of the tree. It is the same on every node.'
ask --include -H "$WEB" "$METADATA/self/node/role"
before=$(version)
[[ -n $before ]] || fail 'expected X-Metad-Version'

say "A request with wait=true is held until what it shows changes after prev_version. Here it waits while we write:"
wait_url="$METADATA/self/node/role?wait=true&prev_version=$before"
show curl --include -H "$WEB" "$wait_url" '&'
curl --silent --show-error --max-time 60 --include -H "$WEB" "$wait_url" >"$scratch" &
waiting=$!
ask -X PUT -d '"proxy"' "$MANAGE/v1/data/curl-tour/web-1/role"
is OK
wait "$waiting" || fail "the waiting curl ended with $?"
waiting=
answer=$(tr -d '\r' <"$scratch")
printf '\nThe answer to the one that waited:\n%s\n' "$answer"
has $'\n\nproxy'
after=$(version)
((after > before)) || fail "expected a version after $before"

say 'The version goes with you to any node: it answers with that state or a newer one, never with an older.'
ask -H "$WEB" -H "X-Metad-Version: $after" "$METADATA/self/node/role"
is proxy

say 'The KV API shows the same tree as flat keys.'
ask -X POST -d '{"Put":{"key":"curl-tour/greeting","value":"hello"}}' "$CLUSTER/write"
is '"OK"'
ask -X POST -d '"curl-tour/greeting"' "$CLUSTER/read"
is '{"OK":"hello"}'
ask "$MANAGE/v1/data/curl-tour/greeting"
is hello
ask -X POST -d '{"Del":{"key":"curl-tour/greeting"}}' "$CLUSTER/write"
is '"OK"'
ask -X POST -d '"curl-tour/greeting"' "$CLUSTER/read"
is '{"OK":""}'
ask "$CLUSTER/read-all"
has '{"k":"curl-tour/web-1/role","v":"proxy"}'
lacks curl-tour/greeting

say 'The cluster as this node sees it.'
ask "$CLUSTER/metrics"
has '"current_leader":'
has '"membership_config":'

say 'What is wrong is said.'
ask -H "$JSON" -X PUT -d '{"oops"' "$MANAGE/v1/data/curl-tour"
has '"code":400'
has 'invalid json'

say 'DELETE removes a node with all below it; the tour leaves nothing behind.'
ask -X DELETE "$MANAGE/v1/data/curl-tour"
is OK
ask -H "$JSON" "$MANAGE/v1/data/curl-tour"
has '"code":404'

printf '\nAll answers were as expected.\n'
