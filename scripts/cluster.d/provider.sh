# shellcheck shell=bash
# Which way to a cluster is taken. Each provider is a file that defines
#
#     provider_up            starts the cluster and writes $CLUSTER_DIR/kubeconfig
#     provider_down          ends it, if there is one
#     provider_import FILE   makes the images of an archive known to the node
#     provider_exec CMD...   runs a command on the node
#     apply_volumes          makes sure that claims of the default class are bound

choose_provider() {
  local name
  if [[ -n ${CLUSTER_PROVIDER:-} ]]; then
    case $CLUSTER_PROVIDER in
      kind | k3d | node) echo "$CLUSTER_PROVIDER" ;;
      *) fail "CLUSTER_PROVIDER is $CLUSTER_PROVIDER; it may be kind, k3d or node" ;;
    esac
    return
  fi
  for name in kind k3d; do
    # A client without a server is no engine.
    if command -v $name >/dev/null && docker info >/dev/null 2>&1; then
      echo $name
      return
    fi
  done
  echo node
}
