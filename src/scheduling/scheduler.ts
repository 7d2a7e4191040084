// Which pods go where, and what to launch for the rest: the one entry to the packer.
import type { Nomination, PlannedNodeClaim, Refusal, SchedulingPlan } from '../model/plan.ts';
import type { Pod } from '../model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import { orderMatters, unbindable } from './bindingAudit.ts';
import { repriced } from './bins.ts';
import { compareText } from './compiledProvisioner.ts';
import type { ImprovementBudget } from './improve.ts';
import { LessonBook } from './lessons.ts';
import { type Packing, pack, polished, tightened } from './packing.ts';
import { ClaimWriter, isShortOfTypes } from './planWriter.ts';
import { podsInOrder } from './podOrder.ts';
import { inPreferredZones } from './preferredZones.ts';
import { type Preparation, prepare } from './prepare.ts';
import { refusalOf } from './refusals.ts';
import type { Target } from './targets.ts';

export interface SchedulingOptions {
  /** How long improvement may go on after the first complete plan, in milliseconds of `elapsedMs`; 0 for none. */
  readonly budgetMs: number;
  /** Milliseconds since the call began, given from outside so that the core reads no clock. */
  readonly elapsedMs: () => number;
  /** Where earlier plans have sent pods, target names by pod key: they go there again while they fit. */
  readonly nominated?: ReadonlyMap<string, string>;
}

export const FIRST_PLAN_ONLY: SchedulingOptions = { budgetMs: 0, elapsedMs: () => 0 };

const NOBODY: ReadonlyMap<string, string> = new Map();

/**
 * How often only so many pods are left out as the kube-scheduler could not bind, and the rest planned anew. After
 * that twice as many each time, so that an end comes soon: a plan that cannot be carried out is never handed out.
 */
const SPARING_AUDITS = 6;

/** How often pods are sent to other domains when the first ones turn out to have no room. */
const MOST_ATTEMPTS = 14;

/**
 * Places the pods on existing nodes, claims in flight and new nodes, as cheaply as it can.
 * Pure and deterministic: the same snapshot gives the same plan.
 * @param snapshot the cluster; its pods that are bound take room on their nodes
 * @param catalogue what each Provisioner may buy
 * @param pods the pods to place, unbound, each in the snapshot or not
 */
export function schedule(
  snapshot: ClusterSnapshot,
  catalogue: Catalogue,
  pods: readonly Pod[],
  options: SchedulingOptions = FIRST_PLAN_ONLY,
): SchedulingPlan {
  const prepared = { ...prepare(snapshot, catalogue, pods), nominated: options.nominated ?? NOBODY };
  const lessons = new LessonBook(prepared);
  const budget = budgetOf(options);
  const isAudited = orderMatters(prepared) || prepared.capacity.hasLimitedFloors;
  for (let audits = 1; ; audits++) {
    const first = tightened(attempted(prepared, lessons));
    // What is refused is settled before improvement, so that its luck decides on prices alone.
    const plain = isAudited || budget.work <= 0 ? drafted(prepared, first) : null;
    const times = 2 ** Math.max(0, audits - SPARING_AUDITS);
    if (isAudited && plain !== null && !holds(prepared, plain, { lessons, times })) continue;
    if (plain !== null && budget.work <= 0) return writtenPlan(prepared, plain, lessons);
    const better = drafted(prepared, polished(first, budget));
    return writtenPlan(prepared, plain === null || holds(prepared, better) ? better : plain, lessons);
  }
}

interface Teaching {
  readonly lessons: LessonBook;
  readonly times: number;
}

/** False when the draft cannot be carried out as it is; then the next one is taught what to leave out. */
function holds(prepared: Preparation, draft: Draft, teaching?: Teaching): boolean {
  const stuck = unbindable(prepared, draft);
  teaching?.lessons.giveUp(stuck, teaching.times);
  const { packing, nodeClaims } = draft;
  const short = new Map<string, number>();
  for (const [at, claim] of nodeClaims.entries()) {
    const { provisioner } = claim.spec;
    const bin = packing.bins[at];
    if (bin !== undefined && isShortOfTypes(claim, bin, prepared.capacity))
      short.set(provisioner, (short.get(provisioner) ?? 0) + 1);
  }
  for (const [name, count] of short) {
    const all = nodeClaims.filter(({ spec }) => spec.provisioner === name).length;
    // Fewer nodes leave room for the lists of all: half of them may do where none has enough.
    teaching?.lessons.curbs.set(name, Math.max(all - count, Math.floor(all / 2)));
  }
  return stuck.size + short.size === 0;
}

/** The first plan that leaves nothing to learn, or the last one tried. */
function attempted(prepared: Preparation, lessons: LessonBook): Packing {
  let packing = pack(prepared, lessons);
  for (let attempt = 1; attempt < MOST_ATTEMPTS && lessons.learn(packing, attempt); attempt++) {
    packing = pack(prepared, lessons);
  }
  return packing;
}

/** How much work improvement does in a millisecond, on the slow side of the machines seen. */
const WORK_PER_MS = 20_000;
/** Work, not time, ends improvement; time does only where a machine is this many times slower than reckoned. */
const TIME_SLACK = 4;

function budgetOf({ budgetMs, elapsedMs }: SchedulingOptions): ImprovementBudget {
  return { work: budgetMs * WORK_PER_MS, isOver: () => elapsedMs() > budgetMs * TIME_SLACK };
}

/** The pods of each lot handed out one after the other. */
class PodDealer {
  readonly #packing: Packing;
  readonly #podsOf: ReadonlyMap<number, readonly number[]>;
  readonly #next: Int32Array;

  /** @param podsOf pods by lot, for lots whose pods are not handed out in their own order */
  constructor(packing: Packing, podsOf: ReadonlyMap<number, readonly number[]>) {
    this.#packing = packing;
    this.#podsOf = podsOf;
    this.#next = new Int32Array(packing.shop.store.lots.length);
  }

  deal({ lots, counts }: { readonly lots: readonly number[]; readonly counts: readonly number[] }): number[] {
    const dealt: number[] = [];
    for (const [at, id] of lots.entries()) {
      const { bundle } = this.#packing.shop.store.lot(id);
      const pods = this.#pods(id);
      const from = this.#next[id] as number;
      const to = from + (counts[at] as number) * bundle;
      this.#next[id] = to;
      for (let pod = from; pod < to; pod++) dealt.push(pods[pod] as number);
    }
    return dealt;
  }

  remaining(id: number): readonly number[] {
    return this.#pods(id).slice(this.#next[id]);
  }

  #pods(id: number): readonly number[] {
    return this.#podsOf.get(id) ?? this.#packing.shop.store.lot(id).pods;
  }
}

/** Which pod goes where, pods by number. */
interface DealtPods {
  readonly sent: readonly { readonly target: Target; readonly pods: readonly number[] }[];
  /** By bin. */
  readonly inBins: readonly (readonly number[])[];
}

function dealtPods({ fillings, bins }: Packing, dealer: PodDealer): DealtPods {
  return {
    sent: fillings.map(({ target, filling }) => ({ target, pods: dealer.deal(filling) })),
    inBins: bins.map((bin) => dealer.deal(bin)),
  };
}

function plannedClaims(prepared: Preparation, packing: Packing, dealt: DealtPods): PlannedNodeClaim[] {
  const { podNames, zonesMatter } = prepared;
  const writer = new ClaimWriter(packing.shop);
  return inPreferredZones(prepared, packing, dealt).map(({ bin, isChosen }, at) => {
    const names = (dealt.inBins[at] ?? []).map((pod) => podNames[pod] as string);
    return writer.write(bin, names.sort(compareText), zonesMatter || isChosen);
  });
}

/** A packing with its pods handed out and its claims written. */
interface Draft extends DealtPods {
  readonly packing: Packing;
  readonly dealer: PodDealer;
  readonly nodeClaims: readonly PlannedNodeClaim[];
}

/** Writing charges limits for the largest types that claims list: those charges are the draft's own. */
function drafted(prepared: Preparation, packed: Packing): Draft {
  const shop = { ...packed.shop, ledger: packed.shop.ledger.copy() };
  const packing = { ...packed, shop, bins: packed.bins.map((bin) => repriced(bin, shop)) };
  const dealer = new PodDealer(packing, podsInOrder(prepared, packing));
  const dealt = dealtPods(packing, dealer);
  return { ...dealt, packing, dealer, nodeClaims: plannedClaims(prepared, packing, dealt) };
}

function writtenPlan(prepared: Preparation, draft: Draft, lessons: LessonBook): SchedulingPlan {
  const { packing, nodeClaims, sent } = draft;
  const nominations: Nomination[] = sent.flatMap(({ target, pods }) =>
    pods.map((pod) => ({
      pod: prepared.podNames[pod] as string,
      target: { kind: target.kind, name: target.name },
    })),
  );
  const usdPerHour = nodeClaims.reduce((sum, claim) => sum + claim.usdPerHour, 0);
  const refusals = refusedPods(prepared, draft, lessons);
  return {
    nodeClaims,
    nominations: nominations.sort((left, right) => compareText(left.pod, right.pod)),
    refusals: refusals.sort((left, right) => compareText(left.pod, right.pod)),
    usdPerHour,
    lowerBoundUsdPerHour: withoutRounding(packing.lowerBoundUsdPerHour, usdPerHour),
  };
}

/** An optimal plan meets its bound: where sums differ in the last digits only, they are the same. */
function withoutRounding(bound: number, price: number): number {
  return bound > price && bound < price * (1 + 1e-9) ? price : bound;
}

function refusedPods(
  { capacity, classes, blocked, podNames }: Preparation,
  { packing: { shop, refusals }, dealer, sent, inBins }: Draft,
  lessons: LessonBook,
): Refusal[] {
  const refused: Refusal[] = blocked.map(({ pod, reason }) => ({
    pod,
    code: 'Volume',
    provisioner: '',
    reason,
    nearest: '',
  }));
  const settled = new Uint8Array(podNames.length);
  for (const { pods } of sent) for (const pod of pods) settled[pod] = 1;
  for (const pods of inBins) for (const pod of pods) settled[pod] = 1;
  const refuse = (pods: readonly number[], refusal: Omit<Refusal, 'pod'>): void => {
    for (const pod of pods) {
      settled[pod] = 1;
      refused.push({ pod: podNames[pod] as string, ...refusal });
    }
  };
  for (let id = 0; id < shop.store.lots.length; id++) {
    const left = dealer.remaining(id);
    if (left.length > 0) refuse(left, refusalOf(shop.store.lot(id), capacity, shop.ledger));
  }
  if (!settled.includes(0)) return refused;
  const byRules = new Map(refusals.map((one) => [one.index, one]));
  for (const one of classes) {
    const unplaced: number[] = [];
    const end = one.firstPod + one.podClass.pods.length;
    for (let pod = one.firstPod; pod < end; pod++) if (settled[pod] === 0) unplaced.push(pod);
    if (unplaced.length === 0) continue;
    const rule = byRules.get(one.index);
    const refusal =
      lessons.reasons.get(one.index) ??
      (rule === undefined || rule.code === null
        ? refusalOf(one, capacity, shop.ledger)
        : { code: rule.code, provisioner: '', reason: rule.reason, nearest: '' });
    refuse(unplaced, refusal);
  }
  return refused;
}
