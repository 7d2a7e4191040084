// Launching claims, alone or as a group that shares a fleet: one instance each, whatever EC2 answers, forgets or loses.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import type { LaunchOutcome, TakenInstances } from '../ports/cloudProvider.ts';
import { FleetPlanner } from './fleetPlanner.ts';
import { GroupLaunch, type LauncherDependencies } from './groupLaunch.ts';

/** A claim older than this may have been launched by an earlier life of the controller. */
const OLD_CLAIM_MS = 5_000;
const FORGET_MS = 3_600_000;

const NOTHING_TAKEN: ReadonlySet<string> = new Set();

export class Launcher {
  readonly #with: LauncherDependencies;
  readonly #planner: FleetPlanner;
  /** By group id; a claim with no group is one by itself, under its uid. */
  readonly #groups = new Map<string, GroupLaunch>();
  /** Earlier lives of the controller have launched nothing after this. */
  #firstLaunchAtMs = Infinity;

  constructor(dependencies: LauncherDependencies) {
    this.#with = dependencies;
    this.#planner = new FleetPlanner(dependencies);
  }

  /**
   * Never throws for what AWS answers. Calls for the same claim must not overlap.
   * @param taken tells which instances stored claims have, for groups that an earlier life may have launched
   */
  launch(
    claim: NodeClaim,
    nodeClass: NodeClass,
    taken: TakenInstances = () => NOTHING_TAKEN,
  ): Promise<LaunchOutcome> {
    return this.#groupOf(claim).launch({ claim, nodeClass, taken });
  }

  /** Forgets groups that nobody has asked about for an hour. */
  sweep(): void {
    const nowMs = this.#with.clock.nowMs();
    for (const [id, group] of this.#groups) {
      if (group.isIdleSince(nowMs - FORGET_MS)) this.#groups.delete(id);
    }
  }

  /** The instance is going: a claim that still asks for it must hear the truth from EC2. */
  forgetInstance(providerId: string): void {
    for (const [id, group] of this.#groups) {
      if (group.forgetInstance(providerId) && !group.isShared) this.#groups.delete(id);
    }
  }

  #groupOf(claim: NodeClaim): GroupLaunch {
    const nowMs = this.#with.clock.nowMs();
    this.#firstLaunchAtMs = Math.min(this.#firstLaunchAtMs, nowMs);
    const id = claim.spec.launchGroup?.id ?? claim.uid;
    const held = this.#groups.get(id);
    if (held !== undefined) return held;
    const group = new GroupLaunch(this.#with, this.#planner, {
      id,
      isShared: claim.spec.launchGroup !== undefined,
      mayBeLaunched: nowMs - claim.createdAtMs >= OLD_CLAIM_MS,
      unheardAtMs: this.#firstLaunchAtMs,
    });
    this.#groups.set(id, group);
    return group;
  }
}
