// Manifests for tests of the custom resources: valid, boring, and taking what the test is about.

export const AWS_SPEC = {
  subnetSelector: { team: 'a' },
  securityGroupSelector: { team: 'a' },
  instanceProfile: 'node',
};

/** A Provisioner that names a template; fields given replace those of the spec. */
export function provisionerManifest(spec: object = {}): Record<string, unknown> {
  return {
    apiVersion: 'karpenter.sh/v1alpha5',
    kind: 'Provisioner',
    metadata: { name: 'default' },
    spec: { providerRef: { name: 'default' }, ...spec },
  };
}

/** A Provisioner with an inline `provider`. */
export function inlineManifest(provider: object): Record<string, unknown> {
  return {
    apiVersion: 'karpenter.sh/v1alpha5',
    kind: 'Provisioner',
    metadata: { name: 'default' },
    spec: { provider },
  };
}

export function templateManifest(spec: object = AWS_SPEC): Record<string, unknown> {
  return {
    apiVersion: 'karpenter.k8s.aws/v1alpha1',
    kind: 'AWSNodeTemplate',
    metadata: { name: 'default' },
    spec,
  };
}

export function claimManifest(spec: object = {}): Record<string, unknown> {
  return {
    apiVersion: 'karpenter.sh/v1',
    kind: 'NodeClaim',
    metadata: { name: 'default' },
    spec: {
      provisioner: 'default',
      nodeClassRef: { group: 'karpenter.k8s.aws', kind: 'AWSNodeTemplate', name: 'default' },
      requirements: [],
      instanceTypes: ['m5.large'],
      ...spec,
    },
  };
}
