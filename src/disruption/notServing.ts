// Why a Provisioner launches nothing at all just now, whatever the pod.
import { nodeClassKey } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { isOpen } from '../model/timeWindow.ts';

/** The reason and the mend; null for a Provisioner that may launch. */
export function notServing(
  { name, suspended, deletionRequestedAtMs, nodeClassRef, offHours = [] }: Provisioner,
  { nodeClasses, takenAtMs }: ClusterSnapshot,
): { readonly reason: string; readonly nearest: string } | null {
  if (suspended)
    return { reason: `Provisioner "${name}" is suspended`, nearest: 'set spec.suspend to false' };
  if (deletionRequestedAtMs !== null)
    return { reason: `Provisioner "${name}" is being deleted`, nearest: '' };
  if (offHours.some((window) => isOpen(window, takenAtMs)))
    return { reason: `Provisioner "${name}" has its off-hours (spec.schedule)`, nearest: '' };
  const key = nodeClassKey(nodeClassRef);
  if (nodeClasses.some((one) => one.key === key)) return null;
  const reason = `Provisioner "${name}" names the node class ${key}, which is missing or invalid`;
  return { reason, nearest: 'create or mend it' };
}
