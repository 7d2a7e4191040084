// What the API server says of the cluster: its version, its service addresses, its certificate authority.
import { asRaw, objectIn, textIn, textsIn } from '../api/objects/raw.ts';
import { RESOURCE } from './apiTarget.ts';
import type { KubeConnection } from './connection.ts';
import type { KubeTransport } from './transport.ts';

export interface ServerInfo {
  /** `1.36`: what AMI names and API rules go by. */
  readonly kubernetesVersion: string;
  /** Where Services get their addresses: nodes need it to boot (AL2023). null when it cannot be told. */
  readonly serviceCidr: string | null;
  /** Base64 of PEM, null when the connection names none. */
  readonly clusterCa: string | null;
  /** `https://host:port`. */
  readonly endpoint: string;
}

/** Asks the server. Throws KubeApiError when it cannot be reached or refuses. */
export async function readServerInfo(
  transport: KubeTransport,
  connection: KubeConnection,
): Promise<ServerInfo> {
  return {
    kubernetesVersion: await readVersion(transport),
    serviceCidr: (await readServiceCidr(transport)) ?? (await guessServiceCidr(transport)),
    clusterCa: connection.clusterCa,
    endpoint: connection.server.origin,
  };
}

async function readVersion(transport: KubeTransport): Promise<string> {
  const { body } = await transport.call({ verb: 'get', target: RESOURCE.version });
  const gitVersion = textIn(asRaw(body), 'gitVersion');
  const version = parseVersion(gitVersion);
  if (version !== null) return version;
  throw new Error(
    `the API server's version ${JSON.stringify(gitVersion)} is none; check that the address is Kubernetes'`,
  );
}

/** `v1.36.1-eks-113cf36` is `1.36`; null when the text is no version. */
export function parseVersion(gitVersion: string): string | null {
  const match = /^v?(\d+)\.(\d+)/.exec(gitVersion);
  return match === null ? null : `${match[1]}.${match[2]}`;
}

/** Kubernetes 1.33 and later keep the range as an object; older ones, or a role without the right, tell nothing. */
async function readServiceCidr(transport: KubeTransport): Promise<string | null> {
  const target = { ...RESOURCE.serviceCidrs, name: 'kubernetes' };
  const { status, body } = await transport.call({ verb: 'get', target, expected: [403, 404] });
  if (status !== 200) return null;
  return textsIn(objectIn(asRaw(body), 'spec'), 'cidrs')[0] ?? null;
}

/** The `kubernetes` Service has the first address of the range; EKS makes that a /16 (IPv4) or /108 (IPv6). */
async function guessServiceCidr(transport: KubeTransport): Promise<string | null> {
  const target = { ...RESOURCE.services, namespace: 'default', name: 'kubernetes' };
  const { status, body } = await transport.call({ verb: 'get', target, expected: [403, 404] });
  return status === 200 ? cidrAround(textIn(objectIn(asRaw(body), 'spec'), 'clusterIP')) : null;
}

/** `172.20.0.1` is in `172.20.0.0/16`, `fd12::1` in `fd12::/108`. Source: EKS, "kubernetesNetworkConfig". */
export function cidrAround(clusterIp: string): string | null {
  const ipv4 = /^(\d+)\.(\d+)\.\d+\.\d+$/.exec(clusterIp);
  if (ipv4 !== null) return `${ipv4[1]}.${ipv4[2]}.0.0/16`;
  const ipv6 = /^([0-9a-f:]*::)1$/i.exec(clusterIp);
  return ipv6 === null ? null : `${ipv6[1]}/108`;
}
