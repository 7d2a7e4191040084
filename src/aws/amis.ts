// Which machine image a node class boots, by architecture and accelerator: from SSM by family, or by amiSelector.
import { isWellKnownLabel } from '../model/labels.ts';
import type { AmiFamily, NodeClass, TagSelector } from '../model/nodeClass.ts';
import { type ImageCandidate, imageCandidates, PINNABLE_FAMILIES } from './amiParameters.ts';
import type { Image, ImageQuery } from './ec2Api.ts';
import type { InstanceTypeFacts } from './instanceTypeFacts.ts';
import { DEFAULT_AMI_FAMILY } from './instanceTypes.ts';
import { found, notReady, type Resolved } from './readiness.ts';
import { fieldOf, listed, selectorFilters, writeSelector } from './selectors.ts';
import { kubernetesMinor } from './settings.ts';

/** `any` holds for images that users choose themselves: they know what their image can drive. */
export type ImageVariant = 'standard' | 'nvidia' | 'neuron' | 'any';

export interface BootImage {
  readonly id: string;
  readonly arch: 'amd64' | 'arm64';
  readonly variant: ImageVariant;
  /** Well-known labels in the image's tags: only types with these values boot it. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface ImageSource {
  parameter(name: string): Promise<string | null>;
  images(query: ImageQuery): Promise<readonly Image[]>;
}

/** First Kubernetes minor version without AL2 images. Source: AWS, "Amazon EKS AL2 end of support". */
const FIRST_MINOR_WITHOUT_AL2 = 33;

/**
 * The images of a node class, best first, or why there are none. Throws `AwsFault` when AWS cannot be asked.
 * @param kubernetesVersion as the API server says it, `1.34` or `v1.34.2-eks-1a2b3c4`
 */
export async function bootImages(
  nodeClass: NodeClass,
  kubernetesVersion: string,
  source: ImageSource,
): Promise<Resolved<readonly BootImage[]>> {
  const family = nodeClass.amiFamily ?? DEFAULT_AMI_FAMILY;
  const isPinned = Object.hasOwn(nodeClass.amiSelector, ALIAS_KEY);
  if (!isPinned && Object.keys(nodeClass.amiSelector).length > 0) return selectedImages(nodeClass, source);
  const pin = pinnedRelease(nodeClass, family);
  if (pin.kind === 'notReady') return pin;
  const refusal = familyRefusal(nodeClass, family, kubernetesVersion);
  if (refusal !== null) return refusal;
  const version = `1.${kubernetesMinor(kubernetesVersion)}`;
  const candidates = imageCandidates(family, version, pin.value);
  const images = (await Promise.all(candidates.map((one) => candidateImage(one, source)))).flat();
  if (images.length > 0) return found(images);
  const tried = candidates[0]?.parameters[0] ?? '';
  return notReady(
    'AmiNotFound',
    `${fieldOf(nodeClass, 'amiFamily')}: there is no ${family} image for Kubernetes ${version} ` +
      `(SSM has no parameter ${tried}); name another family, or your own image in amiSelector`,
  );
}

/** The release that `aws::alias` pins, null for the newest; `al2023@v20260801`, `bottlerocket@1.44.0`, `…@latest`. */
function pinnedRelease(nodeClass: NodeClass, family: AmiFamily): Resolved<string | null> {
  const alias = nodeClass.amiSelector[ALIAS_KEY];
  if (alias === undefined) return found(null);
  const field = fieldOf(nodeClass, 'amiSelector');
  const refuse = (what: string): Resolved<never> => notReady('AmiAliasInvalid', `${field}: ${what}`);
  if (Object.keys(nodeClass.amiSelector).length > 1) {
    return refuse(`${ALIAS_KEY} stands alone; remove the other entries, or the alias`);
  }
  const [name = '', release = ''] = alias.split('@');
  if (name !== family.toLowerCase() || !/^(latest|v?\d+(\.\d+)*)$/.test(release)) {
    return refuse(
      `alias ${alias} is no image of ${family}; write ${family.toLowerCase()}@<version> or @latest`,
    );
  }
  if (release === 'latest') return found(null);
  if (PINNABLE_FAMILIES.includes(family)) return found(release);
  return refuse(`images of ${family} cannot be pinned by version; name one by its id in aws::ids`);
}

function familyRefusal(nodeClass: NodeClass, family: AmiFamily, version: string): Resolved<never> | null {
  const field = fieldOf(nodeClass, 'amiFamily');
  if (family === 'Custom') {
    const message = `${field}: Custom needs an image; name one in ${fieldOf(nodeClass, 'amiSelector')}`;
    return notReady('AmiSelectorMissing', message);
  }
  if (family === 'AL2' && kubernetesMinor(version) >= FIRST_MINOR_WITHOUT_AL2) {
    const written = nodeClass.key.startsWith('Provisioner/') ? 'spec.provider.amiFamily' : 'spec.amiFamily';
    return notReady(
      'AmiFamilyUnsupported',
      `${field}: AL2 has no images for Kubernetes ${version} (EKS ended them with 1.32); ` +
        `write ${written}: AL2023, or leave the field out`,
    );
  }
  return null;
}

async function candidateImage(candidate: ImageCandidate, source: ImageSource): Promise<readonly BootImage[]> {
  for (const parameter of candidate.parameters) {
    const id = await source.parameter(parameter);
    if (id !== null) return [{ id, arch: candidate.arch, variant: candidate.variant, labels: {} }];
  }
  return [];
}

const ALIAS_KEY = 'aws::alias';
const OWNERS_KEY = 'aws::owners';
const NAME_KEY = 'aws::name';

/** The query of an amiSelector: ids, name, owners and tags. Anyone may publish an image, so owners are bounded. */
export function imageQuery(selector: TagSelector): ImageQuery {
  const { [OWNERS_KEY]: owners, [NAME_KEY]: name, ...rest } = selector;
  const filters = selectorFilters(rest, 'image-id');
  const byId = filters.some((filter) => filter.name === 'image-id');
  const bounded = owners === undefined ? (byId ? [] : ['self', 'amazon']) : listed(owners);
  return {
    filters: name === undefined ? filters : [...filters, { name: 'name', values: [name] }],
    owners: bounded,
  };
}

async function selectedImages(
  nodeClass: NodeClass,
  source: ImageSource,
): Promise<Resolved<readonly BootImage[]>> {
  const images = await source.images(imageQuery(nodeClass.amiSelector));
  if (images.length === 0) {
    const selector = writeSelector(nodeClass.amiSelector);
    return notReady(
      'AmiNotFound',
      `${fieldOf(nodeClass, 'amiSelector')}: no image matches ${selector}; check ids, tags, owner and region`,
    );
  }
  const newestFirst = [...images].sort((a, b) => {
    if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? 1 : -1;
    return a.id < b.id ? -1 : 1;
  });
  return found(
    newestFirst.map(({ id, arch, tags }): BootImage => {
      const labels = Object.fromEntries(Object.entries(tags).filter(([key]) => isWellKnownLabel(key)));
      return { id, arch, variant: 'any', labels };
    }),
  );
}

/** The first image that the type can boot; null when there is none. */
export function imageFor(
  images: readonly BootImage[],
  facts: InstanceTypeFacts,
  labels: Readonly<Record<string, string>>,
): BootImage | null {
  const needed: ImageVariant = facts.neuron !== null ? 'neuron' : facts.gpu === null ? 'standard' : 'nvidia';
  const boots = (image: BootImage): boolean =>
    image.arch === facts.arch &&
    (image.variant === 'any' || image.variant === needed) &&
    Object.entries(image.labels).every(([key, value]) => (labels[key] ?? value) === value);
  return images.find(boots) ?? null;
}

/** Ids of the images that `imageFor` may answer for one type or another: older ones that match as well are left out. */
export function currentImageIds(images: readonly BootImage[]): readonly string[] {
  const covers = (before: BootImage, later: BootImage): boolean =>
    before.arch === later.arch &&
    (before.variant === 'any' || before.variant === later.variant) &&
    Object.entries(before.labels).every(([key, value]) => later.labels[key] === value);
  const current = images.filter((image, index) => !images.slice(0, index).some((one) => covers(one, image)));
  return current.map(({ id }) => id);
}
