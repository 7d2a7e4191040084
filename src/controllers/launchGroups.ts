// Which claims of a plan are alike to a launch: one fleet may be asked for all of a group.
import type { LaunchGroup } from '../model/nodeClaim.ts';
import type { PlannedNodeClaim } from '../model/plan.ts';
import { claimName } from './nodeClaimNames.ts';

/**
 * Claims in one group at most. A fleet that EC2 refuses or forgets to answer stops all of its group, so groups stay
 * well below the 1,000 instances that EC2 launches at once.
 */
const MOST_IN_GROUP = 100;

/**
 * Marks claims that differ in nothing but what their pods ask for as a group. The mark is stored with each claim
 * before any launch, so that a restarted controller finds the instances of the group by it.
 * @param seed differs from plan to plan: a group's id must never come back
 */
export function withLaunchGroups(
  planned: readonly PlannedNodeClaim[],
  seed: string,
): readonly PlannedNodeClaim[] {
  const alike = new Map<string, number[]>();
  planned.forEach(({ spec }, index) => {
    const { requests: _, launchGroup: __, ...launched } = spec;
    const key = JSON.stringify(launched);
    const indices = alike.get(key);
    if (indices === undefined) alike.set(key, [index]);
    else indices.push(index);
  });
  const groups = new Map<number, LaunchGroup>();
  for (const indices of alike.values()) {
    for (let start = 0; start < indices.length; start += MOST_IN_GROUP) {
      const members = indices.slice(start, start + MOST_IN_GROUP);
      const group = groupOf(planned, members, seed);
      if (members.length > 1) for (const index of members) groups.set(index, group);
    }
  }
  return planned.map((one, index) => {
    const launchGroup = groups.get(index);
    return launchGroup === undefined ? one : { ...one, spec: { ...one.spec, launchGroup } };
  });
}

function groupOf(
  planned: readonly PlannedNodeClaim[],
  members: readonly number[],
  seed: string,
): LaunchGroup {
  const first = planned[members[0] ?? 0];
  const id = claimName(first?.spec.provisioner ?? '', `group/${seed}/${members[0]}/${first?.pods.join(',')}`);
  return { id, size: members.length };
}
