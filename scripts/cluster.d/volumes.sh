# shellcheck shell=bash
# Volumes of the node, made beforehand: their number is fixed, and a volume is used once.
#
# They are of the kind `local`, because a hostPath ignores fsGroup, and a container that is not root
# could not write to it. Two classes:
#
#     standard (the default)  directories that are 10 GiB by name; `pod-N` for claims of
#                             ReadWriteOncePod, which takes volumes of its own
#     small                   file systems of 16 MiB in memory, which can be filled up

STANDARD_VOLUMES=60
POD_VOLUMES=4
SMALL_VOLUMES=6

apply_volumes() {
  local number
  {
    storage_class standard true
    storage_class small false
    for number in $(seq "$STANDARD_VOLUMES"); do
      volume "standard-$number" standard 10Gi ReadWriteOnce
    done
    for number in $(seq "$POD_VOLUMES"); do
      volume "pod-$number" standard 10Gi ReadWriteOncePod
    done
    for number in $(seq "$SMALL_VOLUMES"); do
      volume "small-$number" small 16Mi ReadWriteOnce
    done
  } | "$CLUSTER_DIR/bin/kubectl" apply --server-side -f - >/dev/null
  wait_until 60 'the volumes' volumes_are_available
}

# One call for all: `kubectl wait` asks for each, five a second.
volumes_are_available() {
  [[ $("$CLUSTER_DIR/bin/kubectl" get pv -o jsonpath='{.items[*].status.phase}') != *Pending* ]]
}

# make_volumes: the directories, inside the node.
make_volumes() {
  local number directory
  for number in $(seq "$STANDARD_VOLUMES"); do mkdir -p "$CLUSTER_DIR/volumes/standard-$number"; done
  for number in $(seq "$POD_VOLUMES"); do mkdir -p "$CLUSTER_DIR/volumes/pod-$number"; done
  for number in $(seq "$SMALL_VOLUMES"); do
    directory=$CLUSTER_DIR/volumes/small-$number
    mkdir -p "$directory"
    mount -t tmpfs -o size=16m tmpfs "$directory"
  done
}

# storage_class NAME DEFAULT
storage_class() {
  cat <<YAML
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: $1
  annotations: {storageclass.kubernetes.io/is-default-class: "$2"}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
allowVolumeExpansion: true
YAML
}

# volume NAME CLASS SIZE MODE
volume() {
  cat <<YAML
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: $1}
spec:
  storageClassName: $2
  capacity: {storage: $3}
  accessModes: [$4]
  persistentVolumeReclaimPolicy: Retain
  local: {path: $CLUSTER_DIR/volumes/$1}
  nodeAffinity:
    required:
      nodeSelectorTerms:
        - matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [$NODE_NAME]}]
YAML
}
