// What each Provisioner may buy just now, and why some may buy nothing.
import { isOff, offUntil } from '../disruption/offHours.ts';
import type { InstanceType } from '../model/instanceType.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import type { Refusal } from '../model/plan.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import type { CloudProvider } from '../ports/cloudProvider.ts';

/** Why a Provisioner can launch nothing: object, field and mend in one sentence. */
export interface NotReady {
  readonly reason: string;
  readonly message: string;
}

/** True when the Provisioner is kept from buying by its own fields, as somebody wants it, and nothing is amiss. */
export function isIntended({ reason }: NotReady): boolean {
  return reason === 'Suspended' || reason === 'OffHours';
}

export interface CatalogueReading {
  readonly catalogue: Catalogue;
  /** By Provisioner name. */
  readonly notReady: ReadonlyMap<string, NotReady>;
}

/** Asks the cloud what every Provisioner may buy. A Provisioner that cannot be served never stops the others. */
export async function readCatalogue(
  cloud: CloudProvider,
  snapshot: ClusterSnapshot,
): Promise<CatalogueReading> {
  const catalogue = new Map<string, readonly InstanceType[]>();
  const notReady = new Map<string, NotReady>();
  const classes = new Map(snapshot.nodeClasses.map((nodeClass) => [nodeClass.key, nodeClass]));
  const read = async (provisioner: Provisioner): Promise<void> => {
    const nodeClass = classes.get(nodeClassKey(provisioner.nodeClassRef));
    const intended = intendedRest(provisioner, snapshot.takenAtMs);
    if (intended !== null) notReady.set(provisioner.name, intended);
    else if (nodeClass === undefined) notReady.set(provisioner.name, missingNodeClass(provisioner));
    else await readOne(provisioner, nodeClass);
  };
  const readOne = async (provisioner: Provisioner, nodeClass: NodeClass): Promise<void> => {
    try {
      const outcome = await cloud.instanceTypes(provisioner, nodeClass);
      if (outcome.kind === 'found') catalogue.set(provisioner.name, outcome.instanceTypes);
      else notReady.set(provisioner.name, { reason: outcome.reason, message: outcome.message });
    } catch (failure) {
      notReady.set(provisioner.name, { reason: 'CloudUnreachable', message: String(failure) });
    }
  };
  await Promise.all(snapshot.provisioners.filter((one) => one.deletionRequestedAtMs === null).map(read));
  return { catalogue, notReady };
}

/** Why the Provisioner launches nothing by its own fields; null when it does. */
export function intendedRest(provisioner: Provisioner, atMs: number): NotReady | null {
  const { name, suspended } = provisioner;
  if (suspended) {
    const message = `Provisioner ${name}: spec.suspend: true, so nothing is launched; set it to false to go on`;
    return { reason: 'Suspended', message };
  }
  if (!isOff(provisioner, atMs)) return null;
  const until = offUntil(provisioner, atMs);
  const message = `Provisioner ${name} ${until} by its spec.schedule, so nothing is launched`;
  return { reason: 'OffHours', message };
}

/** A refusal because nothing is on sale is due to what keeps the Provisioner from being served, if anything does. */
export function explained(refusal: Refusal, notReady: ReadonlyMap<string, NotReady>): Refusal {
  if (refusal.code !== 'NoProvisioner' && refusal.code !== 'NoCapacity') return refusal;
  const [first] = notReady.values();
  const cause = refusal.provisioner === '' ? first : notReady.get(refusal.provisioner);
  if (cause === undefined) return refusal;
  const code = cause.reason === 'OffHours' ? cause.reason : refusal.code;
  return { ...refusal, code, reason: cause.message };
}

function missingNodeClass({ name, nodeClassRef }: Provisioner): NotReady {
  const message =
    nodeClassRef.kind === 'AWSNodeTemplate'
      ? `Provisioner ${name}: spec.providerRef.name: no valid AWSNodeTemplate ${nodeClassRef.name}; create or mend it`
      : `Provisioner ${name}: spec.provider: missing; write it there or name an AWSNodeTemplate in spec.providerRef`;
  return { reason: 'NodeClassMissing', message };
}
