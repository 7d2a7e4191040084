// Disruption budgets and namespaces, cut down to what decisions look at.
import type { Namespace, PodDisruptionBudget } from '../../model/workloads.ts';
import type { Parsed, Problem } from '../parsed.ts';
import { readLabelSelector } from './labelSelector.ts';
import { MISSING_NAME, readMetadata } from './metadata.ts';
import { asRaw, numberIn, objectIn } from './raw.ts';

/** Reads a budget. One whose status is not computed yet allows nothing, as the Eviction API sees it. */
export function parseDisruptionBudget(object: unknown): Parsed<PodDisruptionBudget> {
  const metadata = readMetadata(object);
  if (metadata === null) return { kind: 'invalid', name: '', problems: [MISSING_NAME] };
  const raw = asRaw(object);
  const problems: Problem[] = [];
  const place = { path: 'spec.selector', problems };
  const selector = readLabelSelector(objectIn(raw, 'spec')?.selector, place);
  if (problems.length > 0) return { kind: 'invalid', name: metadata.name, problems };
  const status = objectIn(raw, 'status');
  const currentHealthy = numberIn(status, 'currentHealthy');
  const desiredHealthy = numberIn(status, 'desiredHealthy');
  const value = {
    namespace: metadata.namespace || 'default',
    name: metadata.name,
    selector,
    disruptionsAllowed: numberIn(status, 'disruptionsAllowed') ?? 0,
    ...(currentHealthy === null ? {} : { currentHealthy }),
    ...(desiredHealthy === null ? {} : { desiredHealthy }),
  };
  return { kind: 'valid', value };
}

export function parseNamespace(object: unknown): Parsed<Namespace> {
  const metadata = readMetadata(object);
  if (metadata === null) return { kind: 'invalid', name: '', problems: [MISSING_NAME] };
  return { kind: 'valid', value: { name: metadata.name, labels: metadata.labels } };
}
