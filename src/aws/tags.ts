// The tags that say whose an instance is, and the user's own beside them.
import { TAG } from '../model/labels.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import type { AwsSettings } from './settings.ts';

/** Uid of the NodeClaim: names come back, uids do not. */
export const CLAIM_UID_TAG = 'karpenter.sh/nodeclaim-uid';
/** Launch group that a shared fleet was bought for. */
export const LAUNCH_GROUP_TAG = 'karpenter.sh/launch-group';
/** On launch templates: the cluster whose they are. */
export const CLUSTER_TAG = 'karpenter.k8s.aws/cluster';

/** `kubernetes.io/cluster/<name>`, with the value `owned`: what IAM conditions and the cloud controller look at. */
export function clusterTag(clusterName: string): string {
  return `kubernetes.io/cluster/${clusterName}`;
}

/**
 * Tags of a fleet, its instances and volumes. Users may set `Name`; owner tags always win over theirs.
 * A fleet bought for one claim names it; one bought for a launch group names the group, and each instance gets the
 * name of its claim once it has one.
 */
export function fleetTags(
  claim: NodeClaim,
  nodeClass: NodeClass,
  settings: AwsSettings,
): Readonly<Record<string, string>> {
  const { provisioner, launchGroup } = claim.spec;
  // What says whose an instance is must not come from a user, not even where we leave it out.
  const { [LAUNCH_GROUP_TAG]: _, [CLAIM_UID_TAG]: __, ...users } = { ...settings.tags, ...nodeClass.tags };
  return {
    Name: `${TAG.provisioner}/${provisioner}`,
    ...users,
    [TAG.provisioner]: provisioner,
    ...(launchGroup === undefined
      ? claimTags(claim)
      : { [TAG.nodeClaim]: '', [LAUNCH_GROUP_TAG]: launchGroup.id }),
    [TAG.managedBy]: settings.clusterName,
    [clusterTag(settings.clusterName)]: 'owned',
  };
}

/** Whose an instance is. */
export function claimTags({
  name,
  uid,
}: {
  readonly name: string;
  readonly uid: string;
}): Readonly<Record<string, string>> {
  return { [TAG.nodeClaim]: name, [CLAIM_UID_TAG]: uid };
}

/** Tags of a launch template and of network interfaces made with it: shared by claims, so none names a claim. */
export function templateTags(
  provisioner: string,
  nodeClass: NodeClass,
  settings: AwsSettings,
): Readonly<Record<string, string>> {
  return {
    ...settings.tags,
    ...nodeClass.tags,
    [TAG.provisioner]: provisioner,
    [TAG.managedBy]: settings.clusterName,
    [CLUSTER_TAG]: settings.clusterName,
    [clusterTag(settings.clusterName)]: 'owned',
  };
}
