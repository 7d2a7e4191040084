// Host ports: when two pods on one node want the same.
import type { HostPort } from '../model/pod.ts';

const ANY_ADDRESS = '0.0.0.0';

/** `TCP/80`: ports of one key may clash, depending on their addresses. */
export function portKey({ protocol, port }: HostPort): string {
  return `${protocol}/${port}`;
}

/** The address a port is bound to; none means all of them. */
export function portAddress({ ip }: HostPort): string {
  return ip === '' ? ANY_ADDRESS : ip;
}

/** True when ports of one key clash on these addresses. Source: Kubernetes, NodePorts plugin. */
export function addressesClash(left: string, right: string): boolean {
  return left === right || left === ANY_ADDRESS || right === ANY_ADDRESS;
}

/** True when any two of the ports clash. */
export function portsClash(left: readonly HostPort[], right: readonly HostPort[]): boolean {
  return left.some((one) =>
    right.some(
      (other) => portKey(one) === portKey(other) && addressesClash(portAddress(one), portAddress(other)),
    ),
  );
}
