// Names of NodeClaims: the Provisioner's, and a hash that makes them differ.
import { textHash } from '../model/textHash.ts';

const HASH_LENGTH = 8;
/** Kubernetes object names: at most 253 characters; node names and labels prefer 63. */
const NAME_LENGTH_MOST = 63;

/** `<provisioner>-<hash of the seed>`: no chance in it, so that a simulated history can be repeated. */
export function claimName(provisioner: string, seed: string): string {
  return `${provisioner.slice(0, NAME_LENGTH_MOST - HASH_LENGTH - 1)}-${textHash(seed, HASH_LENGTH)}`;
}
