// No pod is evicted that has opted out by annotation.
import { ANNOTATION } from '../../model/labels.ts';
import type { Invariant } from './invariant.ts';

const OPT_OUTS: readonly string[] = [ANNOTATION.doNotEvict, ANNOTATION.doNotDisrupt];

export const optOutsHold: Invariant = ({ simulation, report }) => {
  simulation.kube.observe({
    evicted: (key, outcome) => {
      if (outcome !== 'evicted') return;
      const pod = simulation.store.get('pod', key);
      const annotation = OPT_OUTS.find((name) => pod?.annotations[name] === 'true');
      if (annotation !== undefined) report(`pod ${key} was evicted although ${annotation} forbids it`);
    },
  });
  return undefined;
};
