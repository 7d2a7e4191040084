// Names of Kubernetes API resources, and the paths that they are served under.

export interface ApiResource {
  /** API group, '' for the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural, as in paths and RBAC rules; what starts with a slash is a path of its own (`/version`). */
  readonly resource: string;
}

/** One object, a collection (no name), or a subresource of an object. */
export interface ApiTarget extends ApiResource {
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

const KARPENTER = { group: 'karpenter.sh' } as const;

export const RESOURCE = {
  version: { group: '', version: '', resource: '/version' },
  pods: { group: '', version: 'v1', resource: 'pods' },
  nodes: { group: '', version: 'v1', resource: 'nodes' },
  events: { group: '', version: 'v1', resource: 'events' },
  services: { group: '', version: 'v1', resource: 'services' },
  namespaces: { group: '', version: 'v1', resource: 'namespaces' },
  persistentVolumes: { group: '', version: 'v1', resource: 'persistentvolumes' },
  persistentVolumeClaims: { group: '', version: 'v1', resource: 'persistentvolumeclaims' },
  daemonSets: { group: 'apps', version: 'v1', resource: 'daemonsets' },
  deployments: { group: 'apps', version: 'v1', resource: 'deployments' },
  replicaSets: { group: 'apps', version: 'v1', resource: 'replicasets' },
  storageClasses: { group: 'storage.k8s.io', version: 'v1', resource: 'storageclasses' },
  csiNodes: { group: 'storage.k8s.io', version: 'v1', resource: 'csinodes' },
  volumeAttachments: { group: 'storage.k8s.io', version: 'v1', resource: 'volumeattachments' },
  disruptionBudgets: { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' },
  serviceCidrs: { group: 'networking.k8s.io', version: 'v1', resource: 'servicecidrs' },
  leases: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' },
  provisioners: { ...KARPENTER, version: 'v1alpha5', resource: 'provisioners' },
  nodeClaims: { ...KARPENTER, version: 'v1', resource: 'nodeclaims' },
  nodeTemplates: { group: 'karpenter.k8s.aws', version: 'v1alpha1', resource: 'awsnodetemplates' },
} as const satisfies Readonly<Record<string, ApiResource>>;

/** The path of a target: `/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node`. */
export function targetPath({ group, version, resource, namespace, name, subresource }: ApiTarget): string {
  if (resource.startsWith('/')) return resource;
  const parts = [group === '' ? `/api/${version}` : `/apis/${group}/${version}`];
  if (namespace !== undefined) parts.push('namespaces', encodeURIComponent(namespace));
  parts.push(resource);
  if (name !== undefined) parts.push(encodeURIComponent(name));
  if (subresource !== undefined) parts.push(subresource);
  return parts.join('/');
}

/** The resource as RBAC rules name it: `nodeclaims.karpenter.sh/status`. */
export function describeResource({ group, resource, subresource }: ApiTarget): string {
  const named = group === '' ? resource : `${resource}.${group}`;
  return subresource === undefined ? named : `${named}/${subresource}`;
}

/** The object as messages name it: `pods "default/web-1"`. */
export function describeTarget(target: ApiTarget): string {
  const { namespace, name } = target;
  if (name === undefined) return describeResource(target);
  return `${describeResource(target)} "${namespace === undefined ? '' : `${namespace}/`}${name}"`;
}
