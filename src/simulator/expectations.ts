// Does a finished simulation meet what its scenario expects? One sentence for each thing that it does not.
import { formatDuration } from './durations.ts';
import type { Expectations } from './scenario.ts';
import type { SimulationReport } from './statistics.ts';

/** What was not met; empty when all was. */
export function unmetExpectations(expect: Expectations, report: SimulationReport): readonly string[] {
  const unmet: string[] = [];
  const nodesLeft = report.nodes.at(-1)?.count ?? 0;
  const longestMs = report.pendingMs.at(-1) ?? 0;
  if (expect.noNodesLeft && nodesLeft > 0) unmet.push(`${nodesLeft} nodes are left, expected none`);
  if (expect.noPodsPending && report.podsPending > 0) {
    unmet.push(`${report.podsPending} pods still wait, expected none`);
  }
  if (expect.pendingAtMostMs !== null && longestMs > expect.pendingAtMostMs) {
    const [was, most] = [formatDuration(longestMs), formatDuration(expect.pendingAtMostMs)];
    unmet.push(`a pod waited ${was} for its node, expected at most ${most}`);
  }
  if (expect.usdAtMost !== null && report.usd > expect.usdAtMost) {
    unmet.push(`it cost $${report.usd.toFixed(2)}, expected at most $${expect.usdAtMost.toFixed(2)}`);
  }
  if (expect.nodesAtMost !== null && report.nodesMost > expect.nodesAtMost) {
    unmet.push(`there were ${report.nodesMost} nodes, expected at most ${expect.nodesAtMost}`);
  }
  if (expect.evictionsAtMost !== null && report.evictions > expect.evictionsAtMost) {
    unmet.push(`${report.evictions} pods were evicted, expected at most ${expect.evictionsAtMost}`);
  }
  const oldestMs = report.oldestNodeMs ?? 0;
  if (expect.nodeAgeAtMostMs !== null && oldestMs > expect.nodeAgeAtMostMs) {
    const [was, most] = [formatDuration(oldestMs), formatDuration(expect.nodeAgeAtMostMs)];
    unmet.push(`a node is ${was} old, expected at most ${most}`);
  }
  return unmet;
}
