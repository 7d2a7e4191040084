// Either what was asked for, or why a Provisioner can launch nothing: object, field and mend in one sentence.

export interface NotReady {
  readonly kind: 'notReady';
  readonly reason: string;
  readonly message: string;
}

export type Resolved<T> = { readonly kind: 'found'; readonly value: T } | NotReady;

export function notReady(reason: string, message: string): NotReady {
  return { kind: 'notReady', reason, message };
}

export function found<T>(value: T): Resolved<T> {
  return { kind: 'found', value };
}
