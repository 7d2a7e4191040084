// Controllers fail only by faults that were put in.
import type { Invariant } from './invariant.ts';

/** Part of the message of every fault that the simulator throws. */
const OURS = /simulated/;

export const controllersDoNotFail: Invariant = ({ simulation, report }) => {
  simulation.history.listen(({ kind, subject, facts }) => {
    if (kind !== 'Log' || facts.level !== 'error') return;
    const error = String(facts.error ?? '');
    if (!OURS.test(error)) report(`${subject}: ${error} ${JSON.stringify(facts)}`);
  });
  return undefined;
};
