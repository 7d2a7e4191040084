// The launch templates of a cluster, for taking away what an uninstallation has left.
import { EC2Client, paginateDescribeLaunchTemplates } from '@aws-sdk/client-ec2';
import { CONNECTION } from './sdkEc2.ts';
import { askedForAll } from './sdkFault.ts';
import { clusterTag } from './tags.ts';

/** Names of the templates that carry the cluster's tag and Cooper's name. Throws `AwsFault`. */
export async function ownLaunchTemplates(region: string, clusterName: string): Promise<readonly string[]> {
  const client = new EC2Client({ region, ...CONNECTION });
  const Filters = [{ Name: `tag:${clusterTag(clusterName)}`, Values: ['owned'] }];
  const pages = paginateDescribeLaunchTemplates({ client }, { Filters });
  const found = await askedForAll('ec2:DescribeLaunchTemplates', pages, (page) => page.LaunchTemplates);
  const names = found.flatMap(({ LaunchTemplateName }) => LaunchTemplateName ?? []);
  return names.filter((name) => name.startsWith(`Karpenter-${clusterName}-`)).sort();
}
