// Names of NodeClaims: the Provisioner's, and a hash that makes them differ.

const OFFSET_BASIS = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;
const MASK = (1n << 64n) - 1n;
const HASH_LENGTH = 8;
/** Kubernetes object names: at most 253 characters; node names and labels prefer 63. */
const NAME_LENGTH_MOST = 63;

/** `<provisioner>-<hash of the seed>`: no chance in it, so that a simulated history can be repeated. */
export function claimName(provisioner: string, seed: string): string {
  return `${provisioner.slice(0, NAME_LENGTH_MOST - HASH_LENGTH - 1)}-${hash(seed)}`;
}

/** FNV-1a, 64 bits (Fowler, Noll, Vo), in base 36. */
function hash(text: string): string {
  let value = OFFSET_BASIS;
  for (let index = 0; index < text.length; index++) {
    value = ((value ^ BigInt(text.charCodeAt(index))) * PRIME) & MASK;
  }
  return value.toString(36).padStart(HASH_LENGTH, '0').slice(-HASH_LENGTH);
}
