// Provisioners that launch nothing at all just now, whatever the pod, and why.
import { nodeClassKey } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { isOff, offUntil } from './offHours.ts';

/** By name: the reason, and what would mend it. */
export type RestingProvisioners = ReadonlyMap<string, Rest>;

export interface Rest {
  readonly reason: string;
  readonly nearest: string;
}

/** Those that rest by what they say themselves. */
export function restingProvisioners(snapshot: ClusterSnapshot): RestingProvisioners {
  const rests = snapshot.provisioners.flatMap((one): [string, Rest][] => {
    const rest = restOf(one, snapshot);
    return rest === null ? [] : [[one.name, rest]];
  });
  return new Map(rests);
}

function restOf(provisioner: Provisioner, { nodeClasses, takenAtMs }: ClusterSnapshot): Rest | null {
  const { name, suspended, deletionRequestedAtMs, nodeClassRef } = provisioner;
  if (suspended)
    return { reason: `Provisioner "${name}" is suspended`, nearest: 'set spec.suspend to false' };
  if (deletionRequestedAtMs !== null)
    return { reason: `Provisioner "${name}" is being deleted`, nearest: '' };
  if (isOff(provisioner, takenAtMs)) {
    const until = offUntil(provisioner, takenAtMs);
    return { reason: `Provisioner "${name}" ${until} by its spec.schedule`, nearest: '' };
  }
  const key = nodeClassKey(nodeClassRef);
  if (nodeClasses.some((one) => one.key === key)) return null;
  const reason = `Provisioner "${name}" names the node class ${key}, which is missing or invalid`;
  return { reason, nearest: 'create or mend it' };
}
