// The bill of materials of the image, CycloneDX 1.5, from the lock file: every production package and Node.js itself.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LockFile, licensedPackages } from './licences.ts';

/** The document as a plain object. It holds no time and no serial number: the same sources give the same document. */
export function billOfMaterials(lockFile: LockFile, nodeVersion: string): object {
  const packages = licensedPackages(lockFile).map(({ name, version, licence, integrity }) => ({
    type: 'library',
    'bom-ref': `${name}@${version}`,
    name,
    version,
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    licenses: [{ license: { id: licence } }],
    hashes: hashesOf(integrity),
  }));
  const node = {
    type: 'platform',
    'bom-ref': `node@${nodeVersion}`,
    name: 'node',
    version: nodeVersion,
    purl: `pkg:generic/node@${nodeVersion}`,
  };
  const { name, version } = lockFile;
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { type: 'application', 'bom-ref': `${name}@${version}`, name, version } },
    components: [node, ...packages],
  };
}

/** `sha512-…` in base64, as npm locks it; CycloneDX writes hexadecimal digits. */
function hashesOf(integrity: string): readonly object[] {
  const [, digest] = /^sha512-(.+)$/.exec(integrity) ?? [];
  if (digest === undefined) return [];
  return [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }];
}

if (import.meta.main) {
  const text = readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8');
  const bill = billOfMaterials(JSON.parse(text) as LockFile, process.versions.node);
  process.stdout.write(`${JSON.stringify(bill, null, 2)}\n`);
}
