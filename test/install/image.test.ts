// The built image: what is in it, what is not, and how large it is.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { licensedPackages } from '../../image/licences.ts';
import { runCommand } from '../e2e/harness/command.ts';
import { buildImage, type ImageConfig } from './harness/imageTree.ts';
import { BUILDAH, reasonToSkipInstall } from './harness/prerequisites.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const MIB = 1024 * 1024;

describe('the image', { skip: await reasonToSkipInstall([BUILDAH]) }, () => {
  let root: string;
  let config: ImageConfig;

  before(
    async () => {
      ({ root, config } = await buildImage());
    },
    { timeout: 20 * 60_000 },
  );

  test('its Dockerfile has nothing that hadolint would change', async () => {
    assert.equal(await runCommand('bash', [join(import.meta.dirname, 'image', 'lint.sh')]), '');
  });

  test('it runs the controller as a user that is not root', () => {
    assert.equal(config.User, '65532:65532');
    assert.deepEqual([...config.Entrypoint, ...config.Cmd], ['/bin/node', '/app/dist/js/main.js', 'run']);
  });

  test('it has no shell, no package manager, and no package but what is bundled', async () => {
    const files = await runCommand('find', [root, '-type', 'f', '-printf', '%P\n']);
    const paths = files.trim().split('\n');
    const programs = paths.filter((path) => /^(usr\/)?s?bin\//.test(path));
    assert.deepEqual(programs, ['bin/node']);
    assert.ok(!paths.some((path) => path.includes('node_modules')));
    assert.ok(!existsSync(join(root, 'app/src')));
  });

  test('its user can write nothing of it but /tmp', async () => {
    const writable = await runCommand('find', [
      root,
      '-perm',
      '/022',
      '-not',
      '-type',
      'l',
      '-printf',
      '%P\n',
    ]);
    assert.equal(writable.trim(), 'tmp');
    const owned = await runCommand('find', [root, '-not', '-user', '0', '-printf', '%P\n']);
    assert.equal(owned.trim(), '');
  });

  test('its bill of materials names every production package', () => {
    const bill = JSON.parse(readFileSync(join(root, 'app/sbom.cdx.json'), 'utf8')) as {
      readonly bomFormat: string;
      readonly components: readonly {
        readonly name: string;
        readonly group?: string;
        readonly version: string;
      }[];
    };
    assert.equal(bill.bomFormat, 'CycloneDX');
    const listed = new Set(
      bill.components.map(({ group, name, version }) => `${group ? `${group}/` : ''}${name}@${version}`),
    );
    const lockFile = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
    const missing = licensedPackages(lockFile).filter(
      ({ name, version }) => !listed.has(`${name}@${version}`),
    );
    assert.deepEqual(missing, []);
    assert.match(readFileSync(join(root, 'app/LICENCES.txt'), 'utf8'), /^Packages in the image: \d+/);
  });

  test('it is small', async (context) => {
    const sizeOf = async (path: string): Promise<number> =>
      Number((await runCommand('du', ['-sb', path])).split('\t')[0]) / MIB;
    const [whole, node, app] = await Promise.all(
      [root, join(root, 'bin/node'), join(root, 'app')].map(sizeOf),
    );
    context.diagnostic(
      `image ${whole?.toFixed(0)} MiB: Node.js ${node?.toFixed(0)}, Cooper ${app?.toFixed(1)}`,
    );
    assert.ok(whole !== undefined && whole < 150, `${whole} MiB`);
    assert.ok(app !== undefined && app < 10, `${app} MiB`);
  });
});
