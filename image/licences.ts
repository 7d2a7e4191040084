// Lists the packages that are part of the image, with their licences, from the lock file: `npm run licences`.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly integrity?: string;
}

/** package-lock.json, version 3, as far as it is read. */
export interface LockFile {
  readonly name: string;
  readonly version: string;
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

export interface LicensedPackage {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** Hash of its archive, as npm locks it; '' when there is none. */
  readonly integrity: string;
}

/** Production packages of a lock file (version 3), by name. */
export function licensedPackages(lockFile: Pick<LockFile, 'packages'>): readonly LicensedPackage[] {
  return Object.entries(lockFile.packages)
    .filter(([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true)
    .map(([path, { version = '', license = '', integrity = '' }]) => ({
      name: path.replace(/^.*node_modules\//, ''),
      version,
      licence: license,
      integrity,
    }))
    .sort((a, b) => (a.name + a.version < b.name + b.version ? -1 : 1));
}

/** One line a package, after a count of licences. */
export function licenceList(packages: readonly LicensedPackage[]): string {
  const counts = Map.groupBy(packages, ({ licence }) => licence);
  const summary = [...counts].sort().map(([licence, group]) => `${licence}: ${group.length}`);
  const lines = packages.map(({ name, version, licence }) => `${name} ${version} ${licence}`);
  return `${[`Packages in the image: ${packages.length} (${summary.join(', ')})`, '', ...lines].join('\n')}\n`;
}

if (import.meta.main) {
  const text = readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8');
  process.stdout.write(licenceList(licensedPackages(JSON.parse(text) as LockFile)));
}
