# shellcheck shell=bash
# Which way to a cluster is taken. Each provider is a file that defines
#
#     provider_up            starts the cluster and writes $CLUSTER_DIR/kubeconfig
#     provider_down          ends it, if it runs
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

# Takes the provider and the name of the cluster of $CLUSTER_DIR as `up` has noted them; fails where there
# is none.
read_mark() {
  local noted name
  [[ -f $CLUSTER_DIR/provider ]] && read -r noted name <"$CLUSTER_DIR/provider" || return 1
  case $noted in
    kind | k3d | node) provider=$noted CLUSTER_NAME=${name:-$CLUSTER_NAME} ;;
    *) return 1 ;;
  esac
}

# Ends the cluster, if there is one, by what started it, and removes its directory. One that `up` has
# not marked with the provider is somebody's own.
end_cluster() {
  local provider CLUSTER_NAME=$CLUSTER_NAME
  if read_mark; then
    (source "$parts/$provider.sh" && provider_down)
    # The mark last: a removal that is interrupted can be done again.
    find "$CLUSTER_DIR" -mindepth 1 -maxdepth 1 ! -name provider -exec rm -rf --one-file-system {} +
    rm -rf --one-file-system "$CLUSTER_DIR"
  elif [[ -n $(ls -A "$CLUSTER_DIR" 2>/dev/null) ]]; then
    fail "CLUSTER_DIR $CLUSTER_DIR holds files, and no cluster: name a directory that is empty or new"
  fi
}
