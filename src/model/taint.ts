// Taints, tolerations and the rule that matches them.

export type TaintEffect = 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';

export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: TaintEffect;
}

/** An empty key with operator Exists tolerates everything; a null effect tolerates every effect. */
export interface Toleration {
  readonly key: string;
  readonly operator: 'Exists' | 'Equal' | 'Lt' | 'Gt';
  readonly value: string;
  readonly effect: TaintEffect | null;
  readonly tolerationSeconds: number | null;
}

/** True when one toleration matches the taint. Source: Kubernetes, "Taints and Tolerations". */
export function toleratesTaint(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== null && toleration.effect !== taint.effect) return false;
  if (toleration.key !== '' && toleration.key !== taint.key) return false;
  switch (toleration.operator) {
    case 'Exists':
      return true;
    case 'Equal':
      return toleration.key !== '' && toleration.value === taint.value;
    case 'Lt':
      return Number(taint.value) < Number(toleration.value);
    case 'Gt':
      return Number(taint.value) > Number(toleration.value);
  }
}

/** The first taint that keeps the pod off, PreferNoSchedule aside; null when all are tolerated. */
export function untoleratedTaint(taints: readonly Taint[], tolerations: readonly Toleration[]): Taint | null {
  const keepsOff = (taint: Taint): boolean =>
    taint.effect !== 'PreferNoSchedule' && !tolerations.some((one) => toleratesTaint(one, taint));
  return taints.find(keepsOff) ?? null;
}

/** `key=value:Effect` or `key:Effect`, as kubectl writes it. */
export function formatTaint(taint: Taint): string {
  return `${taint.key}${taint.value === '' ? '' : `=${taint.value}`}:${taint.effect}`;
}
