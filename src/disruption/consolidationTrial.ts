// Whether a plan for the pods of some nodes pays, and the action that it comes to.
import type { ConsolidationAction } from '../model/consolidation.ts';
import { LABEL } from '../model/labels.ts';
import type { PlannedNodeClaim, SchedulingPlan } from '../model/plan.ts';
import { podKey } from '../model/pod.ts';
import type { Catalogue } from '../model/snapshot.ts';
import type { Candidate } from './consolidationCandidates.ts';
import type { Obstacle } from './obstacle.ts';

export type Judgement =
  | {
      readonly kind: 'saves';
      readonly action: ConsolidationAction;
      /** The plan that was judged. */
      readonly plan: SchedulingPlan;
      /** The saving less the price of the evictions. */
      readonly netUsdPerHour: number;
    }
  | ({ readonly kind: 'blocked' } & Obstacle);

/** What every set of nodes is judged by. */
export interface Terms {
  readonly catalogue: Catalogue;
  /** What all nodes cost now. */
  readonly wholeUsdPerHour: number;
  /** How many pods run on them. */
  readonly pods: number;
}

/** What an eviction has to save: this share of what a pod costs on average afterwards. */
export const EVICTION_SHARE = 0.25;
/** It has to save so much at least: less is not worth the disturbance. */
const EVICTION_USD_PER_HOUR = 0.0001;

/**
 * What moving one plain pod has to save at least, in USD an hour.
 * @param usdPerHour what these pods cost together
 */
export function evictionUsd(usdPerHour: number, pods: number): number {
  return Math.max(EVICTION_USD_PER_HOUR, (EVICTION_SHARE * usdPerHour) / Math.max(1, pods));
}

/** Bought nodes have to save so much of what goes, unless `minimumSavings.percent` says how much. */
const REPLACEMENT_PERCENT = 25;
/** Prices that differ by less are the same. */
const ROUNDING_USD = 1e-6;
/** EC2 needs so many types to choose from, or spot nodes would be replaced by ever scarcer ones (Karpenter v1). */
const SPOT_TYPES_LEAST = 15;

/** Whether the plan of a trial pays, given what the nodes that would go cost. */
export function judge(
  candidates: readonly Candidate[],
  plan: SchedulingPlan | null,
  terms: Terms,
): Judgement {
  const { catalogue } = terms;
  if (plan === null) return blocked('no plan for its pods passes its check');
  const [refusal] = plan.refusals;
  if (refusal !== undefined) {
    const message = `pod ${refusal.pod} would find no place: ${refusal.reason}`;
    return { kind: 'blocked', message, blockedBy: refusal.pod };
  }
  const goingUsd = sum(candidates.map(({ usdPerHour }) => usdPerHour));
  const evicted = candidates.flatMap(({ pods }) => pods.map(podKey));
  const plannedSavingUsd = goingUsd - plan.usdPerHour;
  const hurtUsd = hurtUsdOf(candidates, terms, plannedSavingUsd);
  const launches = plan.nodeClaims.length > 0;
  const neededUsd = neededSaving(candidates, terms, { savedUsd: plannedSavingUsd, launches });
  if (plannedSavingUsd < neededUsd - ROUNDING_USD)
    return { kind: 'blocked', ...tooLittle(candidates, terms, { savedUsd: plannedSavingUsd, launches }) };
  const spareUsd = (plannedSavingUsd - neededUsd) / Math.max(1, plan.nodeClaims.length);
  const replacements: PlannedNodeClaim[] = [];
  let mostUsd = 0;
  for (const planned of plan.nodeClaims) {
    const narrowed = within(planned, planned.usdPerHour + spareUsd, catalogue);
    if (typeof narrowed === 'string') return blocked(narrowed);
    if (isSpotToSpot(candidates, planned) && narrowed.claim.spec.instanceTypes.length < SPOT_TYPES_LEAST)
      return blocked(`spot for spot needs ${SPOT_TYPES_LEAST} cheaper types to choose from`);
    replacements.push(narrowed.claim);
    mostUsd += narrowed.mostUsdPerHour;
  }
  const savingUsdPerHour = goingUsd - mostUsd;
  const action = {
    nodeClaims: candidates.map(({ claim }) => claim.name),
    replacements,
    nominations: plan.nominations,
    evicted,
    savingUsdPerHour,
    message: messageOf(candidates, replacements, { savingUsdPerHour, evicted: evicted.length }),
  };
  return {
    kind: 'saves',
    action,
    plan,
    netUsdPerHour: savingUsdPerHour - hurtUsd,
  };
}

/** What a step has come to, or would at best. */
export interface Prospect {
  readonly savedUsd: number;
  /** Whether nodes are bought for it. */
  readonly launches: boolean;
}

/** What taking these nodes away has to save, in USD an hour. */
export function neededSaving(
  candidates: readonly Candidate[],
  terms: Terms,
  { savedUsd, launches }: Prospect,
): number {
  const least = leastSaving(candidates, hurtUsdOf(candidates, terms, savedUsd));
  if (!launches) return least;
  const goingUsd = sum(candidates.map(({ usdPerHour }) => usdPerHour));
  return Math.max(least, (replacementPercent(candidates) * goingUsd) / 100);
}

/** Why nodes stay whose pods would cost as much elsewhere, or little less. */
export function tooLittle(candidates: readonly Candidate[], terms: Terms, prospect: Prospect): Obstacle {
  const wanted = usd(neededSaving(candidates, terms, prospect));
  const message =
    prospect.savedUsd <= ROUNDING_USD
      ? `its pods would cost as much elsewhere: nothing saved, ${wanted} wanted`
      : `its pods would cost little less elsewhere: ${usd(prospect.savedUsd)} saved, ${wanted} wanted`;
  return { message };
}

/** What the evictions have to save, given what is saved. */
function hurtUsdOf(
  candidates: readonly Candidate[],
  { wholeUsdPerHour, pods }: Terms,
  savedUsd: number,
): number {
  const hurt = sum(candidates.map((one) => one.hurt));
  return evictionUsd(wholeUsdPerHour - savedUsd, pods) * hurt;
}

/** How much of the price of nodes those that are launched in their place have to save, in percent. */
function replacementPercent(candidates: readonly Candidate[]): number {
  return Math.max(
    ...candidates.map(({ minimumSavings: { percent } }) => (percent > 0 ? percent : REPLACEMENT_PERCENT)),
  );
}

/** The strictest wish of the Provisioners concerned, and always something: so that prices only ever descend. */
function leastSaving(candidates: readonly Candidate[], hurtUsd: number): number {
  const goingUsd = sum(candidates.map(({ usdPerHour }) => usdPerHour));
  const evicted = sum(candidates.map(({ pods }) => pods.length));
  let least = Math.max(2 * ROUNDING_USD, hurtUsd);
  for (const { minimumSavings } of candidates) {
    const { percent, usdPerHour, usdPerHourPerEvictedPod } = minimumSavings;
    least = Math.max(least, (goingUsd * percent) / 100, usdPerHour, usdPerHourPerEvictedPod * evicted);
  }
  return least;
}

interface Narrowed {
  readonly claim: PlannedNodeClaim;
  readonly mostUsdPerHour: number;
}

/** The planned node with only types that cost no more, wherever they may be launched; a text when none is left. */
function within(planned: PlannedNodeClaim, mostUsd: number, catalogue: Catalogue): Narrowed | string {
  const { spec } = planned;
  const types = new Map(catalogue.get(spec.provisioner)?.map((type) => [type.name, type]));
  const zones = spec.requirements.find(({ key }) => key === LABEL.zone)?.values;
  const dearest = (name: string): number => {
    const prices = (types.get(name)?.offerings ?? [])
      .filter(({ capacityType }) => capacityType === planned.capacityType)
      .filter(({ zone }) => zones === undefined || zones.includes(zone))
      .map(({ usdPerHour }) => usdPerHour);
    return prices.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...prices);
  };
  const names = spec.instanceTypes.filter((name) => dearest(name) <= mostUsd + ROUNDING_USD);
  if (names.length === 0) return `no type is sure to cost less than ${usd(mostUsd)}`;
  const asked = spec.requirements.find(({ minValues }) => minValues !== undefined);
  if (asked !== undefined && names.length < spec.instanceTypes.length)
    return `minValues of ${asked.key} leaves no choice of cheaper types only`;
  const requirements = spec.requirements.map((one) =>
    one.key === LABEL.instanceType ? { ...one, operator: 'In' as const, values: names } : one,
  );
  const claim = { ...planned, spec: { ...spec, requirements, instanceTypes: names } };
  return { claim, mostUsdPerHour: Math.max(planned.usdPerHour, ...names.map(dearest)) };
}

function isSpotToSpot(candidates: readonly Candidate[], { capacityType }: PlannedNodeClaim): boolean {
  return capacityType === 'spot' && candidates.some(({ claim }) => claim.status.capacityType === 'spot');
}

function messageOf(
  candidates: readonly Candidate[],
  replacements: readonly PlannedNodeClaim[],
  { savingUsdPerHour, evicted }: { readonly savingUsdPerHour: number; readonly evicted: number },
): string {
  const nodes = candidates.length === 1 ? 'the node' : `${candidates.length} nodes`;
  const types = replacements.map(({ instanceType }) => instanceType).join(', ');
  const where = replacements.length === 0 ? 'on other nodes' : `on other nodes and ${types}`;
  const pods = evicted === 1 ? `1 pod of ${nodes} fits` : `${evicted} pods of ${nodes} fit`;
  return `${pods} ${where}, which saves ${usd(savingUsdPerHour)}`;
}

function blocked(message: string): Judgement {
  return { kind: 'blocked', message };
}

function usd(amount: number): string {
  return `$${amount.toFixed(4)}/h`;
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}
