// What Cooper has left in a cluster, read and freed object by object; nothing of it need be well formed.
import { asRaw, objectIn, objectsIn, type Raw, textIn, textsIn } from '../api/objects/raw.ts';
import { LABEL, TERMINATION_FINALIZER } from '../model/labels.ts';
import { RESOURCE } from './apiTarget.ts';
import { LEASE_TIMES } from './leaseElector.ts';
import { readLease } from './leaseRecord.ts';
import type { Timing } from './timing.ts';
import type { KubeTransport } from './transport.ts';

/** Others change finalizers too: then it is read again. */
const TRIES_MOST = 4;

interface Left {
  readonly name: string;
  readonly uid: string;
  readonly providerId: string;
  readonly isBeingDeleted: boolean;
}

/** All NodeClaims; none when the cluster does not know the kind any more. Throws KubeApiError. */
export async function readLeftClaims(transport: KubeTransport): Promise<readonly Left[]> {
  const objects = await listed(transport, 'nodeClaims');
  return objects.map((raw) => ({
    ...identityOf(raw),
    providerId: textIn(objectIn(raw, 'status'), 'providerID'),
  }));
}

export interface LeftNode extends Left {
  readonly isOurs: boolean;
  readonly finalizers: readonly string[];
}

/** All Nodes, ours and others. Throws KubeApiError. */
export async function readLeftNodes(transport: KubeTransport): Promise<readonly LeftNode[]> {
  const objects = await listed(transport, 'nodes');
  return objects.map((raw) => {
    const metadata = objectIn(raw, 'metadata');
    return {
      ...identityOf(raw),
      providerId: textIn(objectIn(raw, 'spec'), 'providerID'),
      isOurs: textIn(objectIn(metadata, 'labels'), LABEL.provisioner) !== '',
      finalizers: textsIn(metadata, 'finalizers'),
    };
  });
}

async function listed(transport: KubeTransport, kind: 'nodes' | 'nodeClaims'): Promise<readonly Raw[]> {
  const { status, body } = await transport.call({ verb: 'list', target: RESOURCE[kind], expected: [404] });
  return status === 404 ? [] : objectsIn(asRaw(body), 'items');
}

function identityOf(raw: Raw): Omit<Left, 'providerId'> {
  const metadata = objectIn(raw, 'metadata');
  return {
    name: textIn(metadata, 'name'),
    uid: textIn(metadata, 'uid'),
    isBeingDeleted: textIn(metadata, 'deletionTimestamp') !== '',
  };
}

/** Asks for deletion, and takes our finalizer off; those of others stay. Gone already is fine. Throws KubeApiError. */
export async function deleteWithFinalizer(
  transport: KubeTransport,
  kind: 'nodes' | 'nodeClaims',
  name: string,
): Promise<void> {
  const target = { ...RESOURCE[kind], name };
  await transport.call({ verb: 'delete', target, expected: [404] });
  for (let tries = 1; ; tries += 1) {
    const found = await transport.call({ verb: 'get', target, expected: [404] });
    const metadata = objectIn(asRaw(found.body), 'metadata');
    const finalizers = textsIn(metadata, 'finalizers');
    if (found.status === 404 || !finalizers.includes(TERMINATION_FINALIZER)) return;
    const kept = finalizers.filter((one) => one !== TERMINATION_FINALIZER);
    const body = { metadata: { resourceVersion: textIn(metadata, 'resourceVersion'), finalizers: kept } };
    const expected = tries < TRIES_MOST ? [404, 409] : [404];
    if ((await transport.call({ verb: 'patch', target, body, expected })).status !== 409) return;
  }
}

/** Whether somebody renews the Lease: looks twice, for times of other clocks say nothing. */
export async function isLeaseRenewed(
  transport: KubeTransport,
  lease: { readonly namespace: string; readonly name: string },
  timing: Timing,
): Promise<boolean> {
  const target = { ...RESOURCE.leases, ...lease };
  const look = async (): Promise<string> => {
    const { status, body } = await transport.call({ verb: 'get', target, expected: [404] });
    const { record } = readLease(body);
    return status === 404 || record.holder === '' ? '' : record.renewTime;
  };
  const before = await look();
  if (before === '') return false;
  await timing.pause(2 * LEASE_TIMES.retryMs);
  return (await look()) !== before;
}
