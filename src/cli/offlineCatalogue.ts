// What Provisioners may buy when no AWS account is asked: the shipped types and prices, or those of a file.
import { describeProblem } from '../api/parsed.ts';
import { PLAIN_NODE_CLASS, shippedCatalogue } from '../aws/shippedCatalogue.ts';
import type { InstanceType } from '../model/instanceType.ts';
import { LABEL } from '../model/labels.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import { readCatalogue } from './catalogueFile.ts';
import { messageOf, type ReadingIo } from './manifestInput.ts';

/** There are no published spot prices: on a Provisioner that allows spot this stands in, and is named as such. */
const MADE_UP_SPOT_FRACTION = 0.4;

/** The types of a catalogue file; null, with the reason written, when it is none. */
export async function readTypes(path: string, io: ReadingIo): Promise<readonly InstanceType[] | null> {
  try {
    const { instanceTypes, problems } = readCatalogue(JSON.parse(await io.readText(path)));
    for (const problem of problems) io.writeError(`${path}: ${describeProblem(problem)}`);
    return problems.length > 0 ? null : instanceTypes;
  } catch (error) {
    io.writeError(`${path}: is no catalogue (${messageOf(error)}); name a JSON file of instance types`);
    return null;
  }
}

/** Labels that the defaults of a Provisioner ask of every type. */
const FAMILY_LABELS: readonly string[] = [LABEL.instanceCategory, LABEL.instanceGeneration];

/** Types of a file may know nothing of families: then the families that a Provisioner gets by default say nothing. */
export function withUsableDefaults(
  snapshot: ClusterSnapshot,
  types: readonly InstanceType[] | null,
): ClusterSnapshot {
  const told = new Set((types ?? []).flatMap(({ requirements }) => requirements.map(({ key }) => key)));
  if (types === null || FAMILY_LABELS.some((label) => told.has(label))) return snapshot;
  const provisioners = snapshot.provisioners.map((provisioner) => ({
    ...provisioner,
    requirements: provisioner.requirements.filter(({ key }) => !FAMILY_LABELS.includes(key)),
  }));
  return { ...snapshot, provisioners };
}

/** What each Provisioner may buy: the file's types as they are, or the shipped ones under its kubelet and template. */
export function catalogueOf(
  snapshot: ClusterSnapshot,
  { types, region }: { readonly types: readonly InstanceType[] | null; readonly region: string },
  io: Pick<ReadingIo, 'writeError'>,
): Catalogue {
  if (types !== null) return new Map(snapshot.provisioners.map(({ name }) => [name, types]));
  if (snapshot.provisioners.some(allowsSpot)) {
    const share = `${MADE_UP_SPOT_FRACTION * 100} % of on-demand`;
    io.writeError(
      `spot prices change by the minute, so these are made up (${share}); give real ones by --catalogue`,
    );
  }
  const entries = snapshot.provisioners.map((provisioner) => {
    const key = nodeClassKey(provisioner.nodeClassRef);
    const nodeClass = snapshot.nodeClasses.find((one) => one.key === key) ?? PLAIN_NODE_CLASS;
    const { kubelet } = provisioner;
    const spot = allowsSpot(provisioner) ? { simulatedSpotFraction: MADE_UP_SPOT_FRACTION } : {};
    return [provisioner.name, shippedCatalogue(region, { kubelet, nodeClass, ...spot })] as const;
  });
  return new Map(entries);
}

function allowsSpot({ requirements }: Provisioner): boolean {
  const spoken = requirements.filter(({ key }) => key === LABEL.capacityType);
  return spoken.every(({ operator, values }) => (operator === 'NotIn') !== values.includes('spot'));
}
