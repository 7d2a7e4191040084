// Node selectors, affinity and volume terms of a pod as alternatives: conditions of which one set must hold.
import type { NodeSelectorTerm, PodSpec } from '../model/pod.ts';
import { requirementsFromLabels } from '../model/requirement.ts';
import { intersectRequirements, type RequirementSet, requirementSet } from '../model/requirementSet.ts';

/** More alternatives than this are cut: a product of ORed terms grows without bound. */
const MOST_ALTERNATIVES = 64;

/**
 * Every combination of node selector, one required affinity term and one term of each volume.
 * Terms that name a node by `matchFields` are left out: no node that is yet to come can satisfy them.
 * @param volumes for each volume its ORed terms; a volume without terms is reachable from anywhere
 */
export function requirementAlternatives(
  spec: Pick<PodSpec, 'nodeSelector' | 'nodeAffinity'>,
  volumes: readonly (readonly NodeSelectorTerm[])[],
): readonly RequirementSet[] {
  const selector = requirementSet(requirementsFromLabels(spec.nodeSelector));
  let alternatives: readonly RequirementSet[] = [selector];
  if (spec.nodeAffinity !== null) alternatives = withTerms(alternatives, spec.nodeAffinity);
  for (const terms of volumes) if (terms.length > 0) alternatives = withTerms(alternatives, terms);
  return alternatives;
}

function withTerms(
  alternatives: readonly RequirementSet[],
  terms: readonly NodeSelectorTerm[],
): readonly RequirementSet[] {
  // A term without conditions matches nothing. Source: Kubernetes API, NodeSelectorTerm.
  const usable = terms.filter((term) => !term.matchFields && term.requirements.length > 0);
  const combined = alternatives.flatMap((held) =>
    usable.map((term) => intersectRequirements(held, requirementSet(term.requirements))),
  );
  return combined.slice(0, MOST_ALTERNATIVES);
}
