# shellcheck shell=bash
# The cluster by k3d (https://k3d.io), in containers of docker's.

provider_up() {
  k3d cluster create "$CLUSTER_NAME" --wait --timeout 120s --no-lb \
    --kubeconfig-update-default=false --k3s-arg '--disable=traefik@server:0'
  k3d kubeconfig get "$CLUSTER_NAME" >"$CLUSTER_DIR/kubeconfig"
}

provider_down() {
  if k3d cluster list "$CLUSTER_NAME" >/dev/null 2>&1; then k3d cluster delete "$CLUSTER_NAME"; fi
}

provider_import() { k3d image import "$1" --cluster "$CLUSTER_NAME"; }

provider_exec() { docker exec -i "k3d-$CLUSTER_NAME-server-0" "$@"; }

# k3s's own class `local-path` makes volumes by itself.
apply_volumes() { :; }
