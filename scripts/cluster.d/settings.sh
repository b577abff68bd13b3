# shellcheck shell=bash
# Names and addresses of the cluster. Sourced on both sides: by the command and inside the node.

# What is made by `up` and removed by `down`.
CLUSTER_DIR=${CLUSTER_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/agenttier-storage/cluster}

# The name of the cluster, of kind's and k3d's too.
CLUSTER_NAME=agenttier
NODE_NAME=node-1

# One block that few others use: the pair of addresses between this machine and the node, the Pods,
# the Services. Everything in it is reached through the node.
CLUSTER_BLOCK=10.207.0.0/16
HOST_ADDRESS=10.207.0.1
NODE_ADDRESS=10.207.0.2
POD_NETWORK=10.207.1.0/24
SERVICE_NETWORK=10.207.2.0/24
SERVICE_OF_API=10.207.2.1
HOST_LINK=agt-host
NODE_LINK=agt-node

fail() {
  echo "scripts/cluster: $*" >&2
  exit 1
}
