// A bad image costs a rollout its canaries and no more, and drift never takes more nodes at once than budgets say.
import { replacedBy } from '../../disruption/replacements.ts';
import { CLAIM_ANNOTATION } from '../../model/labels.ts';
import { hasCondition, type NodeClaim } from '../../model/nodeClaim.ts';
import type { Provisioner } from '../../model/provisioner.ts';
import type { Simulation } from '../simulation.ts';
import type { Invariant } from './invariant.ts';
import { claimsOfTwoLeaders } from './twoLeaders.ts';

export const rolloutsHold: Invariant = ({ simulation, report }) => {
  const { store, cloud, history } = simulation;
  const isOfTwoLeaders = claimsOfTwoLeaders(simulation);
  const going = new Set<string>();
  /** By name of a replacement: what it was bought for, which its claim does not say any more once that is given up. */
  const boughtFor = new Map<string, string>();
  let isOfOneLeader = true;
  cloud.observe({
    changed: ({ instance, claim }) => {
      if (instance.state !== 'pending' || isOfTwoLeaders(claim.uid)) return;
      const rollout = rolloutOf(claim);
      if (rollout === undefined || !cloud.targets.isBad(instance.imageId)) return;
      // What comes may be of another Provisioner than what goes: whose rollout it is, the latter says.
      const replaced = replacedBy(claim).flatMap((name) => store.get('nodeClaim', name) ?? []);
      if (replaced.length > 0) boughtFor.set(claim.name, replacedBy(claim).join());
      const provisioner = store.get('provisioner', replaced[0]?.spec.provisioner ?? '');
      if (provisioner === undefined) return;
      const { nodes } = provisioner.disruption.drift.canary;
      const bad = [...cloud.living()].filter(
        (one) =>
          rolloutOf(one.claim) === rollout &&
          one.instance.imageId === instance.imageId &&
          one.instance.state !== 'shutting-down' &&
          !isOfTwoLeaders(one.claim.uid),
      );
      // One node may need several in its place.
      const replacing = new Set(bad.map((one) => boughtFor.get(one.claim.name) ?? one.claim.name));
      // Without a canary the whole fleet is one.
      if (nodes === 0 || replacing.size <= nodes) return;
      const what = `replacements of ${replacing.size} nodes with bad image ${instance.imageId}`;
      report(`Provisioner ${provisioner.name} has ${what}, its canary is ${nodes}`);
    },
  });
  history.listen(({ kind, subject, facts }) => {
    if (kind !== 'Decision' || facts.kind !== 'Disrupted' || facts.disruption !== 'Drifted') return;
    going.add(subject);
    const claim = store.get('nodeClaim', subject);
    const provisioner = store.get('provisioner', claim?.spec.provisioner ?? '');
    if (claim === undefined || provisioner === undefined) return;
    for (const name of going) if (store.get('nodeClaim', name) === undefined) going.delete(name);
    if (simulation.processes.length > 1) isOfOneLeader = false;
    else if (going.size === 1) isOfOneLeader = true;
    const together = [...going].filter(
      (name) => store.get('nodeClaim', name)?.spec.provisioner === provisioner.name,
    );
    const most = mostGoing(simulation, provisioner);
    if (!isOfOneLeader || together.length <= most) return;
    report(
      `${together.length} nodes of Provisioner ${provisioner.name} go as Drifted, its budget is ${most}`,
    );
  });
  return undefined;
};

function rolloutOf({ annotations }: NodeClaim): string | undefined {
  return annotations?.[CLAIM_ANNOTATION.rollout];
}

/** The least that its budgets without a window say, a tenth when it has none. */
function mostGoing({ store }: Simulation, { name, disruption }: Provisioner): number {
  const nodes = [...store.values('nodeClaim')].filter(
    (claim) => claim.spec.provisioner === name && hasCondition(claim, 'Initialized'),
  ).length;
  const asked = disruption.budgets
    .filter(({ window, reasons }) => window === null && (reasons?.includes('Drifted') ?? true))
    .map(({ nodes: { kind, amount } }) => (kind === 'count' ? amount : Math.ceil((amount * nodes) / 100)));
  if (disruption.budgets.length === 0) return Math.ceil(nodes / 10);
  return Math.min(Number.POSITIVE_INFINITY, ...asked);
}
