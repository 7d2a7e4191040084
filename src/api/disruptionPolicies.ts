// The disruption part of a Provisioner manifest, turned into the model.
import { isTimeZone, parseCron } from '../model/cronSchedule.ts';
import {
  type BudgetWindow,
  type ConsolidationPolicy,
  type DisruptionPolicy,
  NO_CONSOLIDATION,
  type NodeBudget,
} from '../model/disruptionPolicy.ts';
import { parseDurationMs } from '../model/duration.ts';
import type { Problem } from './parsed.ts';
import type { WireBudget, WireProvisionerSpec } from './wire.ts';

/** What the API server cannot check: cron fields out of range, and names that are no time zones. */
export function budgetProblems({ disruption }: WireProvisionerSpec): readonly Problem[] {
  return (disruption?.budgets ?? []).flatMap(({ schedule, timeZone }, index) => {
    const field = `spec.disruption.budgets[${index}]`;
    const problems: Problem[] = [];
    if (schedule !== undefined && parseCron(schedule) === null) {
      const mend = 'write minute, hour, day of month, month and day of week, such as "0 9 * * mon-fri"';
      problems.push({ field: `${field}.schedule`, problem: 'is no cron schedule', mend });
    }
    if (timeZone !== undefined && !isTimeZone(timeZone)) {
      const mend = 'write an IANA name such as Europe/Berlin';
      problems.push({ field: `${field}.timeZone`, problem: 'is no time zone that is known', mend });
    }
    return problems;
  });
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
  };
}

function policyOf(written: WireProvisionerSpec['disruption'], isEnabled: boolean): ConsolidationPolicy {
  if (written?.consolidateAfter === 'Never') return 'Never';
  return written?.consolidationPolicy ?? (isEnabled ? 'WhenEmptyOrUnderutilized' : 'Never');
}

function readBudget({ nodes, reasons, schedule, duration, timeZone }: WireBudget): NodeBudget {
  const kind = nodes.endsWith('%') ? 'percent' : 'count';
  const amount = Number(nodes.replace('%', ''));
  return {
    nodes: { kind, amount },
    reasons: reasons ?? null,
    window: windowOf(schedule, duration, timeZone),
  };
}

function windowOf(schedule?: string, duration?: string, timeZone = 'UTC'): BudgetWindow | null {
  const parsed = schedule === undefined ? null : parseCron(schedule);
  return parsed === null ? null : { schedule: parsed, durationMs: durationOf(duration, 0), timeZone };
}

function durationOf(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : (parseDurationMs(text) ?? otherwise);
}
