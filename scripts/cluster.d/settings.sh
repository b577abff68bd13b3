# shellcheck shell=bash
# Names and addresses of the cluster. Sourced on both sides: by the command and inside the node.

fail() {
  echo "scripts/cluster: $*" >&2
  exit 1
}

# What is made by `up` and removed by `down`.
CLUSTER_DIR=${CLUSTER_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/agenttier-storage/cluster}
[[ $CLUSTER_DIR == /*[!/]* ]] || fail "CLUSTER_DIR is $CLUSTER_DIR; it has to be an absolute path"
while [[ $CLUSTER_DIR == */ ]]; do CLUSTER_DIR=${CLUSTER_DIR%/}; done

# The name of the cluster, of kind's and k3d's too, which know their clusters by it alone.
CLUSTER_NAME=agenttier-$(cksum <<<"$CLUSTER_DIR" | cut -d ' ' -f 1)
NODE_NAME=node-1

# One block of addresses that few others use: the pair between this machine and the node, the Pods, the
# Services. All of it is reached from here through the node. Clusters of different directories and
# prefixes run side by side.
CLUSTER_PREFIX=${CLUSTER_PREFIX:-10.207}
CLUSTER_BLOCK=$CLUSTER_PREFIX.0.0/16
HOST_ADDRESS=$CLUSTER_PREFIX.0.1
NODE_ADDRESS=$CLUSTER_PREFIX.0.2
POD_NETWORK=$CLUSTER_PREFIX.1.0/24
SERVICE_NETWORK=$CLUSTER_PREFIX.2.0/24
SERVICE_OF_API=$CLUSTER_PREFIX.2.1
HOST_LINK=agt-${CLUSTER_PREFIX//./-}
NODE_LINK=agt-node
