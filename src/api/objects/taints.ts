// Taints and tolerations of manifests.
import type { Taint, TaintEffect, Toleration } from '../../model/taint.ts';
import { numberIn, objectsIn, type Raw, textIn } from './raw.ts';

const EFFECTS: ReadonlySet<string> = new Set(['NoSchedule', 'PreferNoSchedule', 'NoExecute']);
const OPERATORS: ReadonlySet<string> = new Set(['Exists', 'Equal', 'Lt', 'Gt']);

/** Taints under `taints`; one without key or known effect keeps nothing off and is left out. */
export function readTaints(spec: Raw | null): Taint[] {
  return objectsIn(spec, 'taints').flatMap((raw) => {
    const key = textIn(raw, 'key');
    const effect = textIn(raw, 'effect');
    if (key === '' || !EFFECTS.has(effect)) return [];
    return [{ key, value: textIn(raw, 'value'), effect: effect as TaintEffect }];
  });
}

/** Tolerations; one with an unknown operator or effect tolerates nothing and is left out. */
export function readTolerations(spec: Raw): Toleration[] {
  return objectsIn(spec, 'tolerations').flatMap((raw) => {
    const operator = textIn(raw, 'operator') || 'Equal';
    const effect = textIn(raw, 'effect');
    if (!OPERATORS.has(operator) || (effect !== '' && !EFFECTS.has(effect))) return [];
    return [
      {
        key: textIn(raw, 'key'),
        operator: operator as Toleration['operator'],
        value: textIn(raw, 'value'),
        effect: effect === '' ? null : (effect as TaintEffect),
        tolerationSeconds: numberIn(raw, 'tolerationSeconds'),
      },
    ];
  });
}
