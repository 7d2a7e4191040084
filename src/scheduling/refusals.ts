// Why a pod got no node: the Provisioner that came nearest, the one constraint that blocks, and what would do.
import { LABEL } from '../model/labels.ts';
import type { Refusal, RefusalCode } from '../model/plan.ts';
import { PRICE_LIMIT } from '../model/provisioner.ts';
import { formatAmount } from '../model/resources.ts';
import { offerCharge } from './bins.ts';
import type { CapacityTable } from './capacityTable.ts';
import { conditionText } from './conditionText.ts';
import type { LimitExcess, LimitLedger } from './limits.ts';
import type { Placement } from './placements.ts';
import type { Vector } from './resourceAxis.ts';

/** What was to be placed. */
export interface Misfit {
  readonly placement: Placement;
  readonly requests: Vector;
}

type Verdict = Omit<Refusal, 'pod'> & { readonly nearness: number };

/** How near a pod came to being placed, by code: the highest is told. */
const NEARNESS: Partial<Record<RefusalCode, number>> = {
  TaintNotTolerated: 1,
  LabelUndefined: 2,
  LabelMismatch: 3,
  NoCapacity: 4,
  HostPort: 5,
  InsufficientResources: 5,
  MinValues: 6,
  LimitExceeded: 7,
};

function verdict(
  code: RefusalCode,
  provisioner: string,
  told: { reason: string; nearest?: string },
): Verdict {
  return {
    code,
    provisioner,
    reason: told.reason,
    nearest: told.nearest ?? '',
    nearness: NEARNESS[code] ?? 8,
  };
}

/** Explains for each Provisioner why the lot's pods cannot go there, and keeps the nearest. */
export function refusalOf(lot: Misfit, capacity: CapacityTable, limits: LimitLedger): Omit<Refusal, 'pod'> {
  const verdicts = capacity.provisioners.map((_, index) => verdictOn(lot, index, { capacity, limits }));
  if (verdicts.length === 0) {
    const reason = 'there is no Provisioner; create one';
    return { code: 'NoProvisioner', provisioner: '', reason, nearest: '' };
  }
  const nearest = verdicts.reduce((best, one) => (one.nearness > best.nearness ? one : best));
  const { nearness: _, ...refusal } = nearest;
  return refusal;
}

interface Context {
  readonly capacity: CapacityTable;
  readonly limits: LimitLedger;
}

function verdictOn(lot: Misfit, index: number, context: Context): Verdict {
  const { compiled } = context.capacity.provisioner(index);
  const name = compiled.provisioner.name;
  const problem = lot.placement.problems[index] ?? null;
  if (problem === null) return resourceVerdict(lot, index, context);
  switch (problem.code) {
    case 'TaintNotTolerated':
      return verdict('TaintNotTolerated', name, {
        reason: `does not tolerate the taint ${problem.subject} of Provisioner "${name}"`,
        nearest: `add a toleration for ${problem.subject}`,
      });
    case 'LabelUndefined':
      return verdict('LabelUndefined', name, {
        reason: `asks for the label ${problem.subject}, which Provisioner "${name}" does not define`,
        nearest: `add ${problem.subject} to the labels or requirements of Provisioner "${name}"`,
      });
    case 'LabelMismatch':
      return mismatchVerdict(lot.placement, problem.subject, { name, index, context });
    case 'HostPort':
      return verdict('HostPort', name, {
        reason: `a daemon holds one of its host ports on every node of Provisioner "${name}"`,
        nearest: 'take another host port, or none',
      });
    case 'NoCapacity':
      return noOfferVerdict(lot.placement, { name, index, context });
  }
}

interface OnProvisioner {
  readonly name: string;
  readonly index: number;
  readonly context: Context;
}

function mismatchVerdict(
  placement: Placement,
  key: string,
  { name, index, context }: OnProvisioner,
): Verdict {
  if (key === '') {
    const reason = 'its required node affinity has no term that a new node could satisfy';
    return verdict('LabelMismatch', name, { reason });
  }
  const asked = placement.alternatives.map((one) => one.get(key)).find((one) => one !== undefined);
  const has = context.capacity.provisioner(index).compiled.requirements.get(key);
  const wants = asked === undefined ? key : conditionText(key, asked);
  const allowed = has === undefined ? '' : conditionText(key, has);
  return verdict('LabelMismatch', name, {
    reason: `requires ${wants}; Provisioner "${name}" allows ${allowed}`,
    nearest: allowed,
  });
}

function noOfferVerdict(placement: Placement, { name, index, context }: OnProvisioner): Verdict {
  const { compiled } = context.capacity.provisioner(index);
  const conditions = placement.alternatives[0];
  const wants = [...(conditions ?? [])].map(([key, set]) => conditionText(key, set)).join(' and ');
  if (compiled.offers.length === 0) {
    const reason = `no instance type that Provisioner "${name}" allows is available now`;
    return verdict('NoCapacity', name, { reason });
  }
  const zones = [...new Set(compiled.offers.map((offer) => offer.zone))].sort().join(', ');
  return verdict('NoCapacity', name, {
    reason: `no available instance type of Provisioner "${name}" has ${wants}`,
    nearest: conditions?.has(LABEL.zone) ? `it has types in ${zones}` : '',
  });
}

function resourceVerdict(lot: Misfit, index: number, context: Context): Verdict {
  const { capacity, limits } = context;
  const { compiled } = capacity.provisioner(index);
  const name = compiled.provisioner.name;
  const scopes = lot.placement.scopes[index] ?? [];
  for (const scope of scopes) {
    const cheapest = capacity.cheapestOfAny(scope, lot.requests);
    if (cheapest === null) continue;
    const excess = limits.excess(name, offerCharge(capacity, index, cheapest));
    if (excess === null) {
      const floor = capacity.missedFloor(scope, lot.requests, cheapest.offer);
      if (floor === null) continue;
      return verdict('MinValues', name, {
        reason: `too few types of Provisioner "${name}" hold it: minValues asks for ${floor.least} of ${floor.key}`,
        nearest: `lower minValues of ${floor.key}`,
      });
    }
    if (limits.isCurbed(name)) {
      const reason = `limits of Provisioner "${name}" leave a node fewer types than its minValues ask for`;
      return verdict('MinValues', name, { reason, nearest: 'raise limits.resources or lower minValues' });
    }
    return verdict('LimitExceeded', name, limitWords(name, excess));
  }
  return shortageVerdict(lot.requests, scopes, { name, index, context });
}

function limitWords(
  name: string,
  { resource, limit, used, needed }: LimitExcess,
): Pick<Refusal, 'reason' | 'nearest'> {
  if (resource === PRICE_LIMIT) {
    const usd = (amount: number): string => String(Number(amount.toFixed(4)));
    return {
      reason:
        `Provisioner "${name}" may cost $${usd(limit)} an hour and costs $${usd(used)}; ` +
        `a node costs $${usd(needed)}`,
      nearest: `raise limits.${resource} to ${usd(used + needed)}`,
    };
  }
  const say = (amount: number): string => formatAmount(resource, amount);
  return {
    reason:
      `Provisioner "${name}" may have ${say(limit)} of ${resource} and has ${say(used)}; ` +
      `a node needs ${say(needed)}`,
    nearest: `raise limits.resources.${resource} to ${say(used + needed)}`,
  };
}

/** Names the resource that is shortest: the one of which the largest type has the least share of what is asked. */
function shortageVerdict(requests: Vector, scopes: readonly number[], on: OnProvisioner): Verdict {
  const { capacity } = on.context;
  const most = new Float64Array(requests.length);
  for (const scope of scopes) {
    for (const offer of capacity.front(scope)) {
      const room = capacity.room(on.index, offer);
      for (let place = 0; place < most.length; place++) {
        most[place] = Math.max(most[place] as number, room[place] as number);
      }
    }
  }
  let worst = -1;
  let share = 1;
  for (let place = 0; place < most.length; place++) {
    const asked = requests[place] as number;
    if (asked > (most[place] as number) && (most[place] as number) / asked < share) {
      worst = place;
      share = (most[place] as number) / asked;
    }
  }
  const { name } = on;
  if (worst < 0) {
    const reason = `no one instance type that Provisioner "${name}" allows has all the resources it asks for`;
    return verdict('InsufficientResources', name, { reason });
  }
  const resource = capacity.axis.names[worst] ?? '';
  const say = (amount: number): string => formatAmount(resource, Math.max(0, amount));
  const nearest = `the largest type that "${name}" allows has ${say(most[worst] as number)} of ${resource} for pods`;
  return verdict('InsufficientResources', name, {
    reason: `needs ${say(requests[worst] as number)} of ${resource}; ${nearest}`,
    nearest,
  });
}
