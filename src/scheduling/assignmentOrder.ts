// In which order classes choose their domains.
import type { ClassInPlay } from './assignment.ts';
import { isHostname } from './topology.ts';

/** Pods that only are counted go first, then the loosest rules: the tightest see the final counts. */
export function inOrder(classes: readonly ClassInPlay[]): ClassInPlay[] {
  const ranked = classes.map((one) => ({
    one,
    priority: one.podClass.spec.priority,
    rank: ruleRank(one),
    freedom: one.placement.scopes.reduce((sum, scopes) => sum + scopes.length, 0),
    skew: one.rules.spread.reduce((least, { maxSkew }) => Math.min(least, maxSkew), Number.POSITIVE_INFINITY),
  }));
  ranked.sort(
    (left, right) =>
      right.priority - left.priority ||
      left.rank - right.rank ||
      left.freedom - right.freedom ||
      (right.skew === left.skew ? 0 : right.skew - left.skew) ||
      left.one.index - right.one.index,
  );
  return ranked.map(({ one }) => one);
}

function ruleRank({ rules }: ClassInPlay): number {
  if (rules.affinity.some(({ selector }) => !rules.matches.has(selector))) return 3;
  return rules.spread.some(({ key }) => !isHostname(key)) ? 2 : 1;
}
