// Which Node stands for an instance: one machine may have registered more than once.
import type { Node } from '../model/node.ts';

/** Nodes by provider id; of two with the same one the younger, under whose name the kubelet reports now. */
export function nodesByProviderId(nodes: readonly Node[]): ReadonlyMap<string, Node> {
  const found = new Map<string, Node>();
  for (const node of nodes) {
    const other = found.get(node.providerId);
    if (other === undefined || isYounger(node, other)) found.set(node.providerId, node);
  }
  return found;
}

function isYounger(node: Node, other: Node): boolean {
  if (node.createdAtMs !== other.createdAtMs) return node.createdAtMs > other.createdAtMs;
  return node.name > other.name;
}
