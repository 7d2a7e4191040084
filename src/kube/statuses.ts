// Status conditions of Provisioners and AWSNodeTemplates.
import { launchFailuresManifest } from '../api/launchFailures.ts';
import type { LaunchFailures } from '../model/provisioner.ts';
import { formatResources } from '../model/resources.ts';
import type { ProvisionerStatus, StatusCondition } from '../ports/kubeApi.ts';
import { type ApiResource, RESOURCE } from './apiTarget.ts';
import type { ApiAnswer, KubeTransport } from './transport.ts';

/**
 * Writes what the Provisioner's nodes hold together, and its conditions. Resources no longer named are removed; what
 * `writeLaunchFailures` has written stays.
 */
export function writeProvisionerStatus(
  transport: KubeTransport,
  name: string,
  { resources, conditions }: ProvisionerStatus,
): Promise<'written' | 'gone'> {
  const status = { resources: formatResources(resources), conditions: conditions.map(conditionManifest) };
  return replaceStatus(transport, { ...RESOURCE.provisioners, name }, status, { isOnlyOurs: false });
}

/** A merge patch: it makes a status where there is none, and leaves the rest of one that there is. */
export async function writeLaunchFailures(
  transport: KubeTransport,
  name: string,
  failures: LaunchFailures | null,
): Promise<'written' | 'gone'> {
  const answer = await transport.call({
    verb: 'patch',
    target: { ...RESOURCE.provisioners, name, subresource: 'status' },
    body: { status: { launchFailures: failures === null ? null : launchFailuresManifest(failures) } },
    expected: [404],
  });
  return answer.status === 404 ? 'gone' : 'written';
}

export function writeNodeTemplateStatus(
  transport: KubeTransport,
  name: string,
  conditions: readonly StatusCondition[],
): Promise<'written' | 'gone'> {
  const status = { conditions: conditions.map(conditionManifest) };
  return replaceStatus(transport, { ...RESOURCE.nodeTemplates, name }, status, { isOnlyOurs: true });
}

/**
 * Puts each field of the status in place of what was there. A JSON patch, because a merge patch would keep resources
 * that are no longer named. `/status` itself may be absent on a new object, which is answered with 422: adding it whole
 * makes it, as it does where there are no other fields to keep.
 */
async function replaceStatus(
  transport: KubeTransport,
  object: ApiResource & { readonly name: string },
  status: Readonly<Record<string, unknown>>,
  { isOnlyOurs }: { readonly isOnlyOurs: boolean },
): Promise<'written' | 'gone'> {
  const patch = (body: readonly object[], expected: readonly number[]): Promise<ApiAnswer> =>
    transport.call({
      verb: 'patch',
      target: { ...object, subresource: 'status' },
      body,
      contentType: 'application/json-patch+json',
      expected,
    });
  if (!isOnlyOurs) {
    const fields = Object.entries(status).map(([field, value]) => ({
      op: 'add',
      path: `/status/${field}`,
      value,
    }));
    const answer = await patch(fields, [404, 422]);
    if (answer.status !== 422) return answer.status === 404 ? 'gone' : 'written';
  }
  const answer = await patch([{ op: 'add', path: '/status', value: status }], [404]);
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
