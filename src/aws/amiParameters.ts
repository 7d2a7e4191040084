// The SSM parameters that hold the images of each family, newest or pinned to a version.
import type { AmiFamily } from '../model/nodeClass.ts';
import type { ImageVariant } from './amis.ts';

export interface ImageCandidate {
  readonly arch: 'amd64' | 'arm64';
  readonly variant: ImageVariant;
  /** Tried in this order. */
  readonly parameters: readonly string[];
}

const EKS = '/aws/service/eks/optimized-ami';

/** Families whose publisher keeps every version under a parameter of its own. */
export const PINNABLE_FAMILIES: readonly AmiFamily[] = ['AL2', 'AL2023', 'Bottlerocket'];

/**
 * Images of a family by architecture and accelerator. Sources: Amazon EKS User Guide, "Retrieve recommended Amazon
 * Linux / Bottlerocket / Windows AMI IDs"; Canonical, "Find Ubuntu images with SSM".
 * @param version of Kubernetes, `1.34`
 * @param release of the image, `v20260801` or `1.44.0`; null for the newest
 */
export function imageCandidates(
  family: AmiFamily,
  version: string,
  release: string | null,
): readonly ImageCandidate[] {
  switch (family) {
    case 'AL2':
      return al2Candidates(version, release);
    case 'AL2023':
      return al2023Candidates(version, release);
    case 'Bottlerocket':
      return bottlerocketCandidates(version, release);
    case 'Ubuntu':
      return [
        { arch: 'amd64', variant: 'any', parameters: ubuntuParameters(version, 'amd64') },
        { arch: 'arm64', variant: 'any', parameters: ubuntuParameters(version, 'arm64') },
      ];
    case 'Custom':
      return [];
    default:
      return windowsCandidates(family.slice('Windows'.length), version);
  }
}

function al2023Candidates(version: string, release: string | null): readonly ImageCandidate[] {
  const of = (arch: 'amd64' | 'arm64', variant: 'standard' | 'nvidia' | 'neuron'): ImageCandidate => {
    const machine = arch === 'amd64' ? 'x86_64' : 'arm64';
    const image =
      release === null ? 'recommended' : `amazon-eks-node-al2023-${machine}-${variant}-${version}-${release}`;
    const parameter = `${EKS}/${version}/amazon-linux-2023/${machine}/${variant}/${image}/image_id`;
    return { arch, variant, parameters: [parameter] };
  };
  return [
    of('amd64', 'standard'),
    of('arm64', 'standard'),
    of('amd64', 'nvidia'),
    of('arm64', 'nvidia'),
    of('amd64', 'neuron'),
  ];
}

function bottlerocketCandidates(version: string, release: string | null): readonly ImageCandidate[] {
  // Bottlerocket writes its own versions without the v.
  const image = release === null ? 'latest' : release.replace(/^v/, '');
  const path = (arch: string, flavour: string): readonly string[] => [
    `/aws/service/bottlerocket/aws-k8s-${version}${flavour}/${arch}/${image}/image_id`,
  ];
  return [
    { arch: 'amd64', variant: 'standard', parameters: path('x86_64', '') },
    { arch: 'arm64', variant: 'standard', parameters: path('arm64', '') },
    { arch: 'amd64', variant: 'nvidia', parameters: path('x86_64', '-nvidia') },
    { arch: 'arm64', variant: 'nvidia', parameters: path('arm64', '-nvidia') },
    // The plain image drives Neuron devices too.
    { arch: 'amd64', variant: 'neuron', parameters: path('x86_64', '') },
  ];
}

function ubuntuParameters(version: string, arch: string): readonly string[] {
  const path = (release: string, disk: string): string =>
    `/aws/service/canonical/ubuntu/eks/${release}/${version}/stable/current/${arch}/hvm/${disk}/ami-id`;
  return [path('24.04', 'ebs-gp3'), path('22.04', 'ebs-gp2'), path('20.04', 'ebs-gp2')];
}

function al2Candidates(version: string, release: string | null): readonly ImageCandidate[] {
  const path = (flavour: '' | '-arm64' | '-gpu'): readonly string[] => {
    const image = release === null ? 'recommended' : `amazon-eks${flavour}-node-${version}-${release}`;
    return [`${EKS}/${version}/amazon-linux-2${flavour}/${image}/image_id`];
  };
  return [
    { arch: 'amd64', variant: 'standard', parameters: path('') },
    { arch: 'arm64', variant: 'standard', parameters: path('-arm64') },
    { arch: 'amd64', variant: 'nvidia', parameters: path('-gpu') },
    { arch: 'amd64', variant: 'neuron', parameters: path('-gpu') },
  ];
}

/** Windows runs on x86_64 alone; drivers of accelerators are the user's to bring, so only plain types boot it. */
function windowsCandidates(year: string, version: string): readonly ImageCandidate[] {
  const name = `Windows_Server-${year}-English-Core-EKS_Optimized-${version}`;
  const parameters = [`/aws/service/ami-windows-latest/${name}/image_id`];
  return [{ arch: 'amd64', variant: 'standard', parameters }];
}
