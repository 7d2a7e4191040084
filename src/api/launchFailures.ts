// What a Provisioner's status says of nodes that never came up, to the model and back.
import type { LaunchFailures } from '../model/provisioner.ts';
import { asRaw, numberIn, objectIn, textIn, textsIn, timeMsIn } from './objects/raw.ts';

/** Read leniently: what nobody could have written so is as if it were not there, and the Provisioner is as valid. */
export function readLaunchFailures(manifest: unknown): LaunchFailures | null {
  const raw = objectIn(objectIn(asRaw(manifest), 'status'), 'launchFailures');
  const configuration = textIn(raw, 'configuration');
  const nodes = numberIn(raw, 'nodes') ?? 0;
  const pauses = numberIn(raw, 'pauses') ?? 0;
  if (configuration === '' || nodes < 1 || pauses < 0) return null;
  const pausedAtMs = timeMsIn(raw, 'pausedAt') ?? 0;
  const retryAtMs = timeMsIn(raw, 'retryAt') ?? 0;
  const lists = { imageIds: textsIn(raw, 'imageIDs'), claims: textsIn(raw, 'claims') };
  return { configuration, nodes, pauses, pausedAtMs, retryAtMs, hint: textIn(raw, 'hint'), ...lists };
}

/** To the millisecond, which RFC 3339 allows. */
export function launchFailuresManifest(failures: LaunchFailures): object {
  const { configuration, imageIds, nodes, pauses, pausedAtMs, retryAtMs, hint, claims } = failures;
  const times =
    pauses === 0
      ? {}
      : { pausedAt: new Date(pausedAtMs).toISOString(), retryAt: new Date(retryAtMs).toISOString() };
  return { configuration, imageIDs: imageIds, nodes, pauses, hint, claims, ...times };
}
