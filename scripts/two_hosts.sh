#!/usr/bin/env bash
# What becomes of sessions on a Ray cluster of several hosts when something breaks.
#
#     scripts/two_hosts.sh                 # as root
#     scripts/two_hosts.sh cut10 driver    # some of: trial search added raylet cut10 cut75 driver
#                                          # version nolab token nonode busy head
#
# The hosts are namespaces of this machine, each with an address, a name, processes and temporary
# files of its own: `head`, where the commands run, `work` with two processors, and `more`, which
# comes and goes. A table says what happened; the status is 1 if something was lost.
set -uo pipefail
cd "$(dirname "$0")/.."
SCENARIOS=(trial search added raylet cut10 cut75 driver version nolab token nonode busy head)
NETWORK=10.77.0
ADDRESS=$NETWORK.1:6379
STEPS=${STEPS:-100000} # of a session, which must outlast what happens to it
PYTHON=$(command -v python || command -v python3)

skip() { echo "two_hosts.sh: skipped: $1"; exit 0; }
[ "$(id -u)" = 0 ] || skip "it needs root, to make network namespaces"
for tool in unshare nsenter ip pgrep; do
    command -v $tool >/dev/null || skip "there is no $tool"
done
unshare --net --mount --uts --pid --fork true 2>/dev/null || skip "namespaces are not allowed here"
"$PYTHON" -c "import ray" 2>/dev/null || skip "Ray is not installed: pip install -e .[ray]"

STATE=$(mktemp -d)
BRIDGE=rlhosts0
export ROOT=$PWD
export PYTHONPATH=$ROOT OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=0123456789abcdef0123456789abcdef RAY_USAGE_STATS_ENABLED=0
export RAY_worker_niceness=0 # as of the local processes that they are compared with
declare -A NUMBER=([head]=1 [work]=2 [more]=3)
failures=0

host_up() { # NAME: its processes end with the first of them
    unshare --net --mount --uts --pid --fork --kill-child --mount-proc sh -c \
        "hostname $1 && mount -t tmpfs none /tmp && mount -t tmpfs none /dev/shm &&
         ip link set lo up && exec sleep 100000" 2>/dev/null &
    echo $! >"$STATE/$1.parent"
    until pgrep -P "$(cat "$STATE/$1.parent")" -x sleep >"$STATE/$1"; do sleep 0.05; done
    ip link add "rl$1" type veth peer name eth0 netns "$(cat "$STATE/$1")"
    ip link set "rl$1" master $BRIDGE up
    nsenter -t "$(cat "$STATE/$1")" -n ip addr add "$NETWORK.${NUMBER[$1]}/24" dev eth0
    nsenter -t "$(cat "$STATE/$1")" -n ip link set eth0 up
}
host_down() { # NAME
    [ -f "$STATE/$1" ] && kill -9 "$(cat "$STATE/$1")" 2>/dev/null
    rm -f "$STATE/$1"
    ip link del "rl$1" 2>/dev/null
}
finish() {
    for name in "${!NUMBER[@]}"; do host_down "$name"; done 2>/dev/null
    ip link del $BRIDGE 2>/dev/null
    wait 2>/dev/null
    rm -rf "$STATE"
}
trap finish EXIT
trap 'exit 143' HUP INT TERM

on() { local host=$1; shift; nsenter -t "$(cat "$STATE/$host")" -a "$@"; }
lab() { on head "$PYTHON" -m rl "$@"; }
start_ray() { # HOST PROCESSORS [more]
    local host=$1 processors=$2; shift 2
    local place=(--address=$ADDRESS)
    [ "$host" = head ] && place=(--head --port=6379 --include-dashboard=false)
    for _ in 1 2 3 4; do # Ray gives up after 30 s, which a busy machine may need
        on "$host" "$PYTHON" -m ray.scripts.scripts start "${place[@]}" --num-cpus="$processors" \
            --node-ip-address="$NETWORK.${NUMBER[$host]}" --object-store-memory=100000000 "$@" \
            >"$STATE/$host.ray" 2>&1 && return
        grep -q "timed out during startup" "$STATE/$host.ray" || break
        on "$host" pkill -9 raylet
    done
    cat "$STATE/$host.ray"; exit 1
}
wait_for() { # SECONDS COMMAND...: until it succeeds
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.2; done
}
row() { printf '| %-8s | %5s s | %-5s | %s\n' "$1" "$2" "$3" "$4"; [ "$3" = good ] || failures=$((failures + 1)); }
said() { # FILE PATTERN: the first line of it that matches
    grep -m1 -E "$2" "$1" | cut -c1-160
}

RAY=(--executor ray --ray-address $ADDRESS)
TRAIN=(--sessions 2 --steps "$STEPS" --no-report --set train.stop_when_solved=false
       train.evaluate_every=2500 train.evaluate_episodes=2 train.checkpoint_seconds=2)
train() { # NAME [more]: begins two sessions on the cluster, whose lines go to a file
    local name=$1; shift
    lab run cartpole_dqn "${RAY[@]}" --output "/tmp/$name" "${TRAIN[@]}" "$@" >"$STATE/$name.txt" 2>&1 &
    echo $! >"$STATE/$name.pid"
}
has_come() { # NAME: both sessions have sent a checkpoint that has a step
    for k in 0 1; do on head grep -q "^2500," "/tmp/$1/trial_000/session_00$k/evaluations.csv" || return 1; done
}
same() { # NAME: good if its tables are those of local processes
    local table k
    for k in 0 1; do
        for table in episodes evaluations updates; do
            on head cmp -s "/tmp/local/trial_000/session_00$k/$table.csv" \
                "/tmp/$1/trial_000/session_00$k/$table.csv" || { echo LOST; return; }
        done
    done
    echo good
}
ended() { wait "$(cat "$STATE/$1.pid")"; }
where() { # NAME: the hosts that its sessions ran on
    on head "$PYTHON" - "/tmp/$1" <<'END'
import json, pathlib, sys
files = sorted(pathlib.Path(sys.argv[1]).glob("trial_*/session_*/session.json"))
print(", ".join("+".join(each["node"] for each in json.loads(file.read_text())["ran_on"]) for file in files))
END
}

try_trial() {
    local began=$SECONDS
    train trial; ended trial
    row trial $((SECONDS - began)) "$(same trial)" "on $(where trial); the tables of local processes"
}
try_search() {
    local began=$SECONDS each verdict=good
    for each in local ray; do
        local how=(); [ $each = ray ] && how=("${RAY[@]}")
        lab search cartpole_dqn --method tpe --trials 4 --jobs 2 --steps 2000 --quiet --no-report \
            "${how[@]}" --output "/tmp/search_$each" >"$STATE/search_$each.txt" 2>&1
    done
    on head cmp -s /tmp/search_local/best_spec.json /tmp/search_ray/best_spec.json || verdict=LOST
    row search $((SECONDS - began)) $verdict "the best trial of local processes"
}
try_added() { # a node comes while sessions wait
    local began=$SECONDS verdict=LOST
    lab run cartpole_dqn "${TRAIN[@]}" --sessions 4 "${RAY[@]}" --output /tmp/added >"$STATE/added.txt" 2>&1 &
    echo $! >"$STATE/added.pid"
    wait_for 60 on work sh -c 'ls -d /tmp/rl_session_*'
    on work pkill -STOP -f ray:: # until the node has a session, for which none might be left
    start_ray more 2
    wait_for 60 on more sh -c 'ls -d /tmp/rl_session_*'
    on work pkill -CONT -f ray::
    ended added
    where added | grep -q more && verdict=$(same added)
    row added $((SECONDS - began)) "$verdict" "on $(where added)"
}
try_raylet() { # the other node goes on from what has come
    local began=$SECONDS
    wait_for 1 on more pgrep raylet || start_ray more 2
    train raylet; wait_for 120 has_come raylet
    on work pkill -9 raylet
    ended raylet
    row raylet $((SECONDS - began)) "$(same raylet)" "on $(where raylet): $(said "$STATE/raylet.txt" 'goes on')"
    on more pkill -9 raylet; start_ray work 2
}
try_cut() { # NAME SECONDS
    local began=$SECONDS
    train "$1"; wait_for 120 has_come "$1"
    ip link set rlwork down; sleep "$2"; ip link set rlwork up
    # A node that was taken for dead for so long has ended itself.
    [ "$2" -gt 30 ] && { wait_for 30 eval '! on work pgrep raylet'; on work pkill -9 raylet; start_ray work 2; }
    ended "$1"
    row "$1" $((SECONDS - began)) "$(same "$1")" "on $(where "$1"); $(said "$STATE/$1.txt" 'goes on|failed' || true)"
}
try_driver() {
    local began=$SECONDS left before
    train driver; wait_for 120 has_come driver
    on head pkill -9 -f "output /tmp/driver"
    ended driver 2>/dev/null
    wait_for 20 eval '! on work sh -c "ls -d /tmp/rl_session_*"' && left="no folder stayed" || left="FOLDERS STAYED"
    before=$(on head sh -c 'tail -qn1 /tmp/driver/trial_000/session_00*/evaluations.csv' | cut -d, -f1 | tr '\n' ' ')
    lab resume /tmp/driver "${RAY[@]}" --no-report >"$STATE/driver2.txt" 2>&1
    row driver $((SECONDS - began)) "$(same driver)" "$left; resumed from steps ${before}or later"
}
try_version() { # on `more`, the lab is another
    local began=$SECONDS verdict=LOST
    on more pkill -9 raylet
    on more sh -c 'cp -r "$ROOT/rl" /tmp/ && echo "# other" >>/tmp/rl/errors.py && mount --bind /tmp/rl "$ROOT/rl"'
    start_ray more 2
    lab run cartpole_dqn "${TRAIN[@]}" --sessions 4 "${RAY[@]}" --output /tmp/version >"$STATE/version.txt" 2>&1
    where version | grep -q more || verdict=$(same version)
    row version $((SECONDS - began)) "$verdict" "on $(where version): $(said "$STATE/version.txt" 'is not used')"
    began=$SECONDS
    lab run cartpole_dqn "${TRAIN[@]}" --sessions 4 "${RAY[@]}" --ray-any-node --output /tmp/any >"$STATE/any.txt" 2>&1
    row any-node $((SECONDS - began)) "$(same any)" "on $(where any)"
    on more pkill -9 raylet; on more umount "$ROOT/rl"
}
try_nolab() { # on `more`, there is none
    local began=$SECONDS verdict=LOST
    on more sh -c 'mkdir -p /tmp/none && mount --bind /tmp/none "$ROOT/rl" && mount --bind /tmp/none "$ROOT/nn"'
    start_ray more 2
    lab run cartpole_dqn "${TRAIN[@]}" --sessions 4 "${RAY[@]}" --output /tmp/nolab >"$STATE/nolab.txt" 2>&1
    where nolab | grep -q more || verdict=$(same nolab)
    row nolab $((SECONDS - began)) "$verdict" "on $(where nolab): $(said "$STATE/nolab.txt" 'is not used')"
    began=$SECONDS
    lab run cartpole_dqn "${TRAIN[@]}" --sessions 4 "${RAY[@]}" --ray-install --output /tmp/install >"$STATE/install.txt" 2>&1
    row install $((SECONDS - began)) "$(same install)" "on $(where install)"
    on more pkill -9 raylet; on more umount "$ROOT/rl" "$ROOT/nn"
}
refused() { # NAME HOST PATTERN: a command there ends with one line
    local began=$SECONDS verdict=LOST
    on "$2" "$PYTHON" -m rl run cartpole_dqn "${RAY[@]}" --quiet --output /tmp/refused >"$STATE/$1.txt" 2>&1
    grep -q "$3" "$STATE/$1.txt" && [ "$(wc -l <"$STATE/$1.txt")" = 1 ] && [ $((SECONDS - began)) -le 20 ] && verdict=good
    row "$1" $((SECONDS - began)) $verdict "$(said "$STATE/$1.txt" .)"
}
try_token() { RAY_AUTH_TOKEN=ffffffffffffffffffffffffffffffff refused token head "another token"; }
try_nonode() { on more pkill -9 raylet; sleep 1; refused nonode more "is no node"; }
try_busy() { # both processors are held until the line has come
    local began=$SECONDS verdict=LOST held=/tmp/held
    on more pkill -9 raylet
    train busy "environment={id: Slow-v0, kwargs: {until: $held}}" import=tests.rl.worlds
    wait_for 120 has_come busy
    lab run cartpole_dqn --steps 2000 "${RAY[@]}" --no-report --output /tmp/late >"$STATE/late.txt" 2>&1 &
    local late=$!
    wait_for 60 said "$STATE/late.txt" "is busy" && verdict=good
    on work touch $held
    { ended busy && wait $late; } || verdict=LOST
    row busy $((SECONDS - began)) $verdict "$(said "$STATE/late.txt" 'is busy')"
}
try_head() {
    local began=$SECONDS verdict=LOST
    train head --quiet; wait_for 120 has_come head
    on head pkill -9 gcs_server; on head pkill -9 raylet
    local killed=$SECONDS; ended head; local took=$((SECONDS - killed))
    [ "$(wc -l <"$STATE/head.txt")" = 1 ] && [ $took -le 20 ] && verdict=good
    row head $took $verdict "$(said "$STATE/head.txt" .)"
}

ip link add $BRIDGE type bridge && ip link set $BRIDGE up
for name in head work more; do host_up $name; done
start_ray head 0 && start_ray work 2
lab run cartpole_dqn "${TRAIN[@]}" --sessions 4 --jobs 2 --quiet --output /tmp/local || exit 1
printf '| %-8s | %7s | %-5s | %s\n' what time state "what happened"
for scenario in "${@:-${SCENARIOS[@]}}"; do
    case $scenario in
        cut*) try_cut "$scenario" "${scenario#cut}" ;;
        *) "try_$scenario" ;;
    esac
done
exit $((failures > 0))
