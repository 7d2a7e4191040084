// Claims that are decided on and not stored yet: plans that are made at the same time do not spend limits twice.
import { NO_STATUS, type NodeClaimSpec } from '../model/nodeClaim.ts';
import type { PlannedNodeClaim } from '../model/plan.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import { claimCharge, ledgerOf } from '../scheduling/limits.ts';

export class PromisedClaims {
  readonly #specs = new Set<NodeClaimSpec>();

  get size(): number {
    return this.#specs.size;
  }

  /**
   * Takes on what fits the limits beside all that is there and all that others have promised meanwhile. Whoever
   * stores a claim keeps its promise until the claim can be seen, and then takes it back.
   * @param snapshot the cluster as it is now, not as it was when the plan was begun
   */
  promise(
    planned: readonly PlannedNodeClaim[],
    snapshot: ClusterSnapshot,
    catalogue: Catalogue,
  ): { readonly launched: readonly PlannedNodeClaim[]; readonly held: readonly PlannedNodeClaim[] } {
    const ledger = ledgerOf(snapshot, catalogue);
    const charge = (spec: NodeClaimSpec): ReturnType<typeof claimCharge> =>
      claimCharge({ spec, status: NO_STATUS }, catalogue);
    for (const spec of this.#specs)
      if (ledger.isLimited(spec.provisioner)) ledger.add(spec.provisioner, charge(spec), 1);
    const launched: PlannedNodeClaim[] = [];
    const held: PlannedNodeClaim[] = [];
    for (const one of planned) {
      const { provisioner } = one.spec;
      if (ledger.isLimited(provisioner)) {
        const charged = charge(one.spec);
        if (ledger.excess(provisioner, charged) !== null) {
          held.push(one);
          continue;
        }
        ledger.add(provisioner, charged, 1);
      }
      this.#specs.add(one.spec);
      launched.push(one);
    }
    return { launched, held };
  }

  /** The claim can be seen, or will not be stored. */
  takeBack({ spec }: PlannedNodeClaim): void {
    this.#specs.delete(spec);
  }
}
