// Memory that machines turned out to have, by instance type and image: better than any guess of what EC2 keeps back.
import type { RegisteredNode } from '../ports/cloudProvider.ts';

/**
 * Learned from registered nodes. Nodes that are there when the controller starts teach it again, so nothing needs to
 * be stored; a type that no node is of falls back to the guess.
 */
export class LearnedMemory {
  readonly #bytes = new Map<string, number>();
  #version = 0;

  /** The least counts: two machines of a type differ by some KiB, and a pod must fit either. */
  note({ instanceType, imageId, memoryBytes }: RegisteredNode): void {
    if (instanceType === '' || imageId === '' || memoryBytes <= 0) return;
    const key = `${instanceType}/${imageId}`;
    const held = this.#bytes.get(key);
    if (held !== undefined && held <= memoryBytes) return;
    this.#bytes.set(key, memoryBytes);
    this.#version += 1;
  }

  /** Bytes that such a machine reports, null while none has. */
  bytesOf(instanceType: string, imageId: string): number | null {
    return this.#bytes.get(`${instanceType}/${imageId}`) ?? null;
  }

  /** Changes whenever something new was learned. */
  get version(): number {
    return this.#version;
  }
}
