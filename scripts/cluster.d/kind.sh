# shellcheck shell=bash
# The cluster by kind (https://kind.sigs.k8s.io), in a container of docker's.

provider_up() {
  kind create cluster --name "$CLUSTER_NAME" --kubeconfig "$CLUSTER_DIR/kubeconfig" --wait 120s
}

provider_down() { kind delete cluster --name "$CLUSTER_NAME"; }

provider_import() { kind load image-archive "$1" --name "$CLUSTER_NAME"; }

provider_exec() { docker exec -i "$CLUSTER_NAME-control-plane" "$@"; }

# kind's own class `standard` makes volumes by itself.
apply_volumes() { :; }
