// Which volumes are attached to which nodes, as the API server has it now.
import { asRaw, objectIn, objectsIn, type Raw, textIn } from '../api/objects/raw.ts';
import type { VolumeAttachment } from '../model/volumes.ts';
import { RESOURCE } from './apiTarget.ts';
import type { KubeTransport } from './transport.ts';

/** One is some 2 KB of JSON: a page is parsed within milliseconds. */
const PAGE = 500;

/**
 * All VolumeAttachments, page by page. The API server selects them by no node (k8s.io/kubernetes,
 * pkg/registry/storage/volumeattachment: no selectable fields). No resourceVersion is named, so that the answer holds
 * all that was written before. 'forbidden' without the right to list them. Throws KubeApiError; a list that expires
 * between its pages is read by the next try.
 */
export async function readVolumeAttachments(
  transport: KubeTransport,
): Promise<readonly VolumeAttachment[] | 'forbidden'> {
  const found: VolumeAttachment[] = [];
  let next = '';
  do {
    const query = { limit: String(PAGE), ...(next === '' ? {} : { continue: next }) };
    const call = { verb: 'list', target: RESOURCE.volumeAttachments, query, expected: [403] } as const;
    const { status, body } = await transport.call(call);
    if (status === 403) return 'forbidden';
    const raw = asRaw(body);
    found.push(...objectsIn(raw, 'items').map(attachmentOf));
    next = textIn(objectIn(raw, 'metadata'), 'continue');
  } while (next !== '');
  return found;
}

function attachmentOf(raw: Raw): VolumeAttachment {
  const spec = objectIn(raw, 'spec');
  const volumeName = textIn(objectIn(spec, 'source'), 'persistentVolumeName');
  return { nodeName: textIn(spec, 'nodeName'), volumeName };
}
