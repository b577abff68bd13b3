# shellcheck shell=bash
# Process 1 of the node: configures and starts every part, and ends when one of them does. Runs in
# namespaces of its own; nothing that it mounts or addresses is seen outside.
set -euo pipefail
parts=$(cd "$(dirname "$0")" && pwd)
source "$parts/settings.sh"
source "$parts/configuration.sh"
source "$parts/volumes.sh"
cd "$CLUSTER_DIR"

# Kubelet shares mounts with containers.
mount --make-rshared /
# What programs write at fixed places stays in here.
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p var-lib var-lib-work
mount -t overlay overlay -o "lowerdir=/var/lib,upperdir=$CLUSTER_DIR/var-lib,workdir=$CLUSTER_DIR/var-lib-work" /var/lib

hostname "$NODE_NAME"
ip link set lo up
until ip link show "$NODE_LINK" >/dev/null 2>&1; do sleep 0.05; done
ip address add "$NODE_ADDRESS/30" dev "$NODE_LINK"
ip link set "$NODE_LINK" up
ip route add default via "$HOST_ADDRESS"
echo 1 >/proc/sys/net/ipv4/ip_forward

# start NAME PROGRAM ARGUMENTS...
start() {
  local name=$1
  shift
  "$@" >"log/$name.log" 2>&1 &
  names[$!]=$name
}
declare -A names

make_volumes
write_credentials
write_configuration

start etcd etcd --data-dir etcd --unsafe-no-fsync
start containerd containerd --config containerd.toml
start kube-apiserver kube-apiserver \
  --etcd-servers=http://127.0.0.1:2379 \
  --bind-address="$NODE_ADDRESS" --advertise-address="$NODE_ADDRESS" \
  --tls-cert-file=api.crt --tls-private-key-file=api.key \
  --service-account-issuer=https://kubernetes.default.svc.cluster.local \
  --service-account-key-file=accounts.key --service-account-signing-key-file=accounts.key \
  --service-cluster-ip-range="$SERVICE_NETWORK" \
  --authorization-mode=RBAC --token-auth-file=tokens.csv \
  --allow-privileged --kubelet-preferred-address-types=InternalIP
until ctr --address "$CLUSTER_DIR/containerd.sock" version >/dev/null 2>&1; do sleep 0.1; done
ctr --address "$CLUSTER_DIR/containerd.sock" --namespace k8s.io images import pause.tar >/dev/null
until kubectl --kubeconfig kubeconfig get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done

start kube-controller-manager kube-controller-manager --kubeconfig kubeconfig --leader-elect=false \
  --service-account-private-key-file=accounts.key --root-ca-file=api.crt \
  --use-service-account-credentials
start kube-scheduler kube-scheduler --kubeconfig kubeconfig --leader-elect=false
start kubelet kubelet --config kubelet.yaml --kubeconfig kubeconfig --root-dir "$CLUSTER_DIR/kubelet" \
  --hostname-override "$NODE_NAME" --node-ip "$NODE_ADDRESS"
start kube-proxy kube-proxy --config kube-proxy.yaml --hostname-override "$NODE_NAME"
start coredns coredns -conf Corefile

ended=''
wait -n -p ended "${!names[@]}" || true
echo "${names[$ended]} has ended"
exit 1
