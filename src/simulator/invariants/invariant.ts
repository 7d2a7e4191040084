// What a checker is: it watches one simulation for one concern, and reports what must never be.
import type { Simulation } from '../simulation.ts';

export interface Violation {
  readonly atMs: number;
  /** Name of the invariant. */
  readonly invariant: string;
  /** One sentence with the objects it is about. */
  readonly message: string;
}

export interface Watched {
  readonly simulation: Simulation;
  readonly report: (message: string) => void;
}

/** Attaches itself to the simulation; what it returns is called once at the very end, when all should be at rest. */
export type Invariant = (watched: Watched) => (() => void) | undefined;
