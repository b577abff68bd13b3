/** A Go module below tests/tools that pins programs by its go.sum. */
export type ToolModule = 'helm' | 'kubernetes' | 'containerd' | 'coredns';

/** Where a program comes from when it is not on PATH. */
export interface Program {
  module: ToolModule;
  /** The package of its main function. */
  package: string;
  /** Names under which it may be on PATH, the first that fits being taken. */
  names: readonly string[];
  /** Files of ours that it is built of, below tests/tools. */
  sources?: readonly string[];
  /** What a program of that name must print to be the one meant. */
  expect?: { args: readonly string[]; output: RegExp };
}

const helmVersion = ['version', '--template', '{{.Version}}'];
const kubernetes = (name: string): Program => ({
  module: 'kubernetes',
  package: `k8s.io/kubernetes/cmd/${name}`,
  names: [name],
});
const containerd = (name: string): Program => ({
  module: 'containerd',
  package: `github.com/containerd/containerd/v2/cmd/${name}`,
  names: [name],
});

/** Every program that can be built, by the name that callers use. */
export const catalogue = {
  helm3: {
    module: 'helm',
    package: 'helm.sh/helm/v3/cmd/helm',
    names: ['helm3', 'helm'],
    expect: { args: helmVersion, output: /^v3\./ },
  },
  helm4: {
    module: 'helm',
    package: 'helm.sh/helm/v4/cmd/helm',
    names: ['helm4', 'helm'],
    expect: { args: helmVersion, output: /^v4\./ },
  },
  'helm-unittest': {
    module: 'helm',
    package: 'github.com/helm-unittest/helm-unittest/cmd/helm-unittest',
    names: ['helm-unittest'],
  },
  'kube-apiserver': kubernetes('kube-apiserver'),
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  'kube-proxy': kubernetes('kube-proxy'),
  kubectl: kubernetes('kubectl'),
  kubelet: kubernetes('kubelet'),
  containerd: containerd('containerd'),
  'containerd-shim-runc-v2': containerd('containerd-shim-runc-v2'),
  ctr: containerd('ctr'),
  coredns: {
    module: 'coredns',
    package: '.',
    names: ['coredns'],
    sources: ['coredns/main.go'],
  },
} satisfies Record<string, Program>;

/** The name of a program that can be built. */
export type ProgramName = keyof typeof catalogue;

/** The programs that the chart's tests need. */
export const chartPrograms: readonly ProgramName[] = [
  'helm3',
  'helm4',
  'helm-unittest',
  'kubectl',
  'kube-apiserver',
  'kube-controller-manager',
];

/** The programs of a node that scripts/cluster makes. */
export const clusterPrograms: readonly ProgramName[] = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'kubelet',
  'kubectl',
  'containerd',
  'containerd-shim-runc-v2',
  'ctr',
  'coredns',
];

// A Helm built without these believes in Kubernetes 1.20, and an API server in v0.0.0-master, which
// Helm cannot parse. Helm 4 reads its own from the module list that Go records in the program.
const kubernetesVersion = '1.37.2';
const helmKubernetesMinor = '37';

/** The linker's flags of a module's programs. */
export const ldflags: Record<ToolModule, string> = {
  helm: [
    '-s -w',
    ...['chartutil', 'lint/rules'].flatMap((name) => [
      `-X helm.sh/helm/v3/pkg/${name}.k8sVersionMajor=1`,
      `-X helm.sh/helm/v3/pkg/${name}.k8sVersionMinor=${helmKubernetesMinor}`,
    ]),
  ].join(' '),
  kubernetes: [
    '-s -w',
    `-X k8s.io/component-base/version.gitVersion=v${kubernetesVersion}`,
    `-X k8s.io/component-base/version.gitMajor=${kubernetesVersion.split('.')[0]}`,
    `-X k8s.io/component-base/version.gitMinor=${kubernetesVersion.split('.')[1]}`,
  ].join(' '),
  containerd: '-s -w',
  coredns: '-s -w',
};
