# shellcheck shell=bash
# The cluster as processes of this machine, in namespaces of their own (README.md says how).

source "$parts/volumes.sh"
export KUBECONFIG=$CLUSTER_DIR/kubeconfig
export KUBECACHEDIR=$CLUSTER_DIR/kubectl-cache

provider_up() {
  require_node
  locate_programs
  # Sourced again inside, where nothing of this shell is known.
  mkdir -p "$CLUSTER_DIR"/{bin,log}
  link_programs
  archive_program localhost/agenttier/pause "$CLUSTER_DIR/pause.tar" "$(command -v catatonit)" -P

  # The child's number is that of unshare, which execs nothing but waits: its one child is process 1
  # of the node.
  unshare --mount --net --pid --uts --ipc --fork --kill-child --mount-proc --propagation private \
    env -i PATH="$CLUSTER_DIR/bin:$PATH" HOME="$HOME" CLUSTER_DIR="$CLUSTER_DIR" \
    CLUSTER_PREFIX="$CLUSTER_PREFIX" KUBECACHEDIR="$KUBECACHEDIR" GOGC=400 \
    bash "$parts/node-init.sh" </dev/null >"$CLUSTER_DIR/log/init.log" 2>&1 {lock}>&- &
  local pid=$!
  disown
  echo "$pid $(start_time "$pid")" >"$CLUSTER_DIR/pid"

  link_networks "$pid"
  wait_until 60 'the API server' kubectl_quietly get --raw /readyz
  wait_until 60 'the node' node_is_ready
}

# Killing process 1 of a namespace makes the kernel end every other, and with the last of them go the
# mounts and the network; nothing has to be found and undone.
provider_down() {
  local pid='' node=''
  pid=$(running_pid) || true
  if [[ -n $pid ]]; then
    node=$(node_pid "$pid") || true
    kill -KILL ${node:+"$node"} "$pid"
    # It is gone when all others of its namespace are.
    while [[ -e /proc/$pid || -e /proc/${node:-$pid} ]]; do sleep 0.05; done
    # The kernel takes the network of each Pod apart, one after the other.
    wait_until 60 'the end of the network' test ! -e "/sys/class/net/$HOST_LINK"
    remove_cgroups
  fi
}

provider_import() {
  local output
  output=$("$CLUSTER_DIR/bin/ctr" --address "$CLUSTER_DIR/containerd.sock" --namespace k8s.io \
    images import "$1" 2>&1) || fail "$output"
}

provider_exec() {
  local pid
  pid=$(running_pid) || fail 'the cluster does not run: scripts/cluster up'
  nsenter --target "$(node_pid "$pid")" --mount --net --pid --uts --ipc \
    env PATH="$CLUSTER_DIR/bin:$PATH" KUBECONFIG="$KUBECONFIG" "$@"
}

require_node() {
  local name missing=()
  [[ $(id -u) == 0 ]] || fail 'without kind or k3d this needs root: it makes namespaces and mounts'
  # program:package
  for name in etcd:etcd-server runc:runc catatonit:catatonit buildah:buildah iptables:iptables \
    conntrack:conntrack openssl:openssl ip:iproute2 pgrep:procps unshare:util-linux; do
    command -v "${name%%:*}" >/dev/null || missing+=("${name##*:}")
  done
  [[ -x /usr/lib/cni/bridge ]] || missing+=(containernetworking-plugins)
  ((${#missing[@]} == 0)) || fail "programs are missing; on Debian: apt-get install ${missing[*]}"
  case $CLUSTER_DIR/ in
    # The node lays file systems of its own over these.
    /run/* | /var/run/* | /var/lib/* | /var/log/*) fail "CLUSTER_DIR cannot be $CLUSTER_DIR" ;;
  esac
  [[ ! -e /sys/class/net/$HOST_LINK ]] ||
    fail "another cluster has the addresses $CLUSTER_BLOCK: end it, or set CLUSTER_PREFIX"
}

# Finds or builds all programs before anything starts.
locate_programs() {
  PATH=$repository/node_modules/.bin:$PATH
  export PATH
  programs=$(node "$repository/scripts/tools.ts" --cluster) || exit 1
}

link_programs() {
  local path
  for path in $programs; do ln -sf "$path" "$CLUSTER_DIR/bin/"; done
}

# link_networks PID: a cable between this machine and the node.
link_networks() {
  local pid=$1
  # The network is there once process 1 is.
  wait_until 10 'the node' node_pid "$pid"
  ip link add "$HOST_LINK" type veth peer name "$NODE_LINK" netns "$(node_pid "$pid")"
  ip address add "$HOST_ADDRESS/30" dev "$HOST_LINK"
  ip link set "$HOST_LINK" up
  ip route add "$CLUSTER_BLOCK" via "$NODE_ADDRESS"
}

# node_pid PID: the number, as this machine counts, of the node's process 1.
node_pid() { pgrep --parent "$1"; }

# The time at which a process started, which with its number names it for good.
start_time() { cut -d ' ' -f 22 "/proc/$1/stat" 2>/dev/null; }

# Prints the number of the process that `up` started, if it runs still.
running_pid() {
  local pid started
  [[ -e $CLUSTER_DIR/pid ]] && read -r pid started <"$CLUSTER_DIR/pid" || return 1
  [[ $(start_time "$pid") == "$started" ]] && echo "$pid"
}

kubectl_quietly() { "$CLUSTER_DIR/bin/kubectl" "$@" >/dev/null 2>&1; }

node_is_ready() {
  kubectl_quietly wait "node/$NODE_NAME" --for=condition=Ready --timeout=1s &&
    kubectl_quietly get serviceaccount default
}

# wait_until SECONDS WHAT COMMAND...
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null; do
    if ((SECONDS > deadline)); then
      tail -n 5 "$CLUSTER_DIR"/log/*.log >&2 2>/dev/null || true
      fail "$what did not come in time; the logs are in $CLUSTER_DIR/log"
    fi
    sleep 0.2
  done
}

# The kernel keeps the control groups of processes that are gone; those of living ones stay.
remove_cgroups() {
  find /sys/fs/cgroup -depth -path '*/k8s.io/*' -type d -exec rmdir {} + 2>/dev/null || true
  rmdir /sys/fs/cgroup/k8s.io /sys/fs/cgroup/*/k8s.io 2>/dev/null || true
}
