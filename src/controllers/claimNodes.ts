// Which Node stands for an instance: one machine may have registered more than once.
import type { Node } from '../model/node.ts';

/** Snapshots share the list of nodes until one changes, and every controller asks: one walk a change is enough. */
const walked = new WeakMap<readonly Node[], ReadonlyMap<string, Node>>();

/** Nodes by provider id; of two with the same one the younger, under whose name the kubelet reports now. */
export function nodesByProviderId(nodes: readonly Node[]): ReadonlyMap<string, Node> {
  const known = walked.get(nodes);
  if (known !== undefined) return known;
  const found = new Map<string, Node>();
  for (const node of nodes) {
    const other = found.get(node.providerId);
    if (other === undefined || isYounger(node, other)) found.set(node.providerId, node);
  }
  walked.set(nodes, found);
  return found;
}

function isYounger(node: Node, other: Node): boolean {
  if (node.createdAtMs !== other.createdAtMs) return node.createdAtMs > other.createdAtMs;
  return node.name > other.name;
}
