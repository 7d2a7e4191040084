// Status conditions of Provisioners and AWSNodeTemplates.
import { formatResources } from '../model/resources.ts';
import type { ProvisionerStatus, StatusCondition } from '../ports/kubeApi.ts';
import { type ApiResource, RESOURCE } from './apiTarget.ts';
import type { KubeTransport } from './transport.ts';

/** Writes what the Provisioner's nodes hold together, and its conditions. Resources no longer named are removed. */
export function writeProvisionerStatus(
  transport: KubeTransport,
  name: string,
  { resources, conditions }: ProvisionerStatus,
): Promise<'written' | 'gone'> {
  const status = { resources: formatResources(resources), conditions: conditions.map(conditionManifest) };
  return replaceStatus(transport, { ...RESOURCE.provisioners, name }, status);
}

export function writeNodeTemplateStatus(
  transport: KubeTransport,
  name: string,
  conditions: readonly StatusCondition[],
): Promise<'written' | 'gone'> {
  const status = { conditions: conditions.map(conditionManifest) };
  return replaceStatus(transport, { ...RESOURCE.nodeTemplates, name }, status);
}

/**
 * Puts each field of the status in place of what was there. A JSON patch, because a merge patch would keep resources
 * that are no longer named; `/status` itself may be absent on a new object, and adding it makes it.
 */
async function replaceStatus(
  transport: KubeTransport,
  object: ApiResource & { readonly name: string },
  status: Readonly<Record<string, unknown>>,
): Promise<'written' | 'gone'> {
  const answer = await transport.call({
    verb: 'patch',
    target: { ...object, subresource: 'status' },
    body: [{ op: 'add', path: '/status', value: status }],
    contentType: 'application/json-patch+json',
    expected: [404],
  });
  return answer.status === 404 ? 'gone' : 'written';
}

/** A condition as Kubernetes writes it; times in whole seconds, as the API requires. */
export function conditionManifest({ type, status, reason, message, sinceMs }: StatusCondition): object {
  const lastTransitionTime = kubernetesTime(sinceMs);
  return { type, status, reason, message, lastTransitionTime };
}

/** RFC 3339 without fractions: `2026-01-31T08:00:00Z`. */
export function kubernetesTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
