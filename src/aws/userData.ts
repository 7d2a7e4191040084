// The first words a machine hears: user data by image family, with the user's own merged in.
import { stringify } from 'yaml';
import type { AmiFamily, NodeClass } from '../model/nodeClass.ts';
import { type BootFacts, kubeletConfig, nodeLabelsFlag } from './bootFacts.ts';
import { bottlerocketUserData } from './bottlerocket.ts';
import { DEFAULT_AMI_FAMILY } from './instanceTypes.ts';
import { kubeletFlags } from './kubeletFlags.ts';
import { isMime, type MimePart, readMime, writeMime } from './mime.ts';
import { found, notReady, type Resolved } from './readiness.ts';
import { fieldOf } from './selectors.ts';
import { windowsUserData } from './windows.ts';

/** Before encoding. Source: Amazon EC2 User Guide, "Run commands when you launch an EC2 instance". */
const LONGEST_BYTES = 16_384;
const NODE_CONFIG_TYPE = 'application/node.eks.aws';

/** The user data of a node, or why it cannot be written: the object, the field and the mend. */
export function userData(nodeClass: NodeClass, boot: BootFacts): Resolved<string> {
  const written = familyUserData(nodeClass, nodeClass.amiFamily ?? DEFAULT_AMI_FAMILY, boot);
  if (written.kind === 'notReady') return written;
  const bytes = Buffer.byteLength(written.value);
  if (bytes <= LONGEST_BYTES) return written;
  const message =
    `${fieldOf(nodeClass, 'userData')}: makes ${bytes} bytes with what the node needs to join; ` +
    `EC2 takes ${LONGEST_BYTES}, so shorten it or fetch the rest at boot`;
  return notReady('UserDataTooLong', message);
}

function familyUserData(nodeClass: NodeClass, family: AmiFamily, boot: BootFacts): Resolved<string> {
  switch (family) {
    case 'Custom':
      return found(nodeClass.userData ?? '');
    case 'Bottlerocket':
      return bottlerocketUserData(nodeClass, boot);
    case 'AL2023':
      return nodeadmUserData(nodeClass, boot);
    case 'Windows2019':
    case 'Windows2022':
    case 'Windows2025':
      return windowsUserData(nodeClass, boot);
    default:
      return bootstrapUserData(nodeClass, boot);
  }
}

/** The user's parts first: nodeadm merges NodeConfigs in order, so what the cluster needs wins. */
function nodeadmUserData(nodeClass: NodeClass, boot: BootFacts): Resolved<string> {
  if (boot.serviceCidr === null)
    return missingSetting(nodeClass, 'serviceCidr', 'the service CIDR, 10.100.0.0/16');
  if (boot.clusterCaBundle === null)
    return missingSetting(nodeClass, 'clusterCaBundle', 'the base64 CA certificate');
  const own: MimePart = { contentType: NODE_CONFIG_TYPE, body: nodeConfig(nodeClass, boot) };
  const users = userParts(nodeClass);
  return users.kind === 'notReady' ? users : found(writeMime([...users.value, own]));
}

function missingSetting(nodeClass: NodeClass, setting: string, what: string): Resolved<never> {
  const message = `setting ${setting}: missing, and ${nodeClass.key} boots AL2023, which needs it; set it to ${what}`;
  return notReady('SettingMissing', message);
}

/** Source: awslabs.github.io/amazon-eks-ami/nodeadm, NodeConfig node.eks.aws/v1alpha1. */
function nodeConfig(nodeClass: NodeClass, boot: BootFacts): string {
  const labels = nodeLabelsFlag(boot);
  const config = {
    apiVersion: 'node.eks.aws/v1alpha1',
    kind: 'NodeConfig',
    spec: {
      cluster: {
        name: boot.clusterName,
        apiServerEndpoint: boot.clusterEndpoint,
        certificateAuthority: boot.clusterCaBundle,
        cidr: boot.serviceCidr,
      },
      kubelet: {
        config: kubeletConfig(boot),
        ...(labels === '' ? {} : { flags: [`--node-labels=${labels}`] }),
      },
      ...(nodeClass.instanceStorePolicy === 'RAID0'
        ? { instance: { localStorage: { strategy: 'RAID0' } } }
        : {}),
    },
  };
  return stringify(config, { lineWidth: 0 });
}

/** The user's own user data as MIME parts: MIME as it stands, a NodeConfig or a shell script as one part. */
function userParts(nodeClass: NodeClass): Resolved<readonly MimePart[]> {
  const text = nodeClass.userData?.trim() ?? '';
  if (text === '') return found([]);
  if (isMime(text)) {
    const parts = readMime(text);
    if (parts !== null) return found(parts);
    const mend = 'write Content-Type: multipart/mixed; boundary="…"';
    const message = `${fieldOf(nodeClass, 'userData')}: is MIME without a boundary; ${mend}`;
    return notReady('UserDataInvalid', message);
  }
  if (/^apiVersion:\s*["']?node\.eks\.aws\//m.test(text))
    return found([{ contentType: NODE_CONFIG_TYPE, body: text }]);
  if (text.startsWith('#!'))
    return found([{ contentType: 'text/x-shellscript; charset="us-ascii"', body: text }]);
  const message =
    `${fieldOf(nodeClass, 'userData')}: is neither MIME, nor a NodeConfig, nor a script; ` +
    `begin a script with #!/bin/bash`;
  return notReady('UserDataInvalid', message);
}

/** bootstrap.sh of the AL2 and Ubuntu EKS images. Source: awslabs/amazon-eks-ami, AL2 documentation. */
function bootstrapUserData(nodeClass: NodeClass, boot: BootFacts): Resolved<string> {
  const users = userParts(nodeClass);
  if (users.kind === 'notReady') return users;
  const body = bootstrapScript(boot);
  return found(writeMime([...users.value, { contentType: 'text/x-shellscript; charset="us-ascii"', body }]));
}

function bootstrapScript(boot: BootFacts): string {
  const quoted = shellQuoted;
  const dns = boot.kubelet.clusterDns?.[0];
  const command = [
    `/etc/eks/bootstrap.sh ${quoted(boot.clusterName)}`,
    `--apiserver-endpoint ${quoted(boot.clusterEndpoint)}`,
    ...(boot.clusterCaBundle === null ? [] : [`--b64-cluster-ca ${quoted(boot.clusterCaBundle)}`]),
    ...(dns === undefined ? [] : [`--dns-cluster-ip ${quoted(dns)}`]),
    ...(boot.maxPods === null ? [] : ['--use-max-pods false']),
    `--kubelet-extra-args ${quoted(kubeletFlags(boot).join(' '))}`,
  ];
  const log = 'exec > >(tee /var/log/user-data.log|logger -t user-data -s 2>/dev/console) 2>&1';
  return `#!/bin/bash -xe\n${log}\n${command.join(' \\\n')}\n`;
}

/** One word to a POSIX shell, whatever it holds. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
