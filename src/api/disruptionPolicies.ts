// The disruption part of a Provisioner manifest, turned into the model.
import { isTimeZone, parseCron } from '../model/cronSchedule.ts';
import {
  type ConsolidationPolicy,
  DEFAULT_REPAIR,
  type DisruptionPolicy,
  type DriftRules,
  NO_CONSOLIDATION,
  type NodeBudget,
  type RepairPolicy,
} from '../model/disruptionPolicy.ts';
import { parseDurationMs } from '../model/duration.ts';
import type { TimeWindow } from '../model/timeWindow.ts';
import type { Problem } from './parsed.ts';
import type { WireBudget, WireProvisionerSpec, WireRepair } from './wire.ts';

/** What the API server cannot check: cron fields out of range, and names that are no time zones. */
export function windowProblems({ disruption, schedule }: WireProvisionerSpec): readonly Problem[] {
  const budgets = (disruption?.budgets ?? []).flatMap((budget, index) => {
    const field = `spec.disruption.budgets[${index}]`;
    return [
      ...cronProblems(`${field}.schedule`, budget.schedule),
      ...zoneProblems(`${field}.timeZone`, budget.timeZone),
    ];
  });
  const off = (schedule?.offHours ?? []).flatMap(({ start }, index) =>
    cronProblems(`spec.schedule.offHours[${index}].start`, start),
  );
  return [...budgets, ...zoneProblems('spec.schedule.timeZone', schedule?.timeZone), ...off];
}

function cronProblems(field: string, text: string | undefined): readonly Problem[] {
  if (text === undefined || parseCron(text) !== null) return [];
  const mend = 'write minute, hour, day of month, month and day of week, such as "0 9 * * mon-fri"';
  return [{ field, problem: 'is no cron schedule', mend }];
}

function zoneProblems(field: string, name: string | undefined): readonly Problem[] {
  if (name === undefined || isTimeZone(name)) return [];
  return [
    { field, problem: 'is no time zone that is known', mend: 'write an IANA name such as Europe/Berlin' },
  ];
}

/** When a Provisioner of a spec that has passed its checks is off. */
export function readOffHours({ schedule }: WireProvisionerSpec): readonly TimeWindow[] {
  const { offHours = [], timeZone } = schedule ?? {};
  return offHours.flatMap(({ start, duration }) => windowOf(start, duration, timeZone) ?? []);
}

/** The policy of a spec that has passed its checks; `consolidation.enabled` means WhenEmptyOrUnderutilized. */
export function readDisruptionPolicy({ disruption, consolidation }: WireProvisionerSpec): DisruptionPolicy {
  const { minimumSavings } = NO_CONSOLIDATION;
  return {
    consolidation: policyOf(disruption, consolidation?.enabled ?? false),
    consolidateAfterMs: durationOf(disruption?.consolidateAfter, NO_CONSOLIDATION.consolidateAfterMs),
    budgets: (disruption?.budgets ?? []).map(readBudget),
    minimumSavings: { ...minimumSavings, ...disruption?.minimumSavings },
    minimumNodeAgeMs: durationOf(disruption?.minimumNodeAge, NO_CONSOLIDATION.minimumNodeAgeMs),
    expireJitterMs: durationOf(disruption?.expireJitter, NO_CONSOLIDATION.expireJitterMs),
    drift: readDrift(disruption?.drift),
    ...(disruption?.repair === undefined ? {} : { repair: readRepair(disruption.repair) }),
  };
}

function readRepair({ policy, after }: WireRepair): RepairPolicy {
  return {
    policy: policy ?? DEFAULT_REPAIR.policy,
    toleratedMs: after === undefined ? null : durationOf(after, 0),
  };
}

function readDrift(written: NonNullable<WireProvisionerSpec['disruption']>['drift']): DriftRules {
  const { policy, canary } = NO_CONSOLIDATION.drift;
  return {
    policy: written?.policy ?? policy,
    canary: {
      nodes: written?.canary?.nodes ?? canary.nodes,
      soakMs: durationOf(written?.canary?.soak, canary.soakMs),
    },
  };
}

function policyOf(written: WireProvisionerSpec['disruption'], isEnabled: boolean): ConsolidationPolicy {
  if (written?.consolidateAfter === 'Never') return 'Never';
  return written?.consolidationPolicy ?? (isEnabled ? 'WhenEmptyOrUnderutilized' : 'Never');
}

function readBudget({ nodes, action, reasons, schedule, duration, timeZone }: WireBudget): NodeBudget {
  return {
    nodes: action === 'Deny' ? NONE : nodes === undefined ? ALL : readNodes(nodes),
    reasons: reasons ?? null,
    window: windowOf(schedule, duration, timeZone),
    ...(action === 'Allow' ? { onlyWithin: true } : {}),
  };
}

const NONE: NodeBudget['nodes'] = { kind: 'count', amount: 0 };
const ALL: NodeBudget['nodes'] = { kind: 'percent', amount: 100 };

function readNodes(text: string): NodeBudget['nodes'] {
  return { kind: text.endsWith('%') ? 'percent' : 'count', amount: Number(text.replace('%', '')) };
}

function windowOf(schedule?: string, duration?: string, timeZone = 'UTC'): TimeWindow | null {
  const parsed = schedule === undefined ? null : parseCron(schedule);
  return parsed === null ? null : { schedule: parsed, durationMs: durationOf(duration, 0), timeZone };
}

function durationOf(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : (parseDurationMs(text) ?? otherwise);
}
