// Tag selectors of subnets, security groups and images as EC2 filters, and how objects are named to users.
import type { NodeClass, TagSelector } from '../model/nodeClass.ts';
import type { Filter } from './ec2Api.ts';

const ID_KEYS: ReadonlySet<string> = new Set(['aws-ids', 'aws::ids']);

/**
 * All conditions of a selector, ANDed: `aws-ids` becomes a filter on the id, the value `*` one on the tag's key,
 * everything else one on the tag's value, where EC2 itself understands wildcards and commas are plain text.
 * Source: Karpenter v0.16 to v0.32, "AWS provisioner, subnetSelector".
 * @param idFilter EC2's name for the id: `subnet-id`, `group-id`, `image-id`
 */
export function selectorFilters(selector: TagSelector, idFilter: string): readonly Filter[] {
  return Object.entries(selector).map(([key, value]): Filter => {
    if (ID_KEYS.has(key)) return { name: idFilter, values: listed(value) };
    return value === '*' ? { name: 'tag-key', values: [key] } : { name: `tag:${key}`, values: [value] };
  });
}

/** The entries of a comma-separated list, blanks trimmed. */
export function listed(value: string): readonly string[] {
  return value
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

/** `AWSNodeTemplate "default": spec.subnetSelector`, or the same of an inline `spec.provider`: object and field. */
export function fieldOf(nodeClass: NodeClass, field: string): string {
  const [kind = '', name = ''] = nodeClass.key.split('/');
  const path = kind === 'Provisioner' ? `spec.provider.${field}` : `spec.${field}`;
  return `${kind} "${name}": ${path}`;
}

/** `{a: b, c: d}` as a reader would write it. */
export function writeSelector(selector: TagSelector): string {
  return `{${Object.entries(selector)
    .map(([key, value]) => `${key}: ${value}`)
    .join(', ')}}`;
}
