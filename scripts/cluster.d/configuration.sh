# shellcheck shell=bash
# The files that the node's parts read. All paths are below $CLUSTER_DIR, the working directory.

# One key for the API server, which everyone trusts, one for the tokens of service accounts, and one
# token that may do all: the node has no tenants.
write_credentials() {
  umask 077
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -keyout api.key -out api.crt -subj /CN=kube-apiserver \
    -addext "subjectAltName=IP:$NODE_ADDRESS,IP:$SERVICE_OF_API,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local" \
    2>/dev/null
  openssl ecparam -name prime256v1 -genkey -noout -out accounts.key
  local token
  token=$(openssl rand -hex 16)
  echo "$token,admin,admin,\"system:masters\"" >tokens.csv
  cat >kubeconfig <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: $CLUSTER_NAME
    cluster:
      server: https://$NODE_ADDRESS:6443
      certificate-authority-data: $(base64 -w 0 api.crt)
users: [{name: admin, user: {token: $token}}]
contexts: [{name: $CLUSTER_NAME, context: {cluster: $CLUSTER_NAME, user: admin}}]
current-context: $CLUSTER_NAME
YAML
  umask 022
}

write_configuration() {
  write_containerd
  write_kubelet
  write_kube_proxy
  write_coredns
}

write_containerd() {
  mkdir -p cni
  cat >containerd.toml <<TOML
version = 3
root = "$CLUSTER_DIR/containerd"
state = "/run/containerd"
[grpc]
  address = "$CLUSTER_DIR/containerd.sock"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "localhost/agenttier/pause"
[plugins.'io.containerd.cri.v1.runtime']
  # Lowering these takes a right that even root may lack.
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "$CLUSTER_DIR/cni"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    SystemdCgroup = false
TOML
  cat >cni/10-bridge.conflist <<JSON
{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "cni0",
      "isGateway": true,
      "hairpinMode": true,
      "ipam": {
        "type": "host-local",
        "ranges": [[{ "subnet": "$POD_NETWORK" }]],
        "routes": [{ "dst": "0.0.0.0/0" }]
      }
    },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
JSON
}

write_kubelet() {
  # Pods look for names here and nowhere else.
  : >resolv.conf
  cat >kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_ADDRESS
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://$CLUSTER_DIR/containerd.sock
clusterDomain: cluster.local
clusterDNS: [$NODE_ADDRESS]
resolvConf: $CLUSTER_DIR/resolv.conf
podLogsDir: $CLUSTER_DIR/pods
# This machine's control groups may be of version 1, and not all of them ours.
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
# A full disk of this machine is no affair of the tests.
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 1Mi, nodefs.available: 0%, imagefs.available: 0%, nodefs.inodesFree: 0%}
localStorageCapacityIsolation: false
# What changed is looked at soon: tests wait for it.
syncFrequency: 10s
YAML
}

write_kube_proxy() {
  cat >kube-proxy.yaml <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
bindAddress: $NODE_ADDRESS
clientConnection: {kubeconfig: $CLUSTER_DIR/kubeconfig}
clusterCIDR: $POD_NETWORK
# A network namespace cannot set the limits of the machine's connection table.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML
}

write_coredns() {
  cat >Corefile <<CORE
cluster.local in-addr.arpa {
  bind $NODE_ADDRESS
  errors
  kubernetes {
    kubeconfig $CLUSTER_DIR/kubeconfig $CLUSTER_NAME
  }
}
# Nothing else exists: there is no other server to ask.
. {
  bind $NODE_ADDRESS
  errors
  template ANY ANY {
    rcode NXDOMAIN
  }
}
CORE
}
